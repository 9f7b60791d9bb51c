// Made from the CRDs by hack/generate/types.ts; do not edit.
//
// The types are those of an object that the API server has stored: a field with a default is there, so it is required.

/**
 * What Tollgate reads of the standard object metadata.
 */
export interface ObjectMeta {
  name: string;
  namespace: string;
  uid?: string;
  generation?: number;
  resourceVersion?: string;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: {
    [k: string]: string;
  };
  annotations?: {
    [k: string]: string;
  };
}
/**
 * A standard condition.
 */
export interface Condition {
  /**
   * type of the condition.
   */
  type: string;
  /**
   * status is True, False, or Unknown.
   */
  status: 'True' | 'False' | 'Unknown';
  /**
   * observedGeneration is the metadata.generation that the condition speaks of.
   */
  observedGeneration: number;
  /**
   * lastTransitionTime is when the status last changed.
   */
  lastTransitionTime: string;
  /**
   * reason is one word for programs (docs/reference/refusals.md).
   */
  reason: string;
  /**
   * message is a sentence for people.
   */
  message: string;
}
/**
 * spec is what the platform team asks for.
 */
export interface ClaudeBudgetSpec {
  /**
   * workspaceRef names the ClaudeWorkspace of this namespace whose calls the budget governs.
   */
  workspaceRef?: {
    /**
     * name of the ClaudeWorkspace.
     */
    name: string;
  };
  /**
   * namespaceSelector makes a spanning budget - it governs the workspaces of all namespaces whose labels match ({} matches every one). Only in the installation's namespace, where tenants cannot edit it.
   */
  namespaceSelector?: {
    /**
     * matchLabels that a namespace must have.
     */
    matchLabels?: {
      [k: string]: string;
    };
    /**
     * matchExpressions that must hold for the labels of a namespace.
     */
    matchExpressions?: {
      /**
       * key of the label.
       */
      key: string;
      /**
       * operator that relates the label to the values.
       */
      operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
      /**
       * values for In and NotIn.
       */
      values?: string[];
    }[];
  };
  /**
   * scope narrows the budget to some calls. Every list that is given must match; in a value `*` stands for any characters. A caller that may set an attribute and does not is governed whatever the list says. Default: {}.
   */
  scope: {
    /**
     * features of which one must match.
     */
    features?: string[];
    /**
     * customers of which one must match.
     */
    customers?: string[];
    /**
     * users of which one must match.
     */
    users?: string[];
    /**
     * departments of which one must match.
     */
    departments?: string[];
    /**
     * keys of the workspace, by name, of which one must match.
     */
    keys?: string[];
    /**
     * models, as they are sent and by any of their names, of which one must match.
     */
    models?: string[];
    /**
     * tags are the other attributes, each with the values of which one must match.
     */
    tags?: {
      [k: string]: string[];
    };
  };
  /**
   * per gives each value of one or two attributes a counter, and the limit, of its own - such as [customer]. Empty is one pool for all calls. Default: [].
   */
  per: string[];
  /**
   * limit is how much may be spent in a period.
   */
  limit: {
    /**
     * usd is the limit of the pool, or with per of each value.
     */
    usd: string;
    /**
     * totalUsd caps all values of per together.
     */
    totalUsd?: string;
    /**
     * overrides give single values of per a limit of their own. They hold only where the credential fixes the attribute, never where a caller set it. Default: [].
     */
    overrides: {
      /**
       * values in the order of per, compared as they are.
       */
      values: string[];
      /**
       * usd replaces limit.usd for these values; "0" lets them spend nothing.
       */
      usd: string;
    }[];
    /**
     * toleranceUsd is by how much worst cases may pass the limit before a call is refused. It admits calls whose worst case is far above what they use. Default: "0".
     */
    toleranceUsd: string;
  };
  /**
   * grants raise each period's limit while they are in force. Each is known by its reason and untilTime, so whoever is on call can apply one beside those of a GitOps tool. Default: [].
   */
  grants: {
    /**
     * usd that is added to the limit.
     */
    usd: string;
    /**
     * fromTime is when it begins; absent, it is in force already.
     */
    fromTime?: string;
    /**
     * untilTime is when it ends.
     */
    untilTime: string;
    /**
     * reason for whoever reads it later. Two grants that end together need different ones. Default: "".
     */
    reason: string;
  }[];
  /**
   * period after which the budget starts again at zero, aligned to the calendar of its time zone.
   */
  period: {
    /**
     * every Hour, Day, Week (from Monday), Month, Quarter or Year, or Once, which starts at startTime and never ends.
     */
    every: 'Hour' | 'Day' | 'Week' | 'Month' | 'Quarter' | 'Year' | 'Once';
    /**
     * timeZone whose calendar the period follows, UTC or a name such as America/New_York. Default: "UTC".
     */
    timeZone: string;
    /**
     * startTime of a budget for Once; what was spent before is not counted.
     */
    startTime?: string;
  };
  /**
   * mode is Enforce, or Observe, which counts and says what would have been refused, and refuses nothing. Default: "Enforce".
   */
  mode: 'Enforce' | 'Observe';
  /**
   * whenSpent says who may go on when the limit is reached. Default: {}.
   */
  whenSpent: {
    /**
     * exempt calls are counted and never limited. Only attributes that the credential fixes are looked at, never what a caller set.
     */
    exempt?: {
      /**
       * features of which one must match.
       */
      features?: string[];
      /**
       * customers of which one must match.
       */
      customers?: string[];
      /**
       * users of which one must match.
       */
      users?: string[];
      /**
       * departments of which one must match.
       */
      departments?: string[];
      /**
       * keys of the workspace, by name, of which one must match.
       */
      keys?: string[];
      /**
       * tags are the other attributes, each with the values of which one must match.
       */
      tags?: {
        [k: string]: string[];
      };
    };
    /**
     * criticalExtraUsd is what keys of priority Critical may spend beyond the limit. Default: "0".
     */
    criticalExtraUsd: string;
  };
  /**
   * suspend refuses every call that the budget governs. To stop enforcing it, set mode to Observe or delete it. Default: false.
   */
  suspend: boolean;
}
/**
 * status is where the budget stands, as the operator read it last from the ledger.
 */
export interface ClaudeBudgetStatus {
  /**
   * conditions are Accepted, Programmed, Exhausted and Ready, each with the generation that it speaks of.
   */
  conditions?: Condition[];
  /**
   * workspace that is governed; of a spanning budget how many, such as "12 workspaces".
   */
  workspace?: string;
  /**
   * state is for display only - OK, Warning from 80 percent on, Restricted where some calls are refused, Spent where all are, or Observing.
   */
  state?: 'OK' | 'Warning' | 'Restricted' | 'Spent' | 'Observing';
  /**
   * period that is running.
   */
  period?: {
    /**
     * start of the period.
     */
    start: string;
    /**
     * end of the period, which is the start of the next; absent where it never ends.
     */
    end?: string;
  };
  /**
   * limitUsd is the limit in force, grants included; with per of each value without an override.
   */
  limitUsd?: string;
  /**
   * spentUsd is what has settled in the period, exactly; with per of all values together.
   */
  spentUsd?: string;
  /**
   * reservedUsd is what calls in flight may still cost, presumedUsd included.
   */
  reservedUsd?: string;
  /**
   * presumedUsd is held for calls whose cost is not known, because a gateway died or a connection broke.
   */
  presumedUsd?: string;
  /**
   * remainingUsd is what may still be spent, cut to cents; with per by the fullest value.
   */
  remainingUsd?: string;
  /**
   * percentUsed of the limit, rounded up; with per of the fullest value.
   */
  percentUsed?: number;
  /**
   * used is percentUsed for display, such as "82%".
   */
  used?: string;
  /**
   * requests that have settled in the period.
   */
  requests?: number;
  /**
   * refused is how many calls were refused because the budget is spent.
   */
  refused?: number;
  /**
   * wouldRefuse is how many calls mode Enforce would have refused.
   */
  wouldRefuse?: number;
  /**
   * top lists the values of per that spent most, dearest first.
   */
  top?: {
    /**
     * values in the order of per.
     */
    values: string[];
    /**
     * spentUsd by these values in the period.
     */
    spentUsd: string;
  }[];
}
/**
 * ClaudeBudget is an amount of money, for a scope, in a period. A call needs room in every budget that governs it.
 */
export interface ClaudeBudget {
  apiVersion: 'tollgate.dev/v1alpha1';
  kind: 'ClaudeBudget';
  metadata: ObjectMeta;
  spec: ClaudeBudgetSpec;
  status?: ClaudeBudgetStatus;
}
/**
 * spec is what the platform team asks for.
 */
export interface ClaudeWorkspaceSpec {
  /**
   * upstream is where calls go and the Anthropic API key that pays for them.
   */
  upstream: {
    /**
     * baseURL of the Anthropic API or of a server that speaks it, without /v1. Its origin must be on the installation's allow-list (setting `upstreams`). Default: "https://api.anthropic.com".
     */
    baseURL: string;
    /**
     * apiKeySecretRef names the Anthropic API key in a Secret of this namespace. Only a Secret of type tollgate.dev/upstream-key is read.
     */
    apiKeySecretRef: {
      /**
       * name of the Secret.
       */
      name: string;
      /**
       * key in the Secret's data that holds the API key. Default: "api-key".
       */
      key: string;
    };
  };
  /**
   * attributes that every call of this workspace carries - feature, customer, user, department or any tag. Budgets match and count by them. A caller cannot change them. Default: {}.
   */
  attributes: {
    [k: string]: string;
  };
  /**
   * keys that callers authenticate with. Each becomes a Secret of this namespace with ANTHROPIC_API_KEY and ANTHROPIC_BASE_URL, ready for envFrom. Removing a key revokes it. Default: [].
   */
  keys: {
    /**
     * name of the key, unique in the workspace. Budgets can be scoped to it.
     */
    name: string;
    /**
     * secretName of the Secret that is made for the key. A Secret that exists already and was not made for this key is never touched.
     */
    secretName: string;
    /**
     * attributes of calls with this key, over those of the workspace. A caller cannot change them. Default: {}.
     */
    attributes: {
      [k: string]: string;
    };
    /**
     * priority of calls with this key. Critical calls may also use a budget's whenSpent.criticalExtraUsd. Default: "Normal".
     */
    priority: 'Critical' | 'Normal' | 'Deferrable';
  }[];
  /**
   * headers by which a caller names the feature, customer and user of a call, where its credential does not fix them. What is given here replaces the default as a whole; an attribute without a header cannot be set by callers. Default: {"feature":"x-tollgate-feature","customer":"x-tollgate-customer","user":"x-tollgate-user"}.
   */
  headers: {
    /**
     * feature is the header that carries the attribute feature.
     */
    feature?: string;
    /**
     * customer is the header that carries the attribute customer.
     */
    customer?: string;
    /**
     * user is the header that carries the attribute user.
     */
    user?: string;
  };
  /**
   * models that may be called. Default: {}.
   */
  models: {
    /**
     * allow lists the models that may be called; `*` stands for any characters. Default: ["*"].
     */
    allow: string[];
    /**
     * unknown says what happens to a model that the price book does not know - Refuse, or HighestPrice, which books it at the highest price in the book. Default: "Refuse".
     */
    unknown: 'Refuse' | 'HighestPrice';
  };
  /**
   * guards bound a single call, before any budget is asked. Default: {}.
   */
  guards: {
    /**
     * maxRequestUsd refuses a call whose worst case is above it.
     */
    maxRequestUsd?: string;
    /**
     * maxInputTokens refuses a call whose prompt may have more tokens.
     */
    maxInputTokens?: number;
    /**
     * maxOutputTokens lowers max_tokens of a call to this, and refuses it where its thinking budget would no longer fit.
     */
    maxOutputTokens?: number;
    /**
     * maxToolUses lowers max_uses of every tool that Anthropic runs (web search, web fetch, advisor) to this, and sets it where a call leaves it out. Each use may let the model read a full context window again.
     */
    maxToolUses?: number;
    /**
     * unboundedRequestUsd is set aside for a call of which nothing says what it can cost at most (code execution, remote servers, containers, tools without max_uses). Such a call is served only where this is given and every enforcing budget that governs it has a tolerance, and it may cost more than that.
     */
    unboundedRequestUsd?: string;
  };
  /**
   * batches says what becomes of Message Batches, which cost half and whose cost is known hours later. Default: {}.
   */
  batches: {
    /**
     * mode is Refuse, or Allow, which holds the worst case of all requests of a batch in every budget that governs it until its results have been booked. Default: "Refuse".
     */
    mode: 'Refuse' | 'Allow';
  };
  /**
   * refusal shapes the answer to a call whose budget is spent. Default: {}.
   */
  refusal: {
    /**
     * status is the HTTP status - 429 with type budget_exceeded, or 402 with type billing_error. Default: 429.
     */
    status: 402 | 429;
    /**
     * message is added to the sentence that the caller sees, to say whom to ask. Default: "".
     */
    message: string;
  };
  /**
   * suspend refuses every call of the workspace. Default: false.
   */
  suspend: boolean;
}
/**
 * status is what the operator saw last.
 */
export interface ClaudeWorkspaceStatus {
  /**
   * conditions are Accepted, Programmed, Logged and Ready, each with the generation that it speaks of.
   */
  conditions?: Condition[];
  /**
   * keys whose Secret is in place.
   */
  keys?: {
    /**
     * name of the key.
     */
    name: string;
    /**
     * secretName of its Secret.
     */
    secretName: string;
  }[];
  /**
   * keyCount is how many keys are in place.
   */
  keyCount?: number;
  /**
   * budgets that govern calls of the workspace, as namespace/name, sorted; the first 64.
   */
  budgets?: string[];
  /**
   * budgetCount is how many budgets govern calls of the workspace.
   */
  budgetCount?: number;
}
/**
 * ClaudeWorkspace is a feature or a team in an environment - whose Anthropic key pays, who may call, and under which rules.
 */
export interface ClaudeWorkspace {
  apiVersion: 'tollgate.dev/v1alpha1';
  kind: 'ClaudeWorkspace';
  metadata: ObjectMeta;
  spec: ClaudeWorkspaceSpec;
  status?: ClaudeWorkspaceStatus;
}

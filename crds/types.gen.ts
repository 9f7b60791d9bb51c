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
   * observedGeneration is the metadata.generation that the condition describes.
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
 * spec is the desired state.
 */
export interface ClaudeBudgetSpec {
  /**
   * workspaceRef names the ClaudeWorkspace of this namespace whose calls the budget applies to. At most 64 budgets apply to a workspace, the oldest.
   */
  workspaceRef?: {
    /**
     * name of the ClaudeWorkspace.
     */
    name: string;
  };
  /**
   * namespaceSelector makes a spanning budget, which applies to the workspaces of all namespaces whose labels match ({} matches all). Allowed only in the installation's namespace, where tenants cannot edit it. At most 32 apply to a workspace, the oldest. Since tenants write the workspaces and keys that it limits, its scope, per and overrides use only what the platform fixes - namespace, the attributes of the setting namespaceAttributes, and models.
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
   * scope limits the budget to some calls. Every given list must match; in a value `*` stands for any characters. A call whose caller may set an attribute and does not matches every list of that attribute. In a spanning budget only models, and attributes that the installation fixes by labels of namespaces (setting namespaceAttributes; namespace as a tag). Default: {}.
   */
  scope: {
    /**
     * features, one of which must match.
     */
    features?: string[];
    /**
     * customers, one of which must match.
     */
    customers?: string[];
    /**
     * users, one of which must match.
     */
    users?: string[];
    /**
     * departments, one of which must match.
     */
    departments?: string[];
    /**
     * keys of the workspace, by name, one of which must match.
     */
    keys?: string[];
    /**
     * models by any of their names, one of which must match; a pattern means every model with such a name.
     */
    models?: string[];
    /**
     * tags are other attributes, each with values one of which must match.
     */
    tags?: {
      [k: string]: string[];
    };
  };
  /**
   * per gives each value of one or two attributes its own counter and limit, such as [customer]; in a spanning budget also [namespace]. Calls that have no value, such as those that name no customer, share one counter with a limit of its own. Where callers set the attribute, limit.totalUsd is needed - without it the budget is not accepted (Unpooled), and the calls of all callers share one limit, whatever value they name. [session] is a run of Claude Code with its subagents, [session, agent] each of these by itself. Empty means one pool for all calls. Default: [].
   */
  per: string[];
  /**
   * limit is how much may be spent in a period.
   */
  limit: {
    /**
     * usd is the limit of the pool, or with per the limit of each value - US dollars as a quoted string such as "25.00".
     */
    usd: string;
    /**
     * totalUsd is the limit of all values of per together, a quoted string such as "400.00". It is needed where callers set an attribute of per, as each new value has a limit of its own - without it the budget is not accepted, and the calls of all callers share the limit of one value.
     */
    totalUsd?: string;
    /**
     * overrides give single values of per another limit. They apply only where the credential fixes the attribute, never where a caller set it. Default: [].
     */
    overrides: {
      /**
       * values in the order of per, compared exactly.
       */
      values: string[];
      /**
       * usd replaces limit.usd for these values, a quoted string such as "100.00"; "0" lets them spend nothing.
       */
      usd: string;
    }[];
    /**
     * toleranceUsd is how far the worst cases of calls in flight may pass the limit, a quoted string such as "2.50". It admits calls whose worst case is far above their cost. Default: "0".
     */
    toleranceUsd: string;
    /**
     * workspaceReservePercent is, in a budget with namespaceSelector, how much of what is neither spent nor presumed the calls in flight of one workspace may reserve while a call of another workspace waits for room, and those of one namespace while another namespace waits; 50 by default. While nobody else waits, one workspace may reserve all of it.
     */
    workspaceReservePercent?: number;
  };
  /**
   * grants raise the limit of each period while they are in force. Each is identified by its reason and untilTime, so that a person on call can apply one beside those of a GitOps tool. Default: [].
   */
  grants: {
    /**
     * usd is added to the limit, a quoted string such as "10.00".
     */
    usd: string;
    /**
     * fromTime is when the grant begins; without it the grant is in force at once.
     */
    fromTime?: string;
    /**
     * untilTime is when the grant ends.
     */
    untilTime: string;
    /**
     * reason for the grant, for later readers. Two grants that end together need different reasons. Default: "".
     */
    reason: string;
  }[];
  /**
   * period after which the budget starts again at zero, aligned to the calendar of its time zone.
   */
  period: {
    /**
     * every is Hour, Day, Week (from Monday), Month, Quarter, Year, or Once, which starts at startTime and never ends.
     */
    every: 'Hour' | 'Day' | 'Week' | 'Month' | 'Quarter' | 'Year' | 'Once';
    /**
     * timeZone whose calendar the period follows, UTC or a name such as America/New_York. Default: "UTC".
     */
    timeZone: string;
    /**
     * startTime of a budget for Once; earlier spend is not counted.
     */
    startTime?: string;
  };
  /**
   * mode is Enforce, or Observe, which counts calls and what would have been refused, and refuses nothing. Default: "Enforce".
   */
  mode: 'Enforce' | 'Observe';
  /**
   * observeUntilTime ends a pilot - a budget in mode Observe is enforced from then on, with what it has counted. Without it the budget observes until its mode is edited.
   */
  observeUntilTime?: string;
  /**
   * whenSpent says which calls are still admitted when the limit is reached. Default: {}.
   */
  whenSpent: {
    /**
     * exempt calls are counted and never limited. Only attributes that the credential fixes are matched, never those that a caller set.
     */
    exempt?: {
      /**
       * features, one of which must match.
       */
      features?: string[];
      /**
       * customers, one of which must match.
       */
      customers?: string[];
      /**
       * users, one of which must match.
       */
      users?: string[];
      /**
       * departments, one of which must match.
       */
      departments?: string[];
      /**
       * keys of the workspace, by name, one of which must match.
       */
      keys?: string[];
      /**
       * tags are other attributes, each with values one of which must match.
       */
      tags?: {
        [k: string]: string[];
      };
    };
    /**
     * criticalExtraUsd is what keys of priority Critical may spend beyond the limit, a quoted string such as "15.00". Default: "0".
     */
    criticalExtraUsd: string;
  };
  /**
   * disclosure says what the callers of a spanning budget see of it, in refusals, headers and GET /tollgate/v1/budgets - its Name and reset, also the Percent that is used, or all Amounts. Name if absent. Callers see all of budgets that are not spanning.
   */
  disclosure?: 'Name' | 'Percent' | 'Amounts';
  /**
   * suspend refuses every call that the budget applies to. To stop enforcing the budget, set mode to Observe or delete it. Default: false.
   */
  suspend: boolean;
}
/**
 * status has the figures of the budget, as the operator read them last from the ledger.
 */
export interface ClaudeBudgetStatus {
  /**
   * conditions are Accepted, Programmed, Effective, Exhausted and Ready, each with the generation that it describes.
   */
  conditions?: Condition[];
  /**
   * workspace that the budget applies to; for a spanning budget their number, such as "12 workspaces".
   */
  workspace?: string;
  /**
   * state is for display only - OK, Warning from 80 percent, Restricted when some values of per are spent, Spent when all calls are refused, Observing, Suspended, Invalid while the newest generation is not accepted, or Unknown while the ledger does not answer.
   */
  state?: 'OK' | 'Warning' | 'Restricted' | 'Spent' | 'Observing' | 'Suspended' | 'Invalid' | 'Unknown';
  /**
   * period is the current period.
   */
  period?: {
    /**
     * start of the period.
     */
    start: string;
    /**
     * end of the period, which is the start of the next; absent if the period never ends.
     */
    end?: string;
  };
  /**
   * limitUsd is the limit in force, grants included; with per, that of each value without an override.
   */
  limitUsd?: string;
  /**
   * spentUsd is the exact sum that has settled in the period; with per, of all values together.
   */
  spentUsd?: string;
  /**
   * reservedUsd is what calls in flight may still cost, presumedUsd included.
   */
  reservedUsd?: string;
  /**
   * presumedUsd is reserved for calls whose cost is not known, because a gateway died or a connection broke.
   */
  presumedUsd?: string;
  /**
   * correctedUsd is what corrections of calls have given back in the period; negative if they added to it. Of a call that was settled it was part of spentUsd; of one that was presumed it never was, since a correction first books it at its worst case.
   */
  correctedUsd?: string;
  /**
   * remainingUsd is what may still be spent, rounded down to cents; with per, by the fullest value.
   */
  remainingUsd?: string;
  /**
   * percentUsed of the limit, rounded up; with per, that of the fullest value.
   */
  percentUsed?: number;
  /**
   * used is percentUsed for display, such as "82%".
   */
  used?: string;
  /**
   * requests is the number of calls that have settled in the period.
   */
  requests?: number;
  /**
   * refused is the number of calls that the budget refused, because it is spent or because they were too large for what is left.
   */
  refused?: number;
  /**
   * wouldRefuse is the number of calls that mode Enforce would have refused.
   */
  wouldRefuse?: number;
  /**
   * largestCallUsd is what the call may have cost that was last refused as too large for what is left (RequestTooLarge), or in mode Observe would have been; absent if there was none in the period.
   */
  largestCallUsd?: string;
  /**
   * top lists the values of per with the highest spend, in descending order.
   */
  top?: {
    /**
     * values in the order of per.
     */
    values: string[];
    /**
     * spentUsd of these values in the period.
     */
    spentUsd: string;
    /**
     * limitUsd in force of these values, override and grants included.
     */
    limitUsd?: string;
    /**
     * percentUsed of limitUsd, rounded up.
     */
    percentUsed?: number;
  }[];
  /**
   * fullest is the counter that has used most of its limit, of which percentUsed and the printed columns speak; without per the only one.
   */
  fullest?: {
    /**
     * values in the order of per; absent for the counter of all calls.
     */
    values?: string[];
    /**
     * limitUsd in force of that counter.
     */
    limitUsd: string;
    /**
     * spentUsd of that counter in the period.
     */
    spentUsd: string;
  };
}
/**
 * ClaudeBudget is an amount of money, for a scope, in a period. A call needs room in every budget that applies to it.
 */
export interface ClaudeBudget {
  apiVersion: 'tollgate.dev/v1alpha1';
  kind: 'ClaudeBudget';
  metadata: ObjectMeta;
  spec: ClaudeBudgetSpec;
  status?: ClaudeBudgetStatus;
}
/**
 * spec is the desired state.
 */
export interface ClaudeWorkspaceSpec {
  /**
   * upstream is the API that calls are sent to, and the Anthropic API key that pays for them.
   */
  upstream: {
    /**
     * baseURL of the Anthropic API or of a server that speaks it, without /v1. Its origin must be allowed by the installation (setting `upstreams`). Default: "https://api.anthropic.com".
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
    /**
     * headers that every call to the upstream carries, such as anthropic-workspace-id. A caller cannot set or change them. No credential is written here; that is in the Secret of apiKeySecretRef.
     */
    headers?: {
      [k: string]: string;
    };
  };
  /**
   * attributes of every call of this workspace - feature, customer, user, department or any tag. Budgets match and count by them. A caller cannot change them. Default: {}.
   */
  attributes: {
    [k: string]: string;
  };
  /**
   * keys that callers authenticate with. For each, a Secret of this namespace is created with ANTHROPIC_API_KEY and ANTHROPIC_BASE_URL, ready for envFrom. Removing a key revokes it. Default: [].
   */
  keys: {
    /**
     * name of the key, unique in the workspace. Budgets can be scoped to it.
     */
    name: string;
    /**
     * secretName of the Secret that is created for the key; two keys cannot share one. An existing Secret that was not created for this key is never changed.
     */
    secretName: string;
    /**
     * attributes of calls with this key; they override those of the workspace. A caller cannot change them. Default: {}.
     */
    attributes: {
      [k: string]: string;
    };
    /**
     * priority of calls with this key. Critical calls may also use a budget's whenSpent.criticalExtraUsd. Deferrable calls are treated as Normal ones in this version; the usage log tells them apart. Default: "Normal".
     */
    priority: 'Critical' | 'Normal' | 'Deferrable';
  }[];
  /**
   * headers with which a caller sets attributes of a call, where its credential does not fix them. A value here replaces the whole default; an attribute without a header cannot be set by callers. Default: {"feature":"x-tollgate-feature","customer":"x-tollgate-customer","user":"x-tollgate-user"}.
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
    /**
     * department is the header that carries the attribute department.
     */
    department?: string;
    /**
     * tags are other attributes, each with the header that carries it, such as {project: x-tollgate-tag-project}.
     */
    tags?: {
      [k: string]: string;
    };
  };
  /**
   * models that may be called. Default: {}.
   */
  models: {
    /**
     * allow lists the models that may be called, by any of their names; `*` stands for any characters. Default: ["*"].
     */
    allow: string[];
    /**
     * unknown says what happens to calls of a model that the price book does not know - Refuse, or HighestPrice, which prices them at the highest price in the book. Default: "Refuse".
     */
    unknown: 'Refuse' | 'HighestPrice';
    /**
     * restrictions narrow allow for some calls, such as those of a key or a user. A model must be in the list of each restriction that matches the call; none of them allows more than allow does. Default: [].
     */
    restrictions: {
      /**
       * name of the restriction, unique in the workspace. Refusals say it.
       */
      name: string;
      /**
       * match says whose calls are restricted. Every given list must match; in a value `*` stands for any characters. A call whose caller may set an attribute and does not matches every list of that attribute.
       */
      match: {
        /**
         * features, one of which must match.
         */
        features?: string[];
        /**
         * customers, one of which must match.
         */
        customers?: string[];
        /**
         * users, one of which must match.
         */
        users?: string[];
        /**
         * departments, one of which must match.
         */
        departments?: string[];
        /**
         * keys of the workspace, by name, one of which must match.
         */
        keys?: string[];
        /**
         * models by any of their names, one of which must match; the restriction then says which of them stay allowed.
         */
        models?: string[];
        /**
         * tags are other attributes, each with values one of which must match.
         */
        tags?: {
          [k: string]: string[];
        };
      };
      /**
       * allow lists the models that these calls may use, by any of their names, as far as spec.models.allow has them.
       */
      allow: string[];
    }[];
  };
  /**
   * guards limit each single call, before budgets are checked. Default: {}.
   */
  guards: {
    /**
     * maxRequestUsd refuses a call whose worst-case cost is higher, a quoted string such as "1.00".
     */
    maxRequestUsd?: string;
    /**
     * maxInputTokens refuses a call whose prompt may have more tokens; one with a PDF or a web tool may fill the context window.
     */
    maxInputTokens?: number;
    /**
     * maxOutputTokens lowers max_tokens of a call to this value, and refuses the call if its thinking budget would no longer fit.
     */
    maxOutputTokens?: number;
    /**
     * maxToolUses lowers max_uses of every tool that Anthropic runs (web search, web fetch, advisor) to this value, and sets it where a call leaves it out. With each use the model may read a full context window again.
     */
    maxToolUses?: number;
    /**
     * unboundedRequestUsd, a quoted string such as "3.00", is reserved for a call that has no maximum cost (code execution, remote servers, containers, tools without max_uses). Such a call is served only if this is set and every enforcing budget that applies to it has a tolerance; it may cost more than this.
     */
    unboundedRequestUsd?: string;
  };
  /**
   * requests says how requests are read. Default: {}.
   */
  requests: {
    /**
     * unknownFields is Forward, which sends fields, values, blocks and betas that Tollgate does not know as they are and reserves the highest bound for the call, or Refuse. The installation's setting unknownFields may be stricter. Default: "Forward".
     */
    unknownFields: 'Forward' | 'Refuse';
    /**
     * metadataUser is Ignore, or Claim, which takes metadata.user_id of a message for the attribute user, where neither the credential nor a header says it. Not of the requests of a batch, and not what Claude Code writes there, which names a machine and a session. Default: "Ignore".
     */
    metadataUser: 'Ignore' | 'Claim';
  };
  /**
   * batches says whether Message Batches are served. They cost half, and their cost is known hours later. Default: {}.
   */
  batches: {
    /**
     * mode is Refuse, or Allow, which reserves the worst case of all requests of a batch in every budget that applies to it until its results are settled. Default: "Refuse".
     */
    mode: 'Refuse' | 'Allow';
  };
  /**
   * files says whether the Files API is served, and whether requests may name files by file_id. A file belongs to the workspace that uploaded it, or whose call had code make it; another workspace cannot read, list, delete or name it. Default: {}.
   */
  files: {
    /**
     * mode is Refuse, or Allow. Default: "Refuse".
     */
    mode: 'Refuse' | 'Allow';
  };
  /**
   * refusal is how a call is answered whose budget is spent. Default: {}.
   */
  refusal: {
    /**
     * status is the HTTP status - 429 with type budget_exceeded, or 402 with type billing_error. Default: 429.
     */
    status: 402 | 429;
    /**
     * message is appended to the sentence that the caller sees, such as whom to ask. Default: "".
     */
    message: string;
  };
  /**
   * suspend refuses every call of the workspace. Default: false.
   */
  suspend: boolean;
}
/**
 * status is the state that the operator observed last.
 */
export interface ClaudeWorkspaceStatus {
  /**
   * conditions are Accepted, Programmed, Effective, Logged, UpstreamAccepted and Ready, each with the generation that it describes.
   */
  conditions?: Condition[];
  /**
   * keys whose Secret exists.
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
   * keyCount is the number of keys whose Secret exists.
   */
  keyCount?: number;
  /**
   * budgets that apply to calls of the workspace, as namespace/name, sorted; the first 64.
   */
  budgets?: string[];
  /**
   * budgetCount is the number of budgets that apply to calls of the workspace.
   */
  budgetCount?: number;
}
/**
 * ClaudeWorkspace is a feature or a team in an environment - the Anthropic key that pays, the keys that may call, and the rules for their calls.
 */
export interface ClaudeWorkspace {
  apiVersion: 'tollgate.dev/v1alpha1';
  kind: 'ClaudeWorkspace';
  metadata: ObjectMeta;
  spec: ClaudeWorkspaceSpec;
  status?: ClaudeWorkspaceStatus;
}

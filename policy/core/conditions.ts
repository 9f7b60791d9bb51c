/** The closed table of condition reasons: status, metrics and docs/reference/refusals.md come from it. */

import type { Condition } from '../../crds/types.gen.ts';
import { rfc3339 } from './period.ts';
import { escapeText } from './plain-text.ts';

/** The conditions of Tollgate's resources; Exhausted is of budgets only, Logged and UpstreamAccepted of workspaces only. */
export type ConditionType =
  | 'Accepted'
  | 'Programmed'
  | 'Effective'
  | 'Exhausted'
  | 'Logged'
  | 'UpstreamAccepted'
  | 'Ready';

interface Row {
  readonly status: Condition['status'];
  /** For the reference page: when it is set and what to do. */
  readonly meaning: string;
}

const table = {
  Accepted: {
    Accepted: { status: 'True', meaning: 'The resource is valid and compiled.' },
    Invalid: {
      status: 'False',
      meaning: 'A field has an invalid value; the message names the field and what to write.',
    },
    UpstreamNotAllowed: {
      status: 'False',
      meaning: 'spec.upstream.baseURL is not among the upstreams that the installation allows (setting `upstreams`).',
    },
    SecretNotFound: {
      status: 'False',
      meaning: 'The Secret of spec.upstream.apiKeySecretRef does not exist in the namespace of the workspace.',
    },
    SecretTypeWrong: {
      status: 'False',
      meaning: 'The Secret is not of type tollgate.dev/upstream-key, the only type that Tollgate reads.',
    },
    SecretKeyMissing: {
      status: 'False',
      meaning: 'The Secret has no value under the key that spec.upstream.apiKeySecretRef names.',
    },
    SecretConflict: {
      status: 'False',
      meaning:
        'A Secret named in spec.keys exists and was not made for this workspace, or two keys name the same Secret; the Secrets of both are left as they are. Choose another secretName.',
    },
    WorkspaceNotFound: { status: 'False', meaning: 'spec.workspaceRef names no ClaudeWorkspace of this namespace.' },
    SpanningNotAllowed: {
      status: 'False',
      meaning: 'spec.namespaceSelector is allowed only in the namespace of the installation.',
    },
    Unpooled: {
      status: 'False',
      meaning:
        'spec.per names an attribute that callers set, or in a spanning budget one that tenants choose, so that each could open new counters. Set spec.limit.totalUsd. Until then callers of a workspace share the limit of one value.',
    },
    TooLarge: {
      status: 'False',
      meaning:
        'The resource is larger than one may be, or its shard has no room for it. Its last accepted form, if any, stays in force with what this generation suspends, revokes and lowers.',
    },
    TooManyBudgets: {
      status: 'False',
      meaning:
        'At most 64 budgets apply to a workspace: first the 32 oldest spanning ones, then the oldest of its own. This one came later.',
    },
  },
  Programmed: {
    Programmed: {
      status: 'True',
      meaning:
        'Every gateway enforces this generation, and the ledger refuses calls that were planned with an older one.',
    },
    NotAccepted: {
      status: 'False',
      meaning: 'This generation is not accepted; the last accepted one, if any, stays in force.',
    },
    WorkspaceNotAccepted: {
      status: 'False',
      meaning: 'The workspace of the budget was never accepted, so nothing is enforced.',
    },
    Pending: {
      status: 'False',
      meaning: 'A gateway does not enforce this generation yet, or the fence is not written; the message names it.',
    },
  },
  Effective: {
    Effective: { status: 'True', meaning: 'All that the resource names can be matched by a call.' },
    MatchesNothing: {
      status: 'False',
      meaning:
        'The scope, an exemption, `per`, the selector, the allow-list or a restriction names something that no call can have, or calls of a key are matched by no budget or left no model; the message names the nearest name that there is.',
    },
    OverridesUnmatched: {
      status: 'False',
      meaning: 'An override of the limit is for values that no key fixes, so it changes nothing.',
    },
    LimitBelowCall: {
      status: 'False',
      meaning:
        'A limit with its tolerance, or guards.maxRequestUsd, is less than one usual call of the cheapest model may cost (1,000 tokens of prompt, max_tokens of 1,024), so such calls are refused.',
    },
    GrantsExpired: { status: 'False', meaning: 'A grant has ended. Remove it, or write a later untilTime.' },
    NotInForce: { status: 'Unknown', meaning: 'No accepted generation is in force.' },
  },
  Exhausted: {
    WithinLimit: {
      status: 'False',
      meaning: 'The limit is not reached; single calls may be too large for what is left (status.largestCallUsd).',
    },
    Spent: {
      status: 'True',
      meaning:
        'The budget is spent. Calls are refused until the period ends or more money is there, but for small ones that still fit; in mode Observe they would be.',
    },
    ValuesSpent: {
      status: 'True',
      meaning:
        'Some values of spec.per are spent. Their calls are refused until the period ends or more money is there, but for small ones that still fit.',
    },
    LedgerRecovering: {
      status: 'Unknown',
      meaning:
        'Redis was restarted or lost data, and the ledger is recovering; calls wait. See docs/how-to/recover-the-ledger.md.',
    },
    LedgerUnreachable: { status: 'Unknown', meaning: 'Redis did not answer, so the spend is not known.' },
    NotInForce: {
      status: 'Unknown',
      meaning: 'No accepted generation of the budget is in force, so nothing is counted.',
    },
  },
  Logged: {
    Logged: { status: 'True', meaning: 'Usage records reach the usage log within seconds.' },
    LogBehind: {
      status: 'False',
      meaning:
        'The usage stream is at least half full: half of `usageStreamLimit` records wait in Redis for the usage log. When it is full, calls are refused, so that no record is lost.',
    },
    LogUnreachable: {
      status: 'False',
      meaning:
        'The database of the usage log has not answered, or not accepted writes, for a minute. Records wait in Redis and none is lost; when `usageStreamLimit` records wait, calls are refused.',
    },
  },
  UpstreamAccepted: {
    UpstreamAccepted: { status: 'True', meaning: 'No gateway reports that the upstream refuses the upstream key.' },
    UpstreamKeyRefused: {
      status: 'False',
      meaning:
        'The upstream answered 401 or 403 to the upstream key, so that calls are refused with 502. Put a valid key into the Secret that the message names.',
    },
  },
  Ready: {
    Ready: { status: 'True', meaning: 'The resource is accepted and enforced by every gateway.' },
    NotAccepted: { status: 'False', meaning: 'This generation is not accepted; the condition Accepted says why.' },
    NotProgrammed: {
      status: 'False',
      meaning: 'Not every gateway enforces this generation; the condition Programmed says why.',
    },
    NoBudget: {
      status: 'False',
      meaning:
        'No ClaudeBudget applies to the workspace, or none that enforces where the setting requireBudget is Enforcing, so its calls are refused. Create one.',
    },
    UpstreamKeyMissing: {
      status: 'False',
      meaning: 'The Secret with the upstream key is missing, so calls are refused. Create it again.',
    },
    KeySecretDenied: {
      status: 'False',
      meaning:
        'The API server does not let Tollgate write or delete the Secret of a key (a quota, an admission webhook, an immutable Secret); the message says which and why. Other keys work.',
    },
    Suspended: { status: 'False', meaning: 'spec.suspend is true, so calls are refused.' },
  },
} as const satisfies Record<ConditionType, Record<string, Row>>;

export type Reason<T extends ConditionType> = keyof (typeof table)[T] & string;

type AnyReason = { [T in ConditionType]: Reason<T> }[ConditionType];

/** Every condition's reasons with their status and meaning, for the reference page. */
export const conditionReasons: Readonly<Record<ConditionType, Readonly<Record<string, Row>>>> = table;

/** Where the pages of docs/runbooks/conditions can be read. */
const RUNBOOKS = 'https://github.com/tollgate-dev/tollgate/blob/main/docs/runbooks/conditions';

/** Whether a reason asks for somebody: it then has a page in docs/runbooks/conditions. */
export function hasRunbook(type: ConditionType, { status }: Row): boolean {
  return status !== (type === 'Exhausted' ? 'False' : 'True');
}

/** What was found out about one condition: a reason of the table and a sentence. */
export interface Finding<T extends ConditionType> {
  readonly reason: Reason<T>;
  readonly message: string;
  /** The reason whose runbook is linked, where another condition's says more than its own. */
  readonly runbook?: AnyReason;
}

/**
 * A status condition at `now` (milliseconds), with the address of its runbook in the message where it has one; `lastTransitionTime` moves only where the status differs from the one of
 * its type in `previous`.
 */
export function condition<T extends ConditionType>(
  type: T,
  finding: Finding<T>,
  generation: number,
  now: number,
  previous: readonly Pick<Condition, 'type' | 'status' | 'lastTransitionTime'>[],
): Condition {
  const row = conditionReasons[type][finding.reason]!;
  const before = previous.find((one) => one.type === type && one.status === row.status);
  const runbook = hasRunbook(type, row) ? ` See ${RUNBOOKS}/${finding.runbook ?? finding.reason}.md` : '';
  return {
    type,
    status: row.status,
    reason: finding.reason,
    message: `${escapeText(finding.message).slice(0, MAX_MESSAGE - runbook.length)}${runbook}`,
    observedGeneration: generation,
    lastTransitionTime: before?.lastTransitionTime ?? rfc3339(now),
  };
}

/** The longest message that the CRDs allow. */
const MAX_MESSAGE = 4096;

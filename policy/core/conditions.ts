/** The closed table of condition reasons: status, metrics and docs/reference/refusals.md come from it. */

import type { Condition } from '../../crds/types.gen.ts';
import { rfc3339 } from './time.ts';

/** The conditions of Tollgate's resources; Exhausted is of budgets only, Logged of workspaces only. */
export type ConditionType = 'Accepted' | 'Programmed' | 'Exhausted' | 'Logged' | 'Ready';

/** What a reason says. */
interface Row {
  readonly status: Condition['status'];
  /** For the reference page: when it is set and what to do. */
  readonly meaning: string;
}

const table = {
  Accepted: {
    Accepted: { status: 'True', meaning: 'The resource is valid and compiled.' },
    Invalid: { status: 'False', meaning: 'A field has a value that the policy cannot use; the message names it.' },
    UpstreamNotAllowed: {
      status: 'False',
      meaning: 'spec.upstream.baseURL is not on the allow-list of the installation (setting `upstreams`).',
    },
    SecretNotFound: {
      status: 'False',
      meaning: 'The Secret of spec.upstream.apiKeySecretRef does not exist in the namespace of the workspace.',
    },
    SecretTypeWrong: {
      status: 'False',
      meaning: 'The Secret is not of type tollgate.dev/upstream-key; no other Secret is read.',
    },
    SecretKeyMissing: {
      status: 'False',
      meaning: 'The Secret has no value under the key that spec.upstream.apiKeySecretRef names.',
    },
    SecretConflict: {
      status: 'False',
      meaning:
        'A Secret that spec.keys asks for exists and was not made for this workspace, or two keys ask for the same one. Choose another secretName.',
    },
    WorkspaceNotFound: { status: 'False', meaning: 'spec.workspaceRef names no ClaudeWorkspace of this namespace.' },
    SpanningNotAllowed: {
      status: 'False',
      meaning: 'spec.namespaceSelector is only allowed in the namespace of the installation.',
    },
    Unpooled: {
      status: 'False',
      meaning:
        'spec.per counts by an attribute that callers set by header, so each could open a fresh counter. Set spec.limit.totalUsd.',
    },
  },
  Programmed: {
    Programmed: {
      status: 'True',
      meaning: 'Every gateway enforces this generation, and the ledger refuses calls that an older one planned.',
    },
    NotAccepted: {
      status: 'False',
      meaning: 'This generation is not accepted; the last accepted one, if any, stays in force.',
    },
    WorkspaceNotAccepted: {
      status: 'False',
      meaning: 'The workspace that the budget names was never accepted, so nothing is enforced.',
    },
    Pending: {
      status: 'False',
      meaning: 'Some gateway does not enforce this generation yet, or the fence is not written; the message names it.',
    },
  },
  Exhausted: {
    WithinLimit: { status: 'False', meaning: 'There is money left.' },
    Spent: {
      status: 'True',
      meaning: 'Calls are refused, or in mode Observe would be, until the period ends or the limit rises.',
    },
    ValuesSpent: {
      status: 'True',
      meaning: 'Calls of some values of spec.per are refused until the period ends or the limit rises.',
    },
    LedgerRecovering: {
      status: 'Unknown',
      meaning:
        'The ledger came back without something that was written, and is being made whole; calls wait. See docs/how-to/recover-the-ledger.md.',
    },
    LedgerUnreachable: { status: 'Unknown', meaning: 'The ledger did not answer, so what is spent is not known.' },
    NotInForce: { status: 'Unknown', meaning: 'Nothing of this budget is in force, so nothing is counted.' },
  },
  Logged: {
    Logged: { status: 'True', meaning: 'What calls cost is in the usage log within seconds.' },
    LogBehind: {
      status: 'False',
      meaning:
        'Half of the records that may wait in the ledger (setting `usageStreamLimit`) wait for the log. At the bound calls are refused, so that none is lost.',
    },
    LogUnreachable: {
      status: 'False',
      meaning:
        'The database of the usage log has not answered, or taken no writes, for a minute. Records wait in the ledger; nothing is lost until its bound is reached, and then calls are refused.',
    },
  },
  Ready: {
    Ready: { status: 'True', meaning: 'Accepted and programmed.' },
    NotAccepted: { status: 'False', meaning: 'See the condition Accepted.' },
    NotProgrammed: { status: 'False', meaning: 'See the condition Programmed.' },
    NoBudget: {
      status: 'False',
      meaning: 'No enforcing ClaudeBudget governs the workspace, so its calls are refused. Create one.',
    },
    UpstreamKeyMissing: {
      status: 'False',
      meaning: 'The Secret with the upstream key of the policy in force is gone, so calls are refused.',
    },
    Suspended: { status: 'False', meaning: 'spec.suspend is true, so calls are refused.' },
  },
} as const satisfies Record<ConditionType, Record<string, Row>>;

/** The reasons of a condition. */
export type Reason<T extends ConditionType> = keyof (typeof table)[T] & string;

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
  const runbook = hasRunbook(type, row) ? ` See ${RUNBOOKS}/${finding.reason}.md` : '';
  return {
    type,
    status: row.status,
    reason: finding.reason,
    message: `${finding.message.slice(0, MAX_MESSAGE - runbook.length)}${runbook}`,
    observedGeneration: generation,
    lastTransitionTime: before?.lastTransitionTime ?? rfc3339(now),
  };
}

/** The longest message that the CRDs allow. */
const MAX_MESSAGE = 4096;

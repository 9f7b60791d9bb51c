import type { ClaudeBudgetStatus, ClaudeWorkspaceStatus, Condition } from '../../crds/types.gen.ts';
import type { EventDetails } from '../../kube/events.ts';
import { usdAtLeast, usdOrNull, ZERO } from '../../policy/core/money.ts';

type Status = Pick<
  ClaudeBudgetStatus & ClaudeWorkspaceStatus,
  'conditions' | 'period' | 'state' | 'spentUsd' | 'limitUsd'
>;

/** One Event for each change of a condition that somebody may be waiting for or should act on, and for the end of a pilot. */
export function statusEvents(before: Status | undefined, after: Status): EventDetails[] {
  const changed = (after.conditions ?? []).filter((now) => isReported(find(before, now.type), now));
  return [
    ...changed.flatMap((now) => eventsOf(now, find(before, now.type), before?.period?.start !== after.period?.start)),
    ...(before?.state === 'Observing' && ENFORCED.has(after.state ?? '') ? [enforcementBegan(after)] : []),
  ];
}

/** The states of a budget that is enforced and not suspended. */
const ENFORCED: ReadonlySet<string> = new Set(['OK', 'Warning', 'Restricted', 'Spent']);

function enforcementBegan({ spentUsd, limitUsd }: Status): EventDetails {
  const note = `The budget no longer observes: it is enforced, with the $${usdAtLeast(usdOrNull(spentUsd ?? '') ?? ZERO)} of $${limitUsd} that it has counted.`;
  return { type: 'Normal', reason: 'EnforcementBegan', action: 'Watch', note };
}

/** By type and status of a condition. */
const EVENTS: Readonly<Record<string, Omit<EventDetails, 'note'>>> = {
  'Accepted False': { type: 'Warning', reason: 'PolicyRejected', action: 'Compile' },
  'Programmed True': { type: 'Normal', reason: 'PolicyProgrammed', action: 'Program' },
  'Effective False': { type: 'Warning', reason: 'Ineffective', action: 'Watch' },
  'Logged False': { type: 'Warning', reason: 'UsageAtRisk', action: 'Log' },
  'UpstreamAccepted False': { type: 'Warning', reason: 'UpstreamKeyRefused', action: 'Watch' },
  'Exhausted True': { type: 'Warning', reason: 'BudgetExhausted', action: 'Watch' },
};

/** What ends a state that had its Event. */
const ENDS: Readonly<Record<string, { readonly after: string; readonly event: Omit<EventDetails, 'note'> }>> = {
  'Logged True': { after: 'False', event: { type: 'Normal', reason: 'UsageLogged', action: 'Log' } },
  'UpstreamAccepted True': {
    after: 'False',
    event: { type: 'Normal', reason: 'UpstreamKeyAccepted', action: 'Watch' },
  },
  'Exhausted False': { after: 'True', event: { type: 'Normal', reason: 'BudgetRecovered', action: 'Watch' } },
};

function eventsOf(now: Condition, before: Condition | undefined, isNewPeriod: boolean): EventDetails[] {
  const { message: note } = now;
  const name = `${now.type} ${now.status}`;
  const begun = EVENTS[name];
  if (begun !== undefined) return [{ ...begun, note }];
  const end = ENDS[name];
  if (end === undefined || before?.status !== end.after) return [];
  const isReset = isNewPeriod && now.type === 'Exhausted';
  return [{ ...end.event, note, ...(isReset ? { reason: 'BudgetReset' } : {}) }];
}

/** Whether the condition's status changed, a new generation ended with the same status, or after some values all are spent. */
function isReported(before: Condition | undefined, now: Condition): boolean {
  if (before?.status !== now.status) return true;
  if (now.type === 'Exhausted') return before.reason === 'ValuesSpent' && now.reason === 'Spent';
  return before.observedGeneration !== now.observedGeneration;
}

function find(status: Status | undefined, type: string): Condition | undefined {
  return status?.conditions?.find((one) => one.type === type);
}

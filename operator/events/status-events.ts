import type { ClaudeBudgetStatus, ClaudeWorkspaceStatus, Condition } from '../../crds/types.gen.ts';
import type { EventDetails } from '../../kube/events.ts';

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
  const note = `The budget no longer observes: it is enforced, with the $${spentUsd} of $${limitUsd} that it has counted.`;
  return { type: 'Normal', reason: 'EnforcementBegan', action: 'Watch', note };
}

function eventsOf(now: Condition, before: Condition | undefined, isNewPeriod: boolean): EventDetails[] {
  const { message: note } = now;
  switch (`${now.type} ${now.status}`) {
    case 'Accepted False':
      return [{ type: 'Warning', reason: 'PolicyRejected', action: 'Compile', note }];
    case 'Programmed True':
      return [{ type: 'Normal', reason: 'PolicyProgrammed', action: 'Program', note }];
    case 'Effective False':
      return [{ type: 'Warning', reason: 'Ineffective', action: 'Watch', note }];
    case 'Logged False':
      return [{ type: 'Warning', reason: 'UsageAtRisk', action: 'Log', note }];
    case 'Logged True':
      return before?.status === 'False' ? [{ type: 'Normal', reason: 'UsageLogged', action: 'Log', note }] : [];
    case 'Exhausted True':
      return [{ type: 'Warning', reason: 'BudgetExhausted', action: 'Watch', note }];
    case 'Exhausted False':
      if (before?.status !== 'True') return [];
      return [{ type: 'Normal', reason: isNewPeriod ? 'BudgetReset' : 'BudgetRecovered', action: 'Watch', note }];
    default:
      return [];
  }
}

/** Whether the condition's status changed, or a new generation ended with the same status. */
function isReported(before: Condition | undefined, now: Condition): boolean {
  if (before?.status !== now.status) return true;
  return now.type !== 'Exhausted' && before.observedGeneration !== now.observedGeneration;
}

function find(status: Status | undefined, type: string): Condition | undefined {
  return status?.conditions?.find((one) => one.type === type);
}

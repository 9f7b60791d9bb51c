import type { Condition } from '../../crds/types.gen.ts';
import { deepEqual } from '../../policy/core/deep-equal.ts';
import { parseUsd, usdOrNull } from '../../policy/core/money.ts';
import type { Status } from './status-planner.ts';

/** An object whose wanted status differs from the written one. Times in milliseconds of a monotonic clock. */
export interface StatusChange {
  readonly uid: string;
  /** A condition, the state, the limit or the period changed: written at once. Otherwise only figures did. */
  readonly isUrgent: boolean;
  /** The spend moved by 1 % of the limit or more. */
  readonly isLarge: boolean;
  /** When the object's status was last written; -Infinity for never. */
  readonly writtenAt: number;
}

/** Null where the written status is the wanted one. */
export function statusChange(
  uid: string,
  written: Status | undefined,
  wanted: Status,
  writtenAt: number,
): StatusChange | null {
  if (deepEqual(written, wanted)) return null;
  const isUrgent = !isPending(wanted) && !deepEqual(urgentFields(written), urgentFields(wanted));
  return { uid, isUrgent, isLarge: isLargeMove(written, wanted), writtenAt };
}

/** A rollout that is still under way is not urgent: its outcome follows soon and is worth more. */
function isPending({ conditions = [] }: Status): boolean {
  return conditions.some(({ type, reason }) => type === 'Programmed' && reason === 'Pending');
}

/** A condition's message is not among them: it may hold figures. */
function urgentFields(status: Status | undefined): unknown {
  const { conditions = [], state, period, limitUsd, workspace, keys, budgetCount } = status ?? {};
  const short = ({ type, status, reason, observedGeneration }: Condition) => [type, status, reason, observedGeneration];
  return { conditions: conditions.map(short), state, period, limitUsd, workspace, keys, budgetCount };
}

function isLargeMove(before: Status | undefined, after: Status): boolean {
  if (before?.spentUsd === undefined || after.spentUsd === undefined || after.limitUsd === undefined) return true;
  const known = usdOrNull(before.spentUsd);
  if (known === null) return true; // somebody else wrote it
  const move = parseUsd(after.spentUsd) - known;
  return (move < 0n ? -move : move) * 100n >= parseUsd(after.limitUsd);
}

import type { Reservation } from '../../ledger/reservation.ts';
import type { CallPlan } from '../../policy/admit/plan.ts';
import { refOf } from '../../policy/core/compiled-policy.ts';
import { subtract } from '../../policy/core/money.ts';
import type { ReadCall } from '../http/call.ts';

export function planToReservation({ id, caller }: ReadCall, plan: CallPlan): Reservation {
  const { workspace } = caller;
  const { worstNano, reservedNano, from, until, checks } = plan;
  return {
    id,
    workspace: refOf(workspace),
    version: workspace.version,
    worstNano: reservedNano,
    gapNano: subtract(worstNano, reservedNano),
    from,
    until,
    checks,
  };
}

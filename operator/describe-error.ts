import { KubeError } from '../kube/kube-error.ts';
import { LedgerUnreachable } from '../ledger/ledger.ts';
import { LogUnreachable } from '../log/database/database.ts';
import { GatewayTooOld } from './policy/gateway-compat.ts';

/** In one line where the outside world is at fault, with its stack where it is a fault of ours. */
export function describeError(error: unknown): string | undefined {
  const isOutside = [KubeError, LedgerUnreachable, LogUnreachable, GatewayTooOld].some((kind) => error instanceof kind);
  if (error instanceof Error && isOutside) return error.message;
  return error instanceof Error ? error.stack : String(error);
}

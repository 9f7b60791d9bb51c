import { KubeError } from '../kube/kube-error.ts';
import { LedgerUnreachable } from '../ledger/ledger.ts';
import { LogUnreachable } from '../log/database/database.ts';
import { GatewayTooOld } from './policy/gateway-compat.ts';

/** The message of an error that comes from outside this process, and the stack of any other. */
export function describeError(error: unknown): string | undefined {
  const isExternal = [KubeError, LedgerUnreachable, LogUnreachable, GatewayTooOld].some(
    (kind) => error instanceof kind,
  );
  if (error instanceof Error && isExternal) return error.message;
  return error instanceof Error ? error.stack : String(error);
}

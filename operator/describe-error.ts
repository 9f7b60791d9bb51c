import { KubeError } from '../kube/kube-error.ts';
import { LedgerUnreachable } from '../ledger/ledger.ts';
import { LogUnreachable } from '../log/database/database.ts';
import { GatewayTooOld } from './policy/policy-reconciler.ts';

const EXTERNAL = [KubeError, LedgerUnreachable, LogUnreachable, GatewayTooOld];

/** The message of an error that comes from outside this process, and the stack of any other. */
export function describeError(error: unknown): string | undefined {
  if (!(error instanceof Error)) return String(error);
  return EXTERNAL.some((kind) => error instanceof kind) ? error.message : error.stack;
}

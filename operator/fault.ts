import { KubeProblem } from '../kube/problem.ts';
import { LedgerUnreachable } from '../ledger/ledger.ts';
import { LogUnreachable } from '../log/database.ts';
import { ReaderTooOld } from './readers.ts';

/** In one line where the outside world is at fault, with its stack where it is a fault of ours. */
export function described(error: unknown): string | undefined {
  const isOutside = [KubeProblem, LedgerUnreachable, LogUnreachable, ReaderTooOld].some(
    (kind) => error instanceof kind,
  );
  if (error instanceof Error && isOutside) return error.message;
  return error instanceof Error ? error.stack : String(error);
}

import { setTimeout as sleep } from 'node:timers/promises';
import { LedgerUnreachable } from '../../ledger/ledger.ts';
import type { Settings } from '../../policy/config/settings.ts';
import { type Refusal, refusalFor } from '../../policy/refusals/refusals.ts';
import type { Clocks } from '../http/call.ts';

/** How soon the ledger is asked again when it did not answer. Milliseconds. */
const RETRY_MS = 250;

export interface LedgerPatience extends Pick<Clocks, 'elapsed'> {
  readonly settings: Pick<Settings, 'waitSeconds'>;
}

/** Asks again for as long as a call waits for the ledger. Rejects with LedgerUnreachable after that. */
export async function retryLedger<T>(ask: () => Promise<T>, { settings, elapsed }: LedgerPatience): Promise<T> {
  const deadline = elapsed() + settings.waitSeconds * 1000;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof LedgerUnreachable) || elapsed() >= deadline) throw error;
      await sleep(RETRY_MS);
    }
  }
}

/** What `serve` resolves to, or the refusal of a call whose ledger does not answer. */
export async function orUnreachable<T>(serve: () => Promise<T>): Promise<T | Refusal> {
  try {
    return await serve();
  } catch (error) {
    if (error instanceof LedgerUnreachable) return refusalFor('LedgerUnreachable');
    throw error;
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import { type GatewayLedger, LedgerUnreachable, type Settlement, type UsageRecord } from '../ledger/ledger.ts';

/** How soon what did not reach the ledger is sent again. */
const RETRY_MS = 500;
/** Calls that end within so short a time are told together: one write instead of many. Nobody waits for it. */
const GATHER_MS = 2;

interface Parts {
  readonly ledger: GatewayLedger;
  /** A call's reservation is replaced by what it cost, or is gone; `lines` may have room now. */
  readonly onEnded: (id: string, lines: readonly string[]) => void;
  /** The ledger will never take it: the reservation, if it has one, stays as it is. */
  readonly onRejected: (id: string, error: unknown) => void;
}

interface Pending {
  readonly id: string;
  readonly lines: readonly string[];
  readonly send: () => Promise<unknown>;
}

/**
 * Ends reservations. What the ledger cannot take now is kept and sent until it does: it is money, and both operations
 * change nothing the second time.
 */
export class Settler {
  readonly #parts: Parts;
  readonly #pending = new Map<string, Pending>();
  #gathering: Promise<void> | null = null;
  #retrying: Promise<void> | null = null;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** How many calls have ended that the ledger does not know of yet. */
  get pendingCount(): number {
    return this.#pending.size;
  }

  /** Books a call. Resolves once the ledger has taken it, or has been found out of reach. */
  settle(settlement: Settlement, lines: readonly string[]): Promise<void> {
    const { ledger, onRejected } = this.#parts;
    const send = async (): Promise<void> => {
      const answer = await ledger.settle(settlement);
      if (answer === 'unknown') onRejected(settlement.id, new Error('the ledger knows no such reservation'));
    };
    return this.#end({ id: settlement.id, lines, send });
  }

  /**
   * Gives a reservation back: only for what was never sent, or was answered with an error status. With a `record` the
   * log hears of the call.
   */
  release(id: string, lines: readonly string[] = [], record?: UsageRecord): Promise<void> {
    const { ledger } = this.#parts;
    const send = async () => {
      await ledger.release(id);
      if (record !== undefined) void ledger.noteFree(record).catch(() => {});
    };
    return this.#end({ id, lines, send });
  }

  /** Resolves when nothing is left to tell the ledger. */
  async drained(): Promise<void> {
    while (this.#pending.size > 0) await (this.#retrying ?? sleep(RETRY_MS));
  }

  async #end(pending: Pending): Promise<void> {
    this.#pending.set(pending.id, pending);
    await (this.#gathering ??= this.#gather());
    if (!(await this.#try(pending))) this.#retrying ??= this.#retry();
  }

  async #gather(): Promise<void> {
    await sleep(GATHER_MS);
    this.#gathering = null;
  }

  /** False where it has to be sent again. */
  async #try({ id, lines, send }: Pending): Promise<boolean> {
    try {
      await send();
      this.#pending.delete(id);
      this.#parts.onEnded(id, lines);
    } catch (error) {
      if (error instanceof LedgerUnreachable) return false;
      this.#pending.delete(id);
      this.#parts.onRejected(id, error);
    }
    return true;
  }

  async #retry(): Promise<void> {
    while (this.#pending.size > 0) {
      await sleep(RETRY_MS);
      for (const pending of this.#pending.values()) if (!(await this.#try(pending))) break;
    }
    this.#retrying = null;
  }
}

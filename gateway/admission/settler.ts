import { setTimeout as sleep } from 'node:timers/promises';
import type { BatchReservation } from '../../ledger/batches.ts';
import { type UncheckedCall, type GatewayLedger, LedgerUnreachable } from '../../ledger/ledger.ts';
import type { Reservation, Settlement } from '../../ledger/ledger.ts';
import type { UsageRecord } from '../../policy/core/usage-record.ts';
import type { WriteAheadLog } from './write-ahead-log.ts';

/** How soon what did not reach the ledger is sent again. */
const RETRY_MS = 500;
/** Calls that end within so short a time are told together: one write instead of many. Nobody waits for it. */
const GATHER_MS = 2;
/** How many are sent again at once. */
const RETRY_CHUNK = 100;

interface Parts {
  readonly ledger: GatewayLedger;
  /** Knows the calls that were admitted without the ledger. */
  readonly daybook: WriteAheadLog;
  /** A call's reservation is replaced by what it cost, or is gone; `lines` may have room now. */
  readonly onEnded: (id: string, lines: readonly string[]) => void;
  /** The ledger will never take it: the reservation, if it has one, stays as it is. */
  readonly onRejected: (id: string, error: unknown) => void;
  /** What it cost is not in the daybook; should this process die before the ledger is back, the worst is presumed. */
  readonly onUnwritten: (id: string, error: unknown) => void;
}

interface Pending {
  readonly id: string;
  readonly lines: readonly string[];
  readonly send: () => Promise<unknown>;
  /** What is done where the ledger could not take it at once. */
  readonly onDelayed?: () => Promise<void>;
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

  /**
   * Books a call. Resolves once the ledger has taken it, or has been found out of reach. With the `reservation` it
   * outlives this process meanwhile.
   */
  async settle(settlement: Settlement, lines: readonly string[], reservation?: Reservation): Promise<void> {
    const { ledger, daybook, onRejected } = this.#parts;
    const { id } = settlement;
    const unchecked = daybook.find(id);
    if (unchecked !== undefined) {
      await this.#writeDown(id, daybook.end(id, settlement));
      return this.book({ reservation: unchecked, settlement }, lines);
    }
    const send = async (): Promise<void> => {
      const answer = await ledger.settle(settlement);
      if (answer === 'unknown') onRejected(id, new Error('the ledger knows no such reservation'));
    };
    if (reservation === undefined) return this.#end({ id, lines, send });
    const onDelayed = () => this.#writeDown(id, daybook.keep(reservation, settlement));
    return this.#end({ id, lines, send, onDelayed });
  }

  /** Hands a reservation over to a batch, which is booked from its results. Resolves as `settle` does. */
  adopt(adoption: BatchReservation, lines: readonly string[]): Promise<void> {
    const { ledger, onRejected } = this.#parts;
    const send = async (): Promise<void> => {
      const answer = await ledger.openBatch(adoption);
      if (answer === 'unknown') onRejected(adoption.id, new Error('the ledger knows no such reservation'));
    };
    return this.#end({ id: adoption.id, lines, send });
  }

  /**
   * Gives a reservation back: only for what was never sent, or was answered with an error status. With a `record` the
   * log hears of the call.
   */
  async release(id: string, lines: readonly string[] = [], record?: UsageRecord): Promise<void> {
    const { ledger, daybook } = this.#parts;
    if (daybook.find(id) !== undefined) await this.#writeDown(id, daybook.end(id, null));
    const send = async () => {
      await ledger.release(id);
      if (record !== undefined) void ledger.appendFreeUsage(record).catch(() => {});
    };
    return this.#end({ id, lines, send });
  }

  /** Books a call that was admitted without the ledger. */
  book(booking: UncheckedCall, lines: readonly string[] = []): Promise<void> {
    return this.#end({ id: booking.reservation.id, lines, send: () => this.#parts.ledger.settleUnchecked(booking) });
  }

  /** Resolves when nothing is left to tell the ledger. */
  async drained(): Promise<void> {
    while (this.#pending.size > 0) await (this.#retrying ?? sleep(RETRY_MS));
  }

  async #end(pending: Pending): Promise<void> {
    this.#pending.set(pending.id, pending);
    await (this.#gathering ??= this.#gather());
    if (await this.#try(pending)) return;
    if (this.#pending.has(pending.id)) await pending.onDelayed?.();
    this.#retrying ??= this.#retry();
  }

  /** Where the disk does not take it, only this process knows what the call cost. */
  #writeDown(id: string, written: Promise<void>): Promise<void> {
    return written.catch((error: unknown) => this.#parts.onUnwritten(id, error));
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
      const waiting = [...this.#pending.values()];
      let isTaken = true;
      for (let at = 0; isTaken && at < waiting.length; at += RETRY_CHUNK) {
        const tried = await Promise.all(waiting.slice(at, at + RETRY_CHUNK).map((pending) => this.#try(pending)));
        isTaken = !tried.includes(false);
      }
    }
    this.#retrying = null;
  }
}

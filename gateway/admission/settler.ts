import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { GatewayLedger } from '../../ledger/gateway-ledger.ts';
import { LedgerUnreachable } from '../../ledger/ledger.ts';
import type { BatchReservation } from '../../ledger/message-batches.ts';
import type { Reservation, Settlement, UncheckedCall } from '../../ledger/reservation.ts';
import type { CallRecord } from '../../policy/core/usage-record.ts';
import type { WriteAheadLog } from './write-ahead-log.ts';

/** Time before what did not reach the ledger is sent again. Milliseconds. */
const RETRY_MS = 500;
/** Calls that end within so short a time are sent together: one write instead of many. Milliseconds. */
const GATHER_MS = 2;
/** How many are sent again at once. */
const RETRY_CHUNK = 100;

interface Parts {
  readonly ledger: GatewayLedger;
  /** Holds the unchecked calls. */
  readonly writeAheadLog: WriteAheadLog;
  /** A call leaves it once it is settled or released. */
  readonly openCalls: Set<string>;
  /** Is told the wait queues of a call that was settled or released: their counters may have room. */
  readonly onEnded: (queues: readonly string[]) => void;
  readonly freeUsage: { append(record: CallRecord): Promise<void> };
  readonly logger: Logger;
}

const UNKNOWN = 'the ledger knows no such reservation';

interface Pending {
  readonly id: string;
  /** The queues of its counters, which may have room afterwards. */
  readonly queues: readonly string[];
  readonly send: () => Promise<unknown>;
  /** Runs if the ledger could not take it at once. */
  readonly onDelayed?: () => Promise<void>;
}

/** Ends reservations. What the ledger cannot take now is sent until it does; a second time it changes nothing. */
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
   * Settles a call. Resolves once the ledger has taken it, or has been found out of reach. With the `reservation` the
   * settlement goes to the write-ahead log meanwhile, so that it outlives this process.
   */
  async settle(settlement: Settlement, queues: readonly string[], reservation?: Reservation): Promise<void> {
    const { ledger, writeAheadLog } = this.#parts;
    const { id } = settlement;
    const unchecked = writeAheadLog.find(id);
    if (unchecked !== undefined) {
      await this.#keep(id, writeAheadLog.end(id, settlement));
      return this.settleUnchecked({ reservation: unchecked, settlement }, queues);
    }
    const send = async (): Promise<void> => {
      if ((await ledger.settle(settlement)) === 'unknown') this.#reject(id, new Error(UNKNOWN));
    };
    if (reservation === undefined) return this.#end({ id, queues, send });
    const onDelayed = () => this.#keep(id, writeAheadLog.keep(reservation, settlement));
    return this.#end({ id, queues, send, onDelayed });
  }

  /** Hands a reservation over to a batch, which is settled from its results. Resolves as `settle` does. */
  openBatch(batch: BatchReservation, queues: readonly string[]): Promise<void> {
    const { id } = batch;
    const send = async (): Promise<void> => {
      if ((await this.#parts.ledger.openBatch(batch)) === 'unknown') this.#reject(id, new Error(UNKNOWN));
    };
    return this.#end({ id, queues, send });
  }

  /** Releases a call that was never sent or got an error status. With a `record` the usage log hears of the call. */
  async release(id: string, queues: readonly string[] = [], record?: CallRecord): Promise<void> {
    const { ledger, writeAheadLog, freeUsage } = this.#parts;
    if (writeAheadLog.find(id) !== undefined) await this.#keep(id, writeAheadLog.end(id, null));
    const send = async () => {
      await ledger.release(id);
      if (record !== undefined) void freeUsage.append(record);
    };
    return this.#end({ id, queues, send });
  }

  /** Settles a call that was admitted without the ledger. */
  settleUnchecked(call: UncheckedCall, queues: readonly string[] = []): Promise<void> {
    return this.#end({ id: call.reservation.id, queues, send: () => this.#parts.ledger.settleUnchecked(call) });
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

  /** If the disk does not take it and this process dies before the ledger is back, the worst case is presumed. */
  #keep(id: string, written: Promise<void>): Promise<void> {
    return written.catch((err: unknown) =>
      this.#parts.logger.error({ id, err }, 'the cost of this call could not be written to the write-ahead log'),
    );
  }

  /** The ledger will never take it: the reservation, if there is one, stays as it is. */
  #reject(id: string, err: unknown): void {
    this.#parts.logger.error({ id, err }, 'the ledger rejected the settlement of this call');
  }

  async #gather(): Promise<void> {
    await sleep(GATHER_MS);
    this.#gathering = null;
  }

  /** False if it has to be sent again. */
  async #try({ id, queues, send }: Pending): Promise<boolean> {
    const { writeAheadLog, openCalls, onEnded } = this.#parts;
    try {
      await send();
      this.#pending.delete(id);
      writeAheadLog.forget(id);
      openCalls.delete(id);
      onEnded(queues);
    } catch (error) {
      if (error instanceof LedgerUnreachable) return false;
      this.#pending.delete(id);
      this.#reject(id, error);
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

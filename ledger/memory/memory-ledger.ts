/**
 * The twin of `RedisLedger`: the same meaning in plain TypeScript, to be read as the specification and to stand in for
 * Redis in tests. A property test holds the two against each other.
 */

import type { UsageRecord } from '../../policy/core/usage-record.ts';
import type { BatchReservation, BatchOwner } from '../batches.ts';
import { MAX_REFUSAL_ROWS } from '../keys.ts';
import { DEFAULT_USAGE_LIMIT } from '../ledger.ts';
import type { BeatAnswer, UncheckedCall, GatewayLedger, GatewayReport } from '../ledger.ts';
import type { Reservation, ReserveAnswer, SettleAnswer, Settlement } from '../ledger.ts';
import { LedgerSession } from '../session/session.ts';
import type { RefusalRow } from '../streams.ts';
import { type MemoryOptions, MemoryOperatorLedger } from './operator-ledger.ts';
import { MemoryTransport } from './transport.ts';

/** A ledger in this process's memory. */
export class MemoryLedger extends MemoryOperatorLedger implements GatewayLedger {
  readonly #member: LedgerSession;

  constructor(options: MemoryOptions) {
    super(options);
    const { books, calls, line } = this;
    const usageLimit = options.usageLimit ?? DEFAULT_USAGE_LIMIT;
    const steps = new MemoryTransport({ books, calls, line, now: () => this.now(), usageLimit });
    this.#member = new LedgerSession(options.epoch, steps);
  }

  begin(incarnation: string): void {
    this.#member.author.begin(incarnation);
  }

  reserve(reservation: Reservation): Promise<ReserveAnswer> {
    return this.#member.reserve(reservation);
  }

  settle(settlement: Settlement): Promise<SettleAnswer> {
    return this.#member.end(settlement.id, { kind: 'settle', settlement });
  }

  release(id: string): Promise<SettleAnswer> {
    return this.#member.end(id, { kind: 'release', id });
  }

  settleUnchecked(booking: UncheckedCall): Promise<SettleAnswer> {
    return this.#member.end(booking.reservation.id, { kind: 'book', booking });
  }

  openBatch(adoption: BatchReservation): Promise<SettleAnswer> {
    return this.#member.end(adoption.id, { kind: 'adopt', adoption });
  }

  async batchOwners(batches: readonly string[]): Promise<readonly (BatchOwner | null)[]> {
    this.now();
    return batches.map((batch) => {
      const owner = this.books.owners.get(batch);
      return owner === undefined ? null : { workspace: owner.workspace, settled: owner.settled };
    });
  }

  async appendFreeUsage(record: UsageRecord): Promise<void> {
    this.books.usage.push({ entry: this.books.nextEntry(), record, counters: [], keepUntil: 0 });
  }

  async appendRefusals(rows: readonly RefusalRow[]): Promise<void> {
    const { books } = this;
    const entries = rows.map((row) => ({ entry: books.nextEntry(), row }));
    books.refusals = [...books.refusals, ...entries].slice(-MAX_REFUSAL_ROWS);
  }

  beat(report: GatewayReport): Promise<BeatAnswer> {
    return this.#member.beat(report);
  }

  async leave(): Promise<void> {
    const { present } = this.#member.author;
    if (this.books.openOf(present).size === 0) this.books.unregister(present);
  }
}

import type { Reading, ReadingQuery } from '../../policy/core/counter-reading.ts';
import type { UsageRecord } from '../../policy/core/usage-record.ts';
import { checkAmount } from '../amount-checks.ts';
import type { BeatAnswer, GatewayLedger, GatewayReport } from '../gateway-ledger.ts';
import { type LedgerState, LedgerUnreachable } from '../ledger.ts';
import type { BatchOwner, BatchReservation } from '../message-batches.ts';
import { isInconclusive, type Reservation, type ReserveAnswer } from '../reservation.ts';
import type { SettleAnswer, Settlement, UncheckedCall } from '../reservation.ts';
import type { FileOwner } from '../stored-files.ts';
import type { RefusalRow, UnaskedRefusals } from '../streams.ts';
import { type CallEnd, checkAmounts } from './ledger-change.ts';
import { type ReplayedCall, ReplayLog } from './replay-log.ts';
import { SessionPosition, type LedgerClient } from './session-position.ts';
import type { BeatReply, LivingReply, Transport } from './transport.ts';

/** How many calls are replayed at once. */
const REPLAY_CHUNK = 100;

/** A gateway's use of a ledger: it logs its changes, and replays those that a ledger on another timeline may lack. */
export class LedgerSession implements GatewayLedger {
  readonly #position: SessionPosition;
  readonly #replayLog: ReplayLog;
  readonly #transport: Transport;
  #peers: readonly string[] = [];

  /** `expectedEpoch`: the epoch in which the ledger is expected, null while it is not known; asked at each call. */
  constructor(transport: Transport, expectedEpoch: () => string | null) {
    this.#transport = transport;
    this.#position = new SessionPosition(expectedEpoch);
    // A call keeps its holder for as long as it may be replayed.
    this.#replayLog = new ReplayLog(this.#position);
  }

  begin(incarnation: string): void {
    this.#position.begin(incarnation);
  }

  async reserve(reservation: Reservation): Promise<ReserveAnswer> {
    checkAmount(reservation.worstNano);
    const client = this.#position.reservingClient();
    const { id } = reservation;
    const isRepeated = this.#position.hasHolder(id);
    // An incarnation that was swept since may hold it, and it must not be reserved twice.
    if (this.#position.holderOf(id) !== client.incarnation) return { kind: 'ended' };
    // Before it is sent: a reserve whose answer is lost must be found by the release that follows.
    this.#position.setHolder(id, client);
    const { answer, sequence } = await this.#transport.reserve(client, reservation);
    if (answer.kind !== 'admitted') {
      if (!isRepeated || !isInconclusive(answer)) this.#position.removeHolder(id);
      return answer;
    }
    this.#requireTimelineOf(client);
    this.#replayLog.addReservation(reservation, sequence);
    this.#position.noteChange(client, sequence);
    return answer;
  }

  settle(settlement: Settlement): Promise<SettleAnswer> {
    return this.#end(settlement.id, { kind: 'settle', settlement });
  }

  release(id: string): Promise<SettleAnswer> {
    return this.#end(id, { kind: 'release', id });
  }

  settleUnchecked(call: UncheckedCall): Promise<SettleAnswer> {
    return this.#end(call.reservation.id, { kind: 'settleUnchecked', call });
  }

  openBatch(batch: BatchReservation): Promise<SettleAnswer> {
    return this.#end(batch.id, { kind: 'openBatch', batch });
  }

  /** @throws LedgerUnreachable also where the ledger may have lost the call: its reservation will be replayed soon. */
  async #end(id: string, end: CallEnd): Promise<SettleAnswer> {
    checkAmounts(end);
    // A ledger that has lost the first end would accept this one.
    if (this.#replayLog.hasOtherEnd(id, end)) return 'ended';
    const client = this.#position.client();
    const { answer, sequence } = await this.#transport.apply(client, this.#position.holderOf(id), end);
    this.#requireTimelineOf(client);
    if (answer === 'maybeLost' && this.#replayLog.isOpen(id) && end.kind !== 'release') {
      throw new LedgerUnreachable('the ledger recovers');
    }
    if (answer === 'maybeLost' || answer === 'unknown') {
      this.#replayLog.drop(id);
      return 'unknown';
    }
    this.#replayLog.addEnd(id, end, sequence);
    this.#position.noteChange(client, sequence);
    return answer;
  }

  async beat(report: GatewayReport): Promise<BeatAnswer> {
    const client = this.#position.client();
    const { successor } = this.#position;
    const reply = await this.#transport.beat(client, successor, report);
    if (reply.kind === 'lost' || reply.kind === 'swept') return reply;
    this.#position.confirmSuccessor(successor);
    const isSameTimeline = reply.timeline === this.#position.client().timeline;
    const outcome = isSameTimeline ? this.#stay(client, reply) : await this.#rejoin(reply);
    if (outcome.kind === 'lost') return outcome;
    this.#peers = reply.incarnations;
    return outcome.kind === 'alive' ? { kind: 'alive', now: reply.now, open: reply.open } : { kind: 'recovering' };
  }

  #stay(client: LedgerClient, reply: LivingReply): LivingReply {
    if (this.#position.isPresent(client)) this.#position.noteChange(client, reply.lastChange);
    else this.#position.continueFrom(reply.lastChange);
    if (reply.kind === 'alive') this.#replayLog.expire(reply.now, reply.sequence);
    return reply;
  }

  /** Replays to the ledger's new timeline what it may have lost, and joins it. */
  async #rejoin({ timeline, lastChange, timelineStart, now }: LivingReply): Promise<JoinOutcome> {
    const lastBefore = this.#position.lastChange;
    this.#position.leaveTimeline();
    const replayed = this.#replayLog.changesAfter(lastChange);
    await this.#replay(replayed);
    const { highestSequence, leaseOldSequence, highestDropped } = this.#replayLog;
    const reply = await this.#transport.join(this.#position.client(), {
      timeline,
      hadMissing: lastBefore > lastChange || replayed.some(({ changes }) => changes[0]?.kind === 'restore'),
      highestSequence,
      leaseOldSequence,
      deep: highestDropped > Math.max(lastChange, timelineStart) ? 'forgotten' : '',
      pastIncarnations: this.#position.pastIncarnations,
      peers: this.#peers,
    });
    if (reply.kind === 'lost') return reply;
    if (reply.kind === 'again') return { kind: 'recovering' };
    this.#position.joinTimeline(timeline, reply.sequence);
    this.#replayLog.renumber(replayed, reply.sequence, timelineStart, now);
    return reply;
  }

  /** The changes of one call in order; different calls in any order. */
  async #replay(calls: readonly ReplayedCall[]): Promise<void> {
    for (let i = 0; i < calls.length; i += REPLAY_CHUNK) {
      await Promise.all(calls.slice(i, i + REPLAY_CHUNK).map((call) => this.#replayCall(call)));
    }
  }

  async #replayCall({ id, changes }: ReplayedCall): Promise<void> {
    for (const change of changes) {
      const client = this.#position.client();
      const { answer } = await this.#transport.apply(client, this.#position.holderOf(id), change);
      if (change.kind === 'restore' && answer === 'settled') this.#position.setHolder(id, client);
    }
  }

  /** An answer from a timeline that is over does not count: the caller asks again on the present one. */
  #requireTimelineOf(client: LedgerClient): void {
    if (!this.#position.isOnTimeline(client)) throw new LedgerUnreachable('the ledger has begun another timeline');
  }

  async leave(): Promise<void> {
    await this.#transport.leave(this.#position.present);
  }

  batchOwners(batches: readonly string[]): Promise<readonly (BatchOwner | null)[]> {
    return this.#transport.batchOwners(batches);
  }

  ownsFiles(owner: FileOwner, files: readonly string[]): Promise<readonly boolean[]> {
    return this.#transport.ownsFiles(owner, files);
  }

  countFiles(owner: FileOwner): Promise<number> {
    return this.#transport.countFiles(owner);
  }

  listFiles(owner: FileOwner, after: string | null, limit: number): Promise<readonly string[]> {
    return this.#transport.listFiles(owner, after, limit);
  }

  addFile(owner: FileOwner, file: string, at: number): Promise<void> {
    return this.#transport.addFile(owner, file, at);
  }

  removeFile(owner: FileOwner, file: string): Promise<void> {
    return this.#transport.removeFile(owner, file);
  }

  appendFreeUsage(record: UsageRecord, share: number): Promise<boolean> {
    return this.#transport.appendFreeUsage(record, share);
  }

  recordRefusals(rows: readonly RefusalRow[], unasked: readonly UnaskedRefusals[]): Promise<void> {
    return this.#transport.recordRefusals(rows, unasked);
  }

  read(queries: readonly ReadingQuery[]): Promise<readonly Reading[]> {
    return this.#transport.read(queries);
  }

  state(): Promise<LedgerState> {
    return this.#transport.state();
  }

  sweep(): Promise<number> {
    return this.#transport.sweep();
  }
}

type JoinOutcome = { readonly kind: 'alive' | 'recovering' } | Extract<BeatReply, { kind: 'lost' }>;

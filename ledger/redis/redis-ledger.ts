import { setTimeout as sleep } from 'node:timers/promises';
import type { Reading, ReadingQuery } from '../../policy/core/counter-reading.ts';
import type { UsageRecord } from '../../policy/core/usage-record.ts';
import { checkAmount } from '../amount-checks.ts';
import type { BatchReservation, BatchLines, BatchOwner, LoggedBatch, OpenBatch } from '../batches.ts';
import { MAX_REFUSAL_ROWS, keyPrefix } from '../keys.ts';
import { DEFAULT_USAGE_LIMIT } from '../ledger.ts';
import type { BeatAnswer, UncheckedCall, CounterMinimum, GatewayLedger } from '../ledger.ts';
import type { GatewayReport, LedgerState, LivingGateway, OperatorLedger, PresumedCall } from '../ledger.ts';
import type { Reservation, ReserveAnswer, SettleAnswer, Settlement } from '../ledger.ts';
import type { LedgerClient } from '../session/client-identity.ts';
import { LedgerSession, type Transport } from '../session/session.ts';
import type { RefusalEntry, RefusalRow, StreamEntry } from '../streams.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import * as wire from './script-codec.ts';
import { type Script, scripts } from './scripts.ts';
import { parseServerInfo, type ServerInfo } from './server-info.ts';

/** Which ledger, and how it is reached. */
export interface LedgerOptions extends ConnectionOptions {
  /** The installation's name: prefix and hash tag of all its keys. */
  readonly installation: string;
  /** The epoch in which the ledger is expected, null while it is not known; asked at each call. */
  readonly epoch: () => string | null;
  /** How many usage records may wait in the stream before nothing more is admitted. */
  readonly usageLimit?: number;
}

/** How long a client that leaves waits for a replica to confirm what it did, and how often it looks. Milliseconds. */
const REPLICATED_MS = 3_000;
const POLL_MS = 50;
/** How many leases one run of the sweep script takes, so that it never holds Redis up. */
const SWEEP_CHUNK = 100;
/** About how many counters one run of a script reads: thousands of budgets are read in a few round trips. */
const READ_CHUNK = 200;
/** How many counters, or batches, one run of a script takes that puts them back. */
const RAISE_CHUNK = 200;

/**
 * The ledger of an installation, for a gateway or the operator. Connects in the background and returns at once: until
 * Redis answers, and whenever it stops answering, every method throws `LedgerUnreachable`.
 */
export function connectLedger(options: LedgerOptions): RedisLedger {
  return new RedisLedger(options);
}

/** The ledger in Redis: every operation is one script over all counters that it touches. */
export class RedisLedger implements GatewayLedger, OperatorLedger {
  readonly #connection: Connection;
  readonly #prefix: string;
  readonly #expectedEpoch: () => string | null;
  readonly #member: LedgerSession;
  readonly #usageLimit: string;

  constructor(options: LedgerOptions) {
    this.#prefix = keyPrefix(options.installation);
    this.#expectedEpoch = options.epoch;
    this.#member = new LedgerSession(options.epoch, this.#steps);
    this.#usageLimit = `${options.usageLimit ?? DEFAULT_USAGE_LIMIT}`;
    this.#connection = new Connection(options, this.#prefix);
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
    const { redis } = this.#connection;
    const keys = batches.map((batch) => `${this.#prefix}:batch:${batch}`);
    const kept = await this.#connection.attempt(() => Promise.all(keys.map((key) => redis.get(key))));
    return kept.map(wire.decodeOwner);
  }

  async appendFreeUsage(record: UsageRecord): Promise<void> {
    const { redis } = this.#connection;
    await this.#connection.attempt(() => redis.xadd(`${this.#prefix}:usage`, '*', 'record', JSON.stringify(record)));
  }

  async appendRefusals(rows: readonly RefusalRow[]): Promise<void> {
    if (rows.length === 0) return;
    const args = [`${MAX_REFUSAL_ROWS}`, ...rows.map((row) => JSON.stringify(row))];
    await this.#connection.run(scripts.refusals, args);
  }

  beat(report: GatewayReport): Promise<BeatAnswer> {
    return this.#member.beat(report);
  }

  async sweep(): Promise<number> {
    let swept = 0;
    for (;;) {
      const [count, more] = await this.#connection.run(scripts.sweep, [`${SWEEP_CHUNK}`]);
      swept += count as number;
      if (more !== 1) return swept;
    }
  }

  async leave(): Promise<void> {
    await this.#connection.run(scripts.leave, [this.#member.author.present]);
    const [replicas, written] = (await this.#connection.run(scripts.replicas, [])) as number[];
    if (replicas === 0) return;
    // Nobody will tell again what this client did.
    for (let waited = 0; waited < REPLICATED_MS; waited += POLL_MS) {
      const [, , confirmed] = (await this.#connection.run(scripts.replicas, [])) as number[];
      if (confirmed! >= written!) return;
      await sleep(POLL_MS);
    }
  }

  async read(queries: readonly ReadingQuery[]): Promise<readonly Reading[]> {
    const answers = await Promise.all(
      portions(queries).map((some) => this.#connection.run(scripts.read, some.flatMap(wire.encodeQuery))),
    );
    return answers.flatMap((some) => some.map((answer) => wire.decodeReading(answer as wire.Reply)));
  }

  async state(): Promise<LedgerState> {
    return wire.decodeState(await this.#connection.run(scripts.state, []), this.#expectedEpoch());
  }

  async gateways(): Promise<readonly LivingGateway[]> {
    const { redis } = this.#connection;
    return wire.decodeGateways(await this.#connection.attempt(() => redis.hgetall(`${this.#prefix}:reports`)));
  }

  async raiseFences(fences: ReadonlyMap<string, number>): Promise<void> {
    if (fences.size === 0) return;
    const args = [...fences].flatMap(([workspace, version]) => [workspace, `${version}`]);
    await this.#connection.run(scripts.fences, args);
  }

  async fences(): Promise<ReadonlyMap<string, number>> {
    const { redis } = this.#connection;
    const fences = await this.#connection.attempt(() => redis.hgetall(`${this.#prefix}:fences`));
    return new Map(Object.entries(fences).map(([workspace, version]) => [workspace, Number(version)]));
  }

  async establish(epoch: string): Promise<void> {
    await this.#connection.run(scripts.establish, [epoch]);
  }

  async beginRebuild(epoch: string): Promise<void> {
    await this.#connection.run(scripts.rebuild, [epoch]);
  }

  async raiseCounters(floors: readonly CounterMinimum[]): Promise<void> {
    for (const chunk of chunks(floors, RAISE_CHUNK))
      await this.#connection.run(scripts.raise, wire.encodeFloors(chunk));
  }

  async resume(since: number): Promise<boolean> {
    const [ended] = await this.#connection.run(scripts.resume, [`${since}`]);
    return ended === 1;
  }

  async presumedCalls(limit: number): Promise<readonly PresumedCall[]> {
    return limit < 1 ? [] : wire.decodePresumed(await this.#connection.run(scripts.presumed, [`${limit}`]));
  }

  async resolvePresumed(ids: readonly string[], how: 'Book' | 'Release'): Promise<number> {
    let resolved = 0;
    for (const chunk of chunks(ids, SWEEP_CHUNK)) {
      const [count] = await this.#connection.run(scripts.resolve, [how === 'Book' ? '1' : '0', ...chunk]);
      resolved += count as number;
    }
    return resolved;
  }

  async openBatches(): Promise<readonly OpenBatch[]> {
    return wire.decodeBatches(await this.#connection.run(scripts.batches, []));
  }

  async settleBatchLines(lines: BatchLines): Promise<{ settledLines: number }> {
    for (const { costNano } of lines.lines) checkAmount(costNano);
    const [settledLines] = await this.#connection.run(scripts.settleBatch, wire.encodeLines(lines));
    return { settledLines: settledLines as number };
  }

  async closeBatch(batch: string): Promise<void> {
    await this.#connection.run(scripts.endBatch, [batch]);
  }

  async restoreBatches(batches: readonly LoggedBatch[]): Promise<void> {
    for (const { reservedNano } of batches) checkAmount(reservedNano);
    for (const chunk of chunks(batches, RAISE_CHUNK))
      await this.#connection.run(scripts.restoreBatches, wire.encodeBatches(chunk));
  }

  async readUsage(count: number): Promise<readonly StreamEntry[]> {
    return (await this.#oldest('usage', count)).map(wire.decodeUsage);
  }

  deleteUsage(entries: readonly string[]): Promise<void> {
    return this.#drop('usage', entries);
  }

  async readRefusals(count: number): Promise<readonly RefusalEntry[]> {
    return (await this.#oldest('refusals', count)).map(wire.decodeRefusalRow);
  }

  deleteRefusals(entries: readonly string[]): Promise<void> {
    return this.#drop('refusals', entries);
  }

  /** What the server says of itself. Throws `LedgerUnreachable`. */
  async server(): Promise<ServerInfo> {
    const { redis } = this.#connection;
    return parseServerInfo(await this.#connection.attempt(() => redis.info()));
  }

  /** Ends the connection; what is under way fails. */
  close(): void {
    this.#connection.close();
  }

  #oldest(stream: string, count: number): Promise<[string, string[]][]> {
    const { redis } = this.#connection;
    return this.#connection.attempt(() => redis.xrange(`${this.#prefix}:${stream}`, '-', '+', 'COUNT', count));
  }

  async #drop(stream: string, entries: readonly string[]): Promise<void> {
    const { redis } = this.#connection;
    if (entries.length > 0) await this.#connection.attempt(() => redis.xdel(`${this.#prefix}:${stream}`, ...entries));
  }

  /** What the member asks, each in one script. */
  get #steps(): Transport {
    const run = (script: Script, caller: LedgerClient, args: readonly string[]): Promise<wire.Reply> =>
      this.#connection.run(script, [...wire.encodeCaller(caller), ...args]);
    return {
      reserve: async (caller, reservation) => {
        const args = [...wire.encodeReservation(reservation), this.#usageLimit];
        return wire.decodeReserve(await run(scripts.reserve, caller, args), reservation.worstNano);
      },
      tell: async (caller, owner, deed) =>
        wire.decodeOutcome(await run(scripts[deed.kind], caller, [owner, ...wire.encodeDeed(deed)])),
      beat: async (caller, successor, report) =>
        wire.decodeBeat(await run(scripts.beat, caller, [successor, JSON.stringify(report)])),
      join: async (caller, joining) =>
        wire.decodeJoined(await run(scripts.join, { ...caller, line: joining.line }, wire.encodeJoining(joining))),
    };
  }
}

/** Queries of about `READ_CHUNK` counters. */
function portions(queries: readonly ReadingQuery[]): ReadingQuery[][] {
  const portions: ReadingQuery[][] = [];
  let room = 0;
  for (const query of queries) {
    if (room <= 0) {
      portions.push([]);
      room = READ_CHUNK;
    }
    portions.at(-1)?.push(query);
    room -= 1 + (query.per ? query.top + query.also.length : 0);
  }
  return portions;
}

function* chunks<T>(list: readonly T[], size: number): Generator<readonly T[]> {
  for (let i = 0; i < list.length; i += size) yield list.slice(i, i + size);
}

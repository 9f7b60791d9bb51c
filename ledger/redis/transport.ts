import { setTimeout as sleep } from 'node:timers/promises';
import type { Bound, Check, CheckMode, Failure, Verdict } from '../../policy/core/counter-check.ts';
import { MAX_NANO, type Nano, ZERO, add, decodeNano } from '../../policy/core/money.ts';
import type { UsageRecord } from '../../policy/core/usage-record.ts';
import { expireAt } from '../durations.ts';
import type { GatewayReport } from '../gateway-ledger.ts';
import type { LostReason } from '../ledger.ts';
import { BATCH_OWNER_TTL_MS, type BatchOwner, type BatchReservation, encodeOwner } from '../message-batches.ts';
import type { Reservation, ReserveAnswer, Settlement, UncheckedCall } from '../reservation.ts';
import type { LedgerChange } from '../session/ledger-change.ts';
import type { LedgerClient } from '../session/session-position.ts';
import type { BeatReply, ChangeReply, JoinReply, JoinRequest, ReserveReply, Transport } from '../session/transport.ts';
import { FILES_TTL_MS, type FileOwner, fileOwnerName } from '../stored-files.ts';
import { MAX_REFUSAL_ROWS, type RefusalRow, type UnaskedRefusals } from '../streams.ts';
import type { Connection, Reply } from './connection.ts';
import { type Script, scripts } from './scripts.ts';
import { RedisSharedOperations } from './shared-operations.ts';

/** How long `leave` waits for a replica to confirm, and how often it looks. Milliseconds. */
const REPLICATION_TIMEOUT_MS = 3_000;
const POLL_MS = 50;

/** A session's operations in Redis: each that changes money is one script over all counters that it touches. */
export class RedisTransport extends RedisSharedOperations implements Transport {
  readonly #usageLimit: number;

  constructor(connection: Connection, expectedEpoch: () => string | null, usageLimit: number) {
    super(connection, expectedEpoch);
    this.#usageLimit = usageLimit;
  }

  async reserve(client: LedgerClient, reservation: Reservation): Promise<ReserveReply> {
    const args = [...encodeReservation(reservation), `${this.#usageLimit}`];
    return decodeReserve(await this.#run(scripts.reserve, client, args), reservation.worstNano);
  }

  async apply(client: LedgerClient, holder: string, change: LedgerChange): Promise<ChangeReply> {
    const args = [holder, ...encodeChange(change)];
    return decodeChange(await this.#run(scripts[change.kind], client, args));
  }

  async beat(client: LedgerClient, successor: string, report: GatewayReport): Promise<BeatReply> {
    return decodeBeat(await this.#run(scripts.beat, client, [successor, JSON.stringify(report)]));
  }

  async join(client: LedgerClient, request: JoinRequest): Promise<JoinReply> {
    const { timeline } = request;
    return decodeJoin(await this.#run(scripts.joinTimeline, { ...client, timeline }, encodeJoin(request)));
  }

  async leave(incarnation: string): Promise<void> {
    await this.connection.run(scripts.unregister, [incarnation]);
    const [replicas, written] = await this.#replication();
    if (replicas === 0) return;
    // Nobody will replay this session's changes.
    for (let waited = 0; waited < REPLICATION_TIMEOUT_MS; waited += POLL_MS) {
      const [, , confirmed] = await this.#replication();
      if (confirmed >= written) return;
      await sleep(POLL_MS);
    }
  }

  /** The number of replicas, and the offsets that this server has written and the best replica has confirmed. Bytes. */
  async #replication(): Promise<[number, number, number]> {
    return (await this.connection.run(scripts.readReplication, [])) as [number, number, number];
  }

  async batchOwners(batches: readonly string[]): Promise<readonly (BatchOwner | null)[]> {
    const keys = batches.map((batch) => this.connection.key(`batch:${batch}`));
    const owners = await this.connection.attempt((redis) => Promise.all(keys.map((key) => redis.get(key))));
    return owners.map(decodeOwner);
  }

  async ownsFiles(owner: FileOwner, files: readonly string[]): Promise<readonly boolean[]> {
    if (files.length === 0) return [];
    const since = await this.connection.attempt((redis) => redis.zmscore(this.#filesOf(owner), ...files));
    return since.map((one) => one !== null);
  }

  countFiles(owner: FileOwner): Promise<number> {
    return this.connection.attempt((redis) => redis.zcard(this.#filesOf(owner)));
  }

  listFiles(owner: FileOwner, after: string | null, limit: number): Promise<readonly string[]> {
    const key = this.#filesOf(owner);
    return this.connection.attempt(async (redis) => {
      const from = after === null ? 0 : ((await redis.zrevrank(key, after)) ?? -1) + 1;
      return redis.zrevrange(key, from, from + limit - 1);
    });
  }

  async addFile(owner: FileOwner, file: string, at: number): Promise<void> {
    const key = this.#filesOf(owner);
    await this.connection.attempt(async (redis) => {
      await redis.zadd(key, at, file);
      await redis.pexpire(key, FILES_TTL_MS);
    });
  }

  async removeFile(owner: FileOwner, file: string): Promise<void> {
    await this.connection.attempt((redis) => redis.zrem(this.#filesOf(owner), file));
  }

  async appendFreeUsage(record: UsageRecord, share: number): Promise<boolean> {
    const args = [JSON.stringify(record), `${Math.floor(this.#usageLimit * share)}`];
    const [appended] = await this.connection.run(scripts.appendFreeUsage, args);
    return appended === 1;
  }

  async recordRefusals(rows: readonly RefusalRow[], unasked: readonly UnaskedRefusals[]): Promise<void> {
    if (rows.length + unasked.length === 0) return;
    const args = [`${MAX_REFUSAL_ROWS}`, `${rows.length}`, ...rows.map((row) => JSON.stringify(row))];
    await this.connection.run(scripts.recordRefusals, [...args, ...unasked.flatMap(encodeUnasked)]);
  }

  #filesOf(owner: FileOwner): string {
    return this.connection.key(`files:${fileOwnerName(owner)}`);
  }

  #run(script: Script, client: LedgerClient, args: readonly string[]): Promise<Reply> {
    return this.connection.run(script, [...encodeClient(client), ...args]);
  }
}

const MODES: Readonly<Record<CheckMode, string>> = { Enforce: 'E', Observe: 'O', Exempt: 'X' };

/** The first arguments of every operation of a session. */
function encodeClient({ incarnation, epoch, timeline, lastChange }: LedgerClient): string[] {
  return [incarnation, epoch, timeline, `${lastChange}`];
}

/** A reservation as scripts/shared/reservation-counters.lua reads it. */
function encodeReservation(reservation: Reservation): string[] {
  const { id, workspace, version, worstNano, gapNano, checks } = reservation;
  let { from, until } = reservation;
  let keepUntil = 0;
  const list: string[] = [];
  for (const { counter, value, mode, start, end, bound, total, workspaceReservePercent, ...kind } of checks) {
    const expires = expireAt(end);
    from = Math.max(from, start);
    until = Math.min(until, end);
    keepUntil = Math.max(keepUntil, expires);
    list.push(counter, value ?? '', MODES[mode], `${expires}`);
    list.push(`${bound.capNano}`, `${bound.roomNano}`, ...encodeTotal(total), `${workspaceReservePercent ?? ''}`);
    list.push(encodeValueKind(kind));
    if (gapNano > 0n) list.push(`${bound.gapRoomNano}`, `${total?.gapRoomNano ?? ''}`);
  }
  const head = [id, workspace, `${version}`, `${worstNano}`, `${MAX_NANO - worstNano}`, `${gapNano}`];
  head.push(`${from}`, `${until}`, `${keepUntil}`);
  return head.concat(list);
}

/** Whether the value always has a counter of its own, or has one of many. */
function encodeValueKind({ valueIsFixed, valuesAreRuns }: Pick<Check, 'valueIsFixed' | 'valuesAreRuns'>): string {
  if (valueIsFixed === true) return '1';
  return valuesAreRuns === true ? 'R' : '';
}

function encodeTotal(total: Bound | null): [string, string] {
  return total === null ? ['', ''] : [`${total.capNano}`, `${total.roomNano}`];
}

/** The arguments of the script for a change, after client and holder. */
function encodeChange(change: LedgerChange): string[] {
  switch (change.kind) {
    case 'restore':
      return encodeReservation(change.reservation);
    case 'settle':
      return [change.settlement.id, ...encodeSettlement(change.settlement)];
    case 'release':
      return [change.id];
    case 'settleUnchecked':
      return encodeUnchecked(change.call);
    case 'openBatch':
      break;
  }
  return encodeBatchReservation(change.batch);
}

/** Cost, presumed, their sum, whether what is presumed is released by itself, and the record. */
function encodeSettlement({ costNano, presumedNano, releases = false, record }: Settlement): string[] {
  const amounts = [costNano, presumedNano, costNano + presumedNano].map(String);
  return [...amounts, releases ? '1' : '0', JSON.stringify(record)];
}

function encodeUnchecked({ reservation, settlement }: UncheckedCall): string[] {
  const amounts = settlement === null ? ['0', '0', '0', '0', ''] : encodeSettlement(settlement);
  return amounts.concat(encodeReservation(reservation));
}

function encodeBatchReservation(reservation: BatchReservation): string[] {
  const { id, batch, meta } = reservation;
  return [id, batch, ...encodeOwner(reservation), meta, `${BATCH_OWNER_TTL_MS}`];
}

function encodeUnasked({ counter, value, end, workspace, count }: UnaskedRefusals): string[] {
  return [counter, value ?? '', `${expireAt(end)}`, workspace, `${count}`];
}

/** The arguments of `join` after the client. */
function encodeJoin(request: JoinRequest): string[] {
  const { hadMissing, highestSequence, leaseOldSequence, deep, pastIncarnations, peers } = request;
  const sequences = [`${highestSequence}`, `${leaseOldSequence}`];
  return [hadMissing ? '1' : '0', ...sequences, deep, `${pastIncarnations.length}`, ...pastIncarnations, ...peers];
}

/** A call that the script found reserved already has its worst case in the counters; a new one has not. */
function decodeReserve(reply: Reply, worstNano: Nano): ReserveReply {
  const [kind, ...rest] = reply;
  if (kind === 'admitted' || kind === 'repeated') {
    const [now, sequence, ...sums] = rest;
    const added = kind === 'admitted' ? worstNano : ZERO;
    const committedNano = sums.map((sum) => add(decodeNano(sum as string), added));
    return { answer: { kind: 'admitted', now: now as number, committedNano }, sequence: decodeSequence(sequence) };
  }
  return { answer: decodeRefusal(kind as string, rest), sequence: null };
}

function decodeRefusal(kind: string, rest: Reply): ReserveAnswer {
  switch (kind) {
    case 'full':
      return { kind, now: rest[0] as number, failures: decodeFailures(rest.slice(1)) };
    case 'stale':
      return { kind, version: Number(rest[0]) };
    case 'wrongPeriod':
      return { kind, now: rest[0] as number };
    case 'ended':
    case 'unregistered':
    case 'recovering':
    case 'logBehind':
      return { kind };
    case 'lost':
      return { kind, reason: rest[0] as LostReason };
    default:
      throw new Error(`reserve answered ${kind}`);
  }
}

function decodeFailures(list: Reply): Failure[] {
  const failures: Failure[] = [];
  for (let i = 0; i < list.length; i += 6) {
    failures.push({
      check: list[i] as number,
      ofTotal: list[i + 1] === 1,
      verdict: list[i + 2] as Verdict,
      spentNano: decodeNano(list[i + 3] as string),
      certainNano: decodeNano(list[i + 4] as string),
      committedNano: decodeNano(list[i + 5] as string),
    });
  }
  return failures;
}

function decodeChange([answer, sequence]: Reply): ChangeReply {
  const decoded = answer === 'restored' ? 'settled' : (answer as ChangeReply['answer']);
  return { answer: decoded, sequence: decodeSequence(sequence) };
}

/** Null for a change of a client that has not joined the timeline. */
function decodeSequence(sequence: unknown): number | null {
  return sequence === null || sequence === undefined ? null : Number(sequence);
}

function decodeBeat(reply: Reply): BeatReply {
  const [kind, first, timeline, lastChange, timelineStart, sequence, open, incarnations] = reply;
  if (kind === 'swept') return { kind };
  if (kind === 'lost') return { kind, reason: first as LostReason };
  return {
    kind: kind as 'alive' | 'recovering',
    now: first as number,
    timeline: timeline as string,
    lastChange: Number(lastChange),
    timelineStart: Number(timelineStart),
    sequence: Number(sequence),
    open: open as string[],
    incarnations: incarnations as string[],
  };
}

function decodeJoin([kind, second]: Reply): JoinReply {
  if (kind === 'again') return { kind };
  if (kind === 'lost') return { kind, reason: second as LostReason };
  return { kind: kind as 'alive' | 'recovering', sequence: Number(second) };
}

/** The value of `:batch:<batch>`; an early one has no uids. */
function decodeOwner(value: string | null): BatchOwner | null {
  if (value === null) return null;
  const [workspace = '', workspaceUid = '', namespaceUid = ''] = value.slice(1).split(' ');
  return { workspace, workspaceUid, namespaceUid, settled: value.startsWith('1') };
}

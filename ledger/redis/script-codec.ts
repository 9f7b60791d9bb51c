/** How operations go to the scripts and come back: amounts as decimal strings, the order as each script documents it. */

import type { Ref } from '../../policy/core/compiled-policy.ts';
import type { Bound, Failure, CheckMode } from '../../policy/core/counter-check.ts';
import type { Counter, Reading, ReadingQuery, ValueCounter } from '../../policy/core/counter-reading.ts';
import { MAX_NANO } from '../amount-checks.ts';
import {
  type BatchReservation,
  type BatchLines,
  type BatchOwner,
  type LoggedBatch,
  type OpenBatch,
  BATCH_OWNER_TTL_MS,
} from '../batches.ts';
import { expireAt } from '../keys.ts';
import type { UncheckedCall, CounterMinimum, GatewayReport } from '../ledger.ts';
import type { LedgerState, LivingGateway, LostReason, PresumedCall } from '../ledger.ts';
import type { Reservation, ReserveAnswer, SettleAnswer, Settlement } from '../ledger.ts';
import type { LedgerClient } from '../session/client-identity.ts';
import type { LedgerChange } from '../session/replay-log.ts';
import type { BeatReply, JoinReply, JoinRequest, TellReply } from '../session/session.ts';
import type { RefusalEntry, RefusalRow, StreamEntry } from '../streams.ts';

/** What a script answers over RESP2: integers as numbers, bulk strings as strings, nil as null. */
export type Reply = readonly unknown[];

const PARTS: Readonly<Record<CheckMode, string>> = { Enforce: 'E', Observe: 'O', Exempt: 'X' };

/** The first arguments of what a gateway asks. */
export function encodeCaller({ incarnation, epoch, line, seen }: LedgerClient): string[] {
  return [incarnation, epoch, line, `${seen}`];
}

/** A reservation as scripts/counters.lua reads it. */
export function encodeReservation(reservation: Reservation): string[] {
  const { id, workspace, version, worstNano, gapNano, checks } = reservation;
  let { from, until } = reservation;
  let keepUntil = 0;
  const list: string[] = [];
  for (const { counter, value, mode, start, end, bound, total } of checks) {
    const expires = expireAt(end);
    from = Math.max(from, start);
    until = Math.min(until, end);
    keepUntil = Math.max(keepUntil, expires);
    list.push(counter, value ?? '', PARTS[mode], `${expires}`);
    list.push(`${bound.capNano}`, `${bound.roomNano}`, ...encodeTotal(total));
    if (gapNano > 0n) list.push(`${bound.gapRoomNano}`, `${total?.gapRoomNano ?? ''}`);
  }
  const head = [id, workspace, `${version}`, `${worstNano}`, `${MAX_NANO - worstNano}`, `${gapNano}`];
  head.push(`${from}`, `${until}`, `${keepUntil}`);
  return head.concat(list);
}

function encodeTotal(total: Bound | null): [string, string] {
  return total === null ? ['', ''] : [`${total.capNano}`, `${total.roomNano}`];
}

/** What a settlement books: cost, presumed, certain and the record. */
function encodeSettlement({ costNano, presumedNano, record }: Settlement): string[] {
  return [costNano, presumedNano, costNano + presumedNano].map(String).concat(JSON.stringify(record));
}

/** The arguments of `book` after those that say who asks and who reserved. */
function encodeBooking({ reservation, settlement }: UncheckedCall): string[] {
  const amounts = settlement === null ? ['0', '0', '0', ''] : encodeSettlement(settlement);
  return amounts.concat(encodeReservation(reservation));
}

/** What is done to a call: the script's arguments after those that say who asks and who reserved. */
export function encodeDeed(deed: LedgerChange): string[] {
  if (deed.kind === 'hold') return encodeReservation(deed.reservation);
  if (deed.kind === 'settle') return [deed.settlement.id, ...encodeSettlement(deed.settlement)];
  if (deed.kind === 'adopt') return encodeAdoption(deed.adoption);
  return deed.kind === 'book' ? encodeBooking(deed.booking) : [deed.id];
}

/** The arguments of `adopt` after those that say who asks and who reserved. */
function encodeAdoption({ id, batch, workspace, meta }: BatchReservation): string[] {
  return [id, batch, workspace, meta, `${BATCH_OWNER_TTL_MS}`];
}

/** The arguments of `settleBatch`. */
export function encodeLines({ batch, from, lines }: BatchLines): string[] {
  return [batch, `${from}`, ...lines.flatMap(({ costNano, record }) => [`${costNano}`, JSON.stringify(record)])];
}

/** The arguments of `restoreBatches`. */
export function encodeBatches(batches: readonly LoggedBatch[]): string[] {
  const list = batches.flatMap(
    ({ batch, id, workspace, meta, settledLines, reservedNano, settled, counters, keepUntil }) => {
      const booked = [keepUntil, ...counters].join('\n');
      return [batch, id, workspace, meta, `${settledLines}`, `${reservedNano}`, settled ? '1' : '0', booked];
    },
  );
  return [`${BATCH_OWNER_TTL_MS}`, ...list];
}

/** The arguments of `raise`. */
export function encodeFloors(floors: readonly CounterMinimum[]): string[] {
  return floors.flatMap(({ counter, keepUntil, spentNano, presumedNano, requests }) =>
    [counter, keepUntil, spentNano, presumedNano, requests].map(String),
  );
}

/** The arguments of `read`. */
export function encodeQuery({ counter, per, top, also }: ReadingQuery): string[] {
  return per ? [counter, `${top}`, `${also.length}`, ...also] : [counter, '-1', '0'];
}

/** The arguments of `join` after those that say who asks. */
export function encodeJoining({ missed, highest, aged, deep, past, peers }: JoinRequest): string[] {
  return [missed ? '1' : '0', `${highest}`, `${aged}`, deep, `${past.length}`, ...past, ...peers];
}

/** The answer of `reserve`, and the number of the change where it made one. */
export function decodeReserve(reply: Reply, worstNano: bigint): { answer: ReserveAnswer; sequence: number | null } {
  const [kind, ...rest] = reply;
  if (kind === 'admitted' || kind === 'held') {
    const [now, sequence, ...sums] = rest;
    const added = kind === 'admitted' ? worstNano : 0n;
    const committedNano = sums.map((sum) => BigInt(sum as string) + added);
    return { answer: { kind: 'admitted', now: now as number, committedNano }, sequence: numberOf(sequence) };
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
  for (let i = 0; i < list.length; i += 5) {
    failures.push({
      check: list[i] as number,
      ofTotal: list[i + 1] === 1,
      waiting: list[i + 2] === 1,
      spentNano: BigInt(list[i + 3] as string),
      committedNano: BigInt(list[i + 4] as string),
    });
  }
  return failures;
}

/** The answer of what holds or ends a call. */
export function decodeOutcome([answer, sequence]: Reply): TellReply {
  return { answer: answer === 'held' ? 'settled' : (answer as SettleAnswer | 'astray'), sequence: numberOf(sequence) };
}

/** The number of a change: it has none for who does not belong to the line. */
function numberOf(sequence: unknown): number | null {
  return sequence === null || sequence === undefined ? null : Number(sequence);
}

/** The answer of `beat`. */
export function decodeBeat(reply: Reply): BeatReply {
  const [kind, first, line, last, from, sequence, open, incarnations] = reply;
  if (kind === 'swept') return { kind };
  if (kind === 'lost') return { kind, reason: first as LostReason };
  return {
    kind: kind as 'alive' | 'recovering',
    now: first as number,
    line: line as string,
    last: Number(last),
    from: Number(from),
    sequence: Number(sequence),
    open: open as string[],
    incarnations: incarnations as string[],
  };
}

/** The answer of `join`. */
export function decodeJoined([kind, second]: Reply): JoinReply {
  if (kind === 'again') return { kind };
  if (kind === 'lost') return { kind, reason: second as LostReason };
  return { kind: kind as 'alive' | 'recovering', sequence: Number(second) };
}

/** The answer of `read`: of the pool alone where there are no values. */
export function decodeReading(reply: Reply): Reading {
  const [total, valueCount = 0, exhaustedCount = 0, ...list] = reply;
  const values: ValueCounter[] = [];
  for (let i = 0; i < list.length; i += 2) {
    values.push({ value: list[i] as string, ...decodeCounter(list[i + 1] as Reply) });
  }
  return {
    total: decodeCounter(total as Reply),
    values,
    valueCount: valueCount as number,
    exhaustedCount: exhaustedCount as number,
  };
}

function decodeCounter(fields: Reply): Counter {
  const [spent, certain, committed, requests, refused, wouldRefuse, exhaustedAt] = fields as readonly (string | null)[];
  return {
    spentNano: BigInt(spent ?? 0),
    certainNano: BigInt(certain ?? 0),
    committedNano: BigInt(committed ?? 0),
    requests: Number(requests ?? 0),
    refused: Number(refused ?? 0),
    wouldRefuse: Number(wouldRefuse ?? 0),
    exhaustedAtNano: exhaustedAt == null ? null : BigInt(exhaustedAt),
  };
}

/** How the ledger stands for someone who expects this epoch. */
export function decodeState(reply: Reply, expected: string | null): LedgerState {
  const [now, epoch, sequence, streamLength, presumedCount, since, deep, missing] = reply;
  return {
    now: now as number,
    epoch: epoch as string | null,
    lost: epoch === null ? 'empty' : epoch === expected ? null : 'otherEpoch',
    sequence: Number(sequence ?? 0),
    streamLength: streamLength as number,
    presumedCount: presumedCount as number,
    recovering:
      since === null
        ? null
        : { since: Number(since), deep: deep as string | null, missing: (missing as string[]).toSorted() },
  };
}

/** The answer of `presumed`. */
export function decodePresumed(reply: Reply): PresumedCall[] {
  return (reply as readonly [string, string, number, string][]).map(([id, worst, presumedSince, counters]) => ({
    id,
    worstNano: BigInt(worst),
    presumedSince,
    counters: namesOf(counters),
  }));
}

/** The answer of `batches`. */
export function decodeBatches(reply: Reply): OpenBatch[] {
  const batches = reply as readonly [string, string, Ref, string, number, string][];
  return batches.map(([batch, id, workspace, meta, settledLines, left]) => {
    return { batch, id, workspace, meta, settledLines, reservedNano: BigInt(left) };
  });
}

/** What is kept of a batch's owner. */
export function decodeOwner(kept: string | null): BatchOwner | null {
  return kept === null ? null : { workspace: kept.slice(1), settled: kept.startsWith('1') };
}

/** An entry of the usage stream. */
export function decodeUsage([entry, fields]: [string, string[]]): StreamEntry {
  const { record = '{}', booked = '0' } = fieldsOf(fields);
  const [keepUntil, ...counters] = booked.split('\n');
  return { entry, record: readRecord(record), counters, keepUntil: Number(keepUntil) };
}

/** One that nobody can read must not stop those behind it: whoever wants something of it finds nothing. */
function readRecord(text: string): object {
  try {
    return JSON.parse(text) as object;
  } catch {
    return { unreadable: text };
  }
}

/** An entry of the stream of refusals. */
export function decodeRefusalRow([entry, fields]: [string, string[]]): RefusalEntry {
  return { entry, row: readRecord(fieldsOf(fields)['row'] ?? '{}') as unknown as RefusalRow };
}

function fieldsOf(fields: readonly string[]): Record<string, string> {
  return Object.fromEntries(fields.flatMap((name, i) => (i % 2 === 0 ? [[name, fields[i + 1] ?? '']] : [])));
}

/** Names of counters, in one string: a line each. */
function namesOf(lines: string): string[] {
  return lines === '' ? [] : lines.split('\n');
}

/** What the living incarnations report, by incarnation. */
export function decodeGateways(reports: Readonly<Record<string, string>>): LivingGateway[] {
  return Object.entries(reports).map(([incarnation, report]) => ({
    incarnation,
    ...(JSON.parse(report) as GatewayReport),
  }));
}

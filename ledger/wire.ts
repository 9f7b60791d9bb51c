/** How operations go to the scripts and come back: amounts as decimal strings, the order as each script documents it. */

import type { Ref } from '../policy/compiled.ts';
import type { Bound, Counter, Failure, Part, Reading, ReadingQuery, ValueCounter } from '../policy/counter.ts';
import { MAX_NANO } from './amounts.ts';
import type { Caller } from './author.ts';
import { OWNER_KEPT_MS, expireAt } from './keys.ts';
import type { Adoption, BatchLines, BatchOwner, BeatAnswer, Booking, Floor, GatewayReport } from './ledger.ts';
import type { LedgerState, LivingGateway, LostReason, OpenBatch, PresumedCall, RefusalEntry } from './ledger.ts';
import type { RefusalRow, Reservation, ReserveAnswer, Settlement, StreamEntry, UsageRecord } from './ledger.ts';

/** What a script answers over RESP2: integers as numbers, bulk strings as strings, nil as null. */
export type Reply = readonly unknown[];

const PARTS: Readonly<Record<Part, string>> = { Enforce: 'E', Observe: 'O', Exempt: 'X' };

/** The first arguments of what a gateway asks. */
export function encodeCaller({ incarnation, epoch, seen }: Caller): string[] {
  return [incarnation, epoch, `${seen}`];
}

/** A reservation as scripts/counters.lua reads it. */
export function encodeReservation(reservation: Reservation): string[] {
  const { id, workspace, version, worstNano, gapNano, checks } = reservation;
  let { from, until } = reservation;
  let keepUntil = 0;
  const list: string[] = [];
  for (const { counter, value, part, start, end, bound, total } of checks) {
    const expires = expireAt(end);
    from = Math.max(from, start);
    until = Math.min(until, end);
    keepUntil = Math.max(keepUntil, expires);
    list.push(counter, value ?? '', PARTS[part], `${expires}`);
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
export function encodeSettlement({ costNano, presumedNano, record }: Settlement): string[] {
  return [costNano, presumedNano, costNano + presumedNano].map(String).concat(JSON.stringify(record));
}

/** The arguments of `book` after those that say who asks and who reserved. */
export function encodeBooking({ reservation, settlement }: Booking): string[] {
  const amounts = settlement === null ? ['0', '0', '0', ''] : encodeSettlement(settlement);
  return amounts.concat(encodeReservation(reservation));
}

/** The arguments of `adopt` after those that say who asks and who reserved. */
export function encodeAdoption({ id, batch, workspace, meta }: Adoption): string[] {
  return [id, batch, workspace, meta, `${OWNER_KEPT_MS}`];
}

/** The arguments of `settleBatch`. */
export function encodeLines({ batch, from, lines }: BatchLines): string[] {
  return [batch, `${from}`, ...lines.flatMap(({ costNano, record }) => [`${costNano}`, JSON.stringify(record)])];
}

/** The arguments of `raise`. */
export function encodeFloors(floors: readonly Floor[]): string[] {
  return floors.flatMap(({ counter, keepUntil, spentNano, presumedNano, requests }) =>
    [counter, keepUntil, spentNano, presumedNano, requests].map(String),
  );
}

/** The arguments of `read`. */
export function encodeQuery({ counter, per, top, also }: ReadingQuery): string[] {
  return per ? [counter, `${top}`, ...also] : [counter, '-1'];
}

/** The answer of `reserve`, and the number of the change where it made one. */
export function decodeReserve(reply: Reply, worstNano: bigint): { answer: ReserveAnswer; sequence: number } {
  const [kind, ...rest] = reply;
  if (kind === 'admitted' || kind === 'held') {
    const [now, sequence, ...sums] = rest;
    const added = kind === 'admitted' ? worstNano : 0n;
    const committedNano = sums.map((sum) => BigInt(sum as string) + added);
    return { answer: { kind: 'admitted', now: now as number, committedNano }, sequence: Number(sequence) };
  }
  return { answer: decodeRefusal(kind as string, rest), sequence: 0 };
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

/** The answer of `beat`, and the number of the incarnation's last change. */
export function decodeBeat(reply: Reply): { answer: BeatAnswer; sequence: number } {
  const [kind, first, sequence, open] = reply;
  if (kind === 'alive') {
    return { answer: { kind, now: first as number, open: open as string[] }, sequence: Number(sequence) };
  }
  if (kind === 'recovering') return { answer: { kind }, sequence: Number(sequence) };
  return { answer: kind === 'swept' ? { kind } : { kind: 'lost', reason: first as LostReason }, sequence: 0 };
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
  const [now, epoch, lost, sequence, streamLength, presumedCount, since, deep, missing] = reply;
  return {
    now: now as number,
    epoch: epoch as string | null,
    lost: epoch === null ? 'empty' : epoch === expected ? (lost as LostReason | null) : 'otherEpoch',
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
  return (reply as readonly [string, string, Ref, string, number][]).map(([batch, id, workspace, meta, at]) => ({
    batch,
    id,
    workspace,
    meta,
    at,
  }));
}

/** What is kept of a batch's owner. */
export function decodeOwner(kept: string | null): BatchOwner | null {
  return kept === null ? null : { workspace: kept.slice(1), settled: kept.startsWith('1') };
}

/** An entry of the usage stream. */
export function decodeUsage([entry, fields]: [string, string[]]): StreamEntry {
  const { record = '{}', counters = '', keep = '0' } = fieldsOf(fields);
  return { entry, record: readRecord(record), counters: namesOf(counters), keepUntil: Number(keep) };
}

/** One that nobody can read must not stop those behind it: whoever wants its id finds none. */
function readRecord(text: string): UsageRecord {
  try {
    return JSON.parse(text) as UsageRecord;
  } catch {
    return { unreadable: text };
  }
}

/** An entry of the stream of refusals. */
export function decodeRefusalRow([entry, fields]: [string, string[]]): RefusalEntry {
  return { entry, row: JSON.parse(fieldsOf(fields)['row'] ?? '{}') as RefusalRow };
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

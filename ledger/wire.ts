/** How operations go to the scripts and come back: amounts as decimal strings, the order as each script documents it. */

import type { Bound, Counter, Failure, Part, Reading, ReadingQuery, ValueCounter } from '../policy/counter.ts';
import { MAX_VALUES, REST } from '../policy/counter.ts';
import { MAX_NANO } from './amounts.ts';
import type { Caller } from './author.ts';
import { ENDED_MS, RETENTION_MS, expireAt } from './keys.ts';
import type { BeatAnswer, LedgerState, LivingGateway, LostReason } from './ledger.ts';
import type { GatewayReport, Reservation, ReserveAnswer, Settlement } from './ledger.ts';

/** What a script answers over RESP2: integers as numbers, bulk strings as strings, nil as null. */
export type Reply = readonly unknown[];

const PARTS: Readonly<Record<Part, string>> = { Enforce: 'E', Observe: 'O', Exempt: 'X' };

/** The first arguments of what a gateway asks. */
export function encodeCaller({ incarnation, epoch, seen }: Caller): string[] {
  return [incarnation, epoch, `${seen}`];
}

/** The arguments of `reserve` after those that say who asks. */
export function encodeReservation(reservation: Reservation): string[] {
  const { id, workspace, version, worstNano, checks } = reservation;
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
  }
  const head = [id, workspace, `${version}`, `${worstNano}`, `${MAX_NANO - worstNano}`];
  head.push(`${from}`, `${until}`, `${RETENTION_MS}`, `${keepUntil}`, `${MAX_VALUES}`);
  return head.concat(list);
}

function encodeTotal(total: Bound | null): [string, string] {
  return total === null ? ['', ''] : [`${total.capNano}`, `${total.roomNano}`];
}

/** The arguments of `settle` after those that say who asks and who reserved. */
export function encodeSettlement({ id, costNano, presumedNano, record }: Settlement): string[] {
  const certain = costNano + presumedNano;
  const amounts = [costNano, presumedNano, certain].map(String);
  return [`${ENDED_MS}`, id, ...amounts, JSON.stringify(record)];
}

/** The arguments of `read`. */
export function encodeQuery({ counter, per, top, also }: ReadingQuery): string[] {
  return per ? [counter, `${top}`, `${MAX_VALUES}`, REST, ...also] : [counter, '-1'];
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
  const [now, epoch, lost, sequence, streamLength, presumedCount] = reply;
  return {
    now: now as number,
    epoch: epoch as string | null,
    lost: epoch === null ? 'empty' : epoch === expected ? (lost as LostReason | null) : 'otherEpoch',
    sequence: Number(sequence ?? 0),
    streamLength: streamLength as number,
    presumedCount: presumedCount as number,
  };
}

/** What the living incarnations report, by incarnation. */
export function decodeGateways(reports: Readonly<Record<string, string>>): LivingGateway[] {
  return Object.entries(reports).map(([incarnation, report]) => ({
    incarnation,
    ...(JSON.parse(report) as GatewayReport),
  }));
}

/** What both sides of a ledger read, and what the operator changes, as arguments and replies of the scripts. */

import type { Ref } from '../../policy/core/compiled-policy.ts';
import type { Counter, Reading, ReadingQuery, ValueCounter } from '../../policy/core/counter-reading.ts';
import { decodeNano } from '../../policy/core/money.ts';
import type { GatewayReport } from '../gateway-ledger.ts';
import type { LedgerState } from '../ledger.ts';
import { BATCH_OWNER_TTL_MS, type BatchLines, type LoggedBatch, type OpenBatch } from '../message-batches.ts';
import type { CounterMinimum, LivingGateway, PresumedCall } from '../operator-ledger.ts';
import type { RefusalEntry, RefusalRow, StreamEntry } from '../streams.ts';
import type { Reply } from './connection.ts';

/** The arguments of `read-counters` for one query. */
export function encodeQuery({ counter, per, top, also }: ReadingQuery): string[] {
  return per ? [counter, `${top}`, `${also.length}`, ...also] : [counter, '-1', '0'];
}

/** The reply of `read-counters` for one query; without values it has the pool alone. */
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
    spentNano: decodeNano(spent ?? '0'),
    certainNano: decodeNano(certain ?? '0'),
    committedNano: decodeNano(committed ?? '0'),
    requests: Number(requests ?? 0),
    refused: Number(refused ?? 0),
    wouldRefuse: Number(wouldRefuse ?? 0),
    exhaustedAtNano: exhaustedAt == null ? null : decodeNano(exhaustedAt),
  };
}

/** The reply of `read-state` for a client that expects this epoch. */
export function decodeState(reply: Reply, expectedEpoch: string | null): LedgerState {
  const [now, epoch, sequence, streamLength, presumedCount, since, deep, missing] = reply;
  return {
    now: now as number,
    epoch: epoch as string | null,
    lost: epoch === null ? 'empty' : epoch === expectedEpoch ? null : 'otherEpoch',
    sequence: Number(sequence ?? 0),
    streamLength: streamLength as number,
    presumedCount: presumedCount as number,
    recovering:
      since === null
        ? null
        : { since: Number(since), deep: deep as string | null, missing: (missing as string[]).toSorted() },
  };
}

export function encodeMinimums(minimums: readonly CounterMinimum[]): string[] {
  return minimums.flatMap(({ counter, keepUntil, spentNano, presumedNano, requests }) =>
    [counter, keepUntil, spentNano, presumedNano, requests].map(String),
  );
}

export function decodePresumedCalls(reply: Reply): PresumedCall[] {
  return (reply as readonly [string, string, number, string][]).map(([id, worst, presumedSince, counters]) => ({
    id,
    worstNano: decodeNano(worst),
    presumedSince,
    counters: counters === '' ? [] : counters.split('\n'),
  }));
}

export function decodeGateways(reports: Readonly<Record<string, string>>): LivingGateway[] {
  return Object.entries(reports).map(([incarnation, report]) => ({
    incarnation,
    ...(JSON.parse(report) as GatewayReport),
  }));
}

export function encodeBatchLines({ batch, from, lines }: BatchLines): string[] {
  return [batch, `${from}`, ...lines.flatMap(({ costNano, record }) => [`${costNano}`, JSON.stringify(record)])];
}

export function encodeLoggedBatches(batches: readonly LoggedBatch[]): string[] {
  const list = batches.flatMap((one) => {
    const { batch, id, workspace, meta, settledLines, reservedNano, settled, counters, keepUntil } = one;
    const counterLines = [keepUntil, ...counters].join('\n');
    return [batch, id, workspace, meta, `${settledLines}`, `${reservedNano}`, settled ? '1' : '0', counterLines];
  });
  return [`${BATCH_OWNER_TTL_MS}`, ...list];
}

export function decodeOpenBatches(reply: Reply): OpenBatch[] {
  const batches = reply as readonly [string, string, Ref, string, number, string][];
  return batches.map(([batch, id, workspace, meta, settledLines, reserved]) => {
    return { batch, id, workspace, meta, settledLines, reservedNano: decodeNano(reserved) };
  });
}

type RawEntry = [string, string[]];

export function decodeUsageEntry([entry, fields]: RawEntry): StreamEntry {
  const { record = '{}', counters: expiryAndNames = '0' } = fieldsOf(fields);
  const [keepUntil, ...counters] = expiryAndNames.split('\n');
  return { entry, record: parseRecord(record), counters, keepUntil: Number(keepUntil) };
}

export function decodeRefusalEntry([entry, fields]: RawEntry): RefusalEntry {
  return { entry, row: parseRecord(fieldsOf(fields)['row'] ?? '{}') as unknown as RefusalRow };
}

/** An entry that is not JSON must not block those behind it: it decodes to an object without any known field. */
function parseRecord(text: string): object {
  try {
    return JSON.parse(text) as object;
  } catch {
    return { unreadable: text };
  }
}

function fieldsOf(fields: readonly string[]): Record<string, string> {
  return Object.fromEntries(fields.flatMap((name, i) => (i % 2 === 0 ? [[name, fields[i + 1] ?? '']] : [])));
}

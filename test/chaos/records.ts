import { Redis } from 'ioredis';
import { keyPrefix } from '../../ledger/keys.ts';
import type { UsageRecord } from '../../ledger/ledger.ts';
import { parseSettings } from '../../policy/settings.ts';

/** The last word on one call, or on what is presumed of one. Nano-dollars. */
export interface CallRecord {
  readonly id: string;
  /** What the caller named the call; null where nobody knows yet what it cost, and so nothing else. */
  readonly mark: string | null;
  readonly costNano: bigint;
  /** Kept in place because the upstream may still charge it. */
  readonly presumedNano: bigint;
  /** The cost was not taken from the upstream's final usage. */
  readonly estimated: boolean;
  /** The ledger's names of the counters in which it is booked. */
  readonly counters: readonly string[];
}

const PAGE = 1_000;

/** Every record of the usage stream, in the order in which it was written; of a presumed call that was settled late, that one alone. */
export async function readRecords(redisUrl: string): Promise<CallRecord[]> {
  const redis = new Redis(redisUrl, { protocol: 2 });
  const stream = `${keyPrefix(parseSettings(null).installation)}:usage`;
  const records: CallRecord[] = [];
  let after = '-';
  try {
    for (;;) {
      const entries = await redis.xrange(stream, after, '+', 'COUNT', PAGE);
      records.push(...entries.map(([, fields]) => recordOf(fields)));
      const last = entries.at(-1);
      if (last === undefined || entries.length < PAGE) return withoutSettled(records);
      after = `(${last[0]}`;
    }
  } finally {
    redis.disconnect();
  }
}

function recordOf(list: readonly string[]): CallRecord {
  const fields = new Map(list.flatMap((name, at) => (at % 2 === 0 ? [[name, list[at + 1] ?? '']] : [])));
  const record = JSON.parse(fields.get('record') ?? '') as UsageRecord;
  const isFinal = (record['state'] ?? 'final') === 'final';
  return {
    id: String(record['id']),
    mark: isFinal ? String(record['user']) : null,
    costNano: BigInt(String(record['cost_nano'] ?? 0)),
    // What a final record leaves presumed has a record of its own.
    presumedNano: isFinal ? 0n : BigInt(String(record['worst_nano'] ?? 0)),
    estimated: record['estimated'] === true,
    counters: (fields.get('counters') ?? '').split('\n'),
  };
}

function withoutSettled(records: readonly CallRecord[]): CallRecord[] {
  const settled = new Set(records.filter(({ mark }) => mark !== null).map(({ id }) => id));
  return records.filter(({ id, mark }) => mark !== null || !settled.has(id));
}

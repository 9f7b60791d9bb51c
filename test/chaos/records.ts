import { Redis } from 'ioredis';
import { keyPrefix } from '../../ledger/keys.ts';
import type { UsageRecord } from '../../ledger/ledger.ts';
import { parseSettings } from '../../policy/settings.ts';

/** The last word on one call. Nano-dollars. */
export interface CallRecord {
  /** What its caller named it. */
  readonly mark: string;
  readonly costNano: bigint;
  readonly presumedNano: bigint;
  /** The cost was not taken from the upstream's final usage. */
  readonly estimated: boolean;
}

const PAGE = 1_000;

/** Every final record of the usage stream, in the order in which it was written. */
export async function readRecords(redisUrl: string): Promise<CallRecord[]> {
  const redis = new Redis(redisUrl, { protocol: 2 });
  const stream = `${keyPrefix(parseSettings(null).installation)}:usage`;
  const records: CallRecord[] = [];
  let after = '-';
  try {
    for (;;) {
      const entries = await redis.xrange(stream, after, '+', 'COUNT', PAGE);
      for (const [, fields] of entries) records.push(...recordOf(JSON.parse(fields[1] ?? '') as UsageRecord));
      const last = entries.at(-1);
      if (last === undefined || entries.length < PAGE) return records;
      after = `(${last[0]}`;
    }
  } finally {
    redis.disconnect();
  }
}

/** None where nobody knows yet what the call cost. */
function recordOf(record: UsageRecord): CallRecord[] {
  if ((record['state'] ?? 'final') !== 'final') return [];
  return [
    {
      mark: String(record['user']),
      costNano: BigInt(String(record['cost_nano'])),
      presumedNano: BigInt(String(record['presumed_nano'])),
      estimated: record['estimated'] === true,
    },
  ];
}

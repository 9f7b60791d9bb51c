import { setTimeout as sleep } from 'node:timers/promises';
import { connectLedger } from '../../../ledger/redis/redis-ledger.ts';
import { openDatabase } from '../../../log/database/open-database.ts';
import { readTotals } from '../../../log/totals.ts';
import { parseSettings } from '../../../policy/config/settings.ts';

/** The last word on one call, as the usage log has it. Nano-dollars. */
export interface CallRecord {
  readonly id: string;
  /** What the caller named the call. */
  readonly mark: string;
  readonly costNano: bigint;
  /** What of it is kept in place because the upstream may still charge it. */
  readonly restNano: bigint;
  /** The cost was not taken from the upstream's final usage. */
  readonly estimated: boolean;
  /** It was answered with an error status, or never sent: it costs nothing and counts as no request. */
  readonly isFree: boolean;
}

/** What the log's rows add up to in one of the ledger's counters. Nano-dollars. */
export interface Total {
  readonly counter: string;
  readonly spentNano: bigint;
  readonly presumedNano: bigint;
  readonly requests: number;
}

/** All that the usage log knows. */
export interface Log {
  /** Calls that are settled; of those whose gateway died there are only sums. */
  readonly records: readonly CallRecord[];
  readonly totals: readonly Total[];
}

/** Waits, `withinMs` at most, until the operators have taken all of the stream. Throws where they have not. */
export async function ingested(redisUrl: string, withinMs: number): Promise<void> {
  const { installation } = parseSettings(null);
  const ledger = connectLedger({ url: redisUrl, installation, epoch: () => null });
  const left = (): Promise<number> =>
    ledger.state().then(
      ({ streamLength }) => streamLength,
      () => Number.POSITIVE_INFINITY,
    );
  const end = Date.now() + withinMs;
  try {
    while ((await left()) > 0) {
      if (Date.now() > end) throw new Error('the usage stream did not get into the log');
      await sleep(500);
    }
  } finally {
    ledger.close();
  }
}

/** Reads the usage log of a run. */
export async function readLog(databaseUrl: string): Promise<Log> {
  const database = await openDatabase({ url: databaseUrl });
  try {
    const rows = await database.query<Omit<CallRecord, 'costNano' | 'restNano'> & { cost: string; rest: string }>(
      `select id, end_user as mark, cost_nano::text as cost, presumed_nano::text as rest, estimated,
         ending in ('ErrorStatus', 'NeverSent') as "isFree"
       from calls where state = 'final'`,
    );
    const records = rows.map(({ cost, rest, ...row }) => ({ ...row, costNano: BigInt(cost), restNano: BigInt(rest) }));
    return { records, totals: await readTotals(database.query, 0) };
  } finally {
    await database.close();
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import { connectLedger } from '../../../ledger/redis/connect-ledger.ts';
import { openDatabase } from '../../../log/database/open-database.ts';
import { readTotals } from '../../../log/read-totals.ts';
import { parseSettings } from '../../../policy/config/settings.ts';

/** The final row of one attempt of a call in the usage log. Nano-dollars. */
export interface CallRecord {
  readonly id: string;
  /** The caller's name for the call. */
  readonly mark: string;
  readonly costNano: bigint;
  /** The part that stays presumed because the upstream may still charge it. */
  readonly restNano: bigint;
  /** Whether the cost is not from the upstream's final usage. */
  readonly estimated: boolean;
  /** Whether it was answered with an error status or never sent: it costs nothing and counts as no request. */
  readonly isFree: boolean;
  /** Whether the call may have been tried once more, on a fresh connection. */
  readonly isStale: boolean;
}

/** The sums of the log's rows for one of the ledger's counters. Nano-dollars. */
export interface Total {
  readonly counter: string;
  readonly spentNano: bigint;
  readonly presumedNano: bigint;
  readonly requests: number;
}

/** The contents of the usage log. */
export interface Log {
  /** Calls that are settled; of those whose gateway died there are only sums. */
  readonly records: readonly CallRecord[];
  readonly totals: readonly Total[];
}

/** Waits until the operators have ingested the whole stream. @throws Error if that takes longer than `withinMs` */
export async function ingested(redisUrl: string, withinMs: number): Promise<void> {
  const { installation } = parseSettings(null);
  const ledger = connectLedger({ url: redisUrl, installation, epoch: () => null });
  const left = (): Promise<number> =>
    ledger.operator.state().then(
      ({ streamLength }) => streamLength,
      () => Number.POSITIVE_INFINITY,
    );
  const end = Date.now() + withinMs;
  try {
    while ((await left()) > 0) {
      if (Date.now() > end) throw new Error('the usage stream was not ingested in time');
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
         ending in ('ErrorStatus', 'NeverSent') as "isFree",
         ending in ('StaleConnection', 'NeverSent') as "isStale"
       from calls where state = 'final'`,
    );
    const records = rows.map(({ cost, rest, ...row }) => ({ ...row, costNano: BigInt(cost), restNano: BigInt(rest) }));
    return { records, totals: await readTotals(database.query, 0) };
  } finally {
    await database.close();
  }
}

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LogPlace } from '../config/log-place.ts';
import { startPostgres } from '../hack/services/postgres.ts';
import { startRedis } from '../hack/services/redis.ts';
import type { RedisLedger } from '../ledger/redis/connect-ledger.ts';
import { openDatabase } from '../log/database/open-database.ts';
import { UsageLog } from '../log/usage-log.ts';
import type { UsageRecord } from '../policy/core/usage-record.ts';
import { call, connectCalls } from '../test/support/ledger-calls.ts';
import type { Figure } from './figures.ts';

const ROWS = 40_000;
const CUSTOMERS = 500;
const CONNECTIONS = 64;

/** How fast the usage stream of a real Redis is ingested into the log, and how many bytes a call takes there. */
export async function measureIngest(): Promise<Figure[]> {
  const [directory, postgresDirectory] = [home(), home()];
  const [redis, postgres] = await Promise.all([
    startRedis({ directory }),
    startPostgres({ directory: postgresDirectory }),
  ]);
  const ledger = await connectCalls(redis.url, 'bench');
  try {
    return [
      ...(await figuresOf('Postgres', { url: postgres.url }, ledger, 5_000)),
      ...(await figuresOf('a folder (PGlite)', { folder: join(directory, 'log') }, ledger, 1_000)),
    ];
  } finally {
    ledger.close();
    await Promise.all([redis.stop(), postgres.stop()]);
    for (const each of [directory, postgresDirectory]) rmSync(each, { recursive: true, force: true });
  }
}

function home(): string {
  return mkdtempSync(join(tmpdir(), 'tollgate-bench-'));
}

async function figuresOf(what: string, place: LogPlace, ledger: RedisLedger, promised: number): Promise<Figure[]> {
  const log = new UsageLog({ open: () => openDatabase(place), ledger: ledger.operator });
  await log.drain(); // opens it
  await fill(ledger);
  const started = performance.now();
  await log.drain();
  const perSecond = Math.round(ROWS / ((performance.now() - started) / 1000));
  await log.close();
  const database = await openDatabase(place);
  const [size] = await database.query<{ rows: number; bytes: number }>(
    `select count(*)::int as rows, (pg_total_relation_size('calls') / count(*))::int as bytes from calls`,
  );
  await database.close();
  const { rows, bytes } = size!;
  return [
    {
      what: `usage records into ${what}, from Redis, 3 counters each`,
      promised: `≥ ${promised.toLocaleString('en')} a second`,
      measured: `${perSecond.toLocaleString('en')} a second`,
      holds: perSecond >= promised && rows === ROWS,
    },
    {
      what: `a call in the log in ${what}, with its indexes`,
      promised: '≤ 1,000 bytes',
      measured: `${bytes} bytes`,
      holds: bytes <= 1_000,
    },
  ];
}

/** The further fields of a record of Claude Code, so that a row has a realistic size. */
function details(): Partial<UsageRecord> {
  return {
    cache_read_tokens: 48_211,
    cache_write_5m_tokens: 1_290,
    cache_write_1h_tokens: 0,
    web_searches: 0,
    code_executions: 0,
    fast: false,
    regional: false,
    price_version: '2026-11-23',
    policy_version: Date.now(),
    ending: 'Answered',
    session: crypto.randomUUID(),
    request_id: 'req_011CSHoEeqs5C35K2UUqR7Fy',
    first_byte_ms: 412,
  };
}

/** Settles calls, whose records stay in the stream. */
async function fill(ledger: RedisLedger): Promise<void> {
  let made = 0;
  const loop = async (): Promise<void> => {
    while (made < ROWS) {
      made += 1;
      await call(ledger, crypto.randomUUID(), `customer-${made % CUSTOMERS}`, { record: details() });
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, loop));
}

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe } from '@jest/globals';
import type { LogPlace } from '../../../config/log-place.ts';
import { type PgBouncer, startPgBouncer } from '../../../hack/services/pgbouncer.ts';
import type { Postgres } from '../../../hack/services/postgres.ts';
import type { Redis } from '../../../hack/services/redis.ts';
import type { RedisLedger } from '../../../ledger/redis/connect-ledger.ts';
import type { DeadLetter } from '../../../log/call-row.ts';
import type { Database } from '../../../log/database/database.ts';
import { openDatabase } from '../../../log/database/open-database.ts';
import { UsageLog } from '../../../log/usage-log.ts';
import { connectCalls } from '../../support/ledger-calls.ts';
import { createDatabase, startPostgres } from '../../support/postgres.ts';
import { startRedis } from '../../support/redis.ts';

interface Services {
  readonly redis: Redis;
  readonly postgres: Postgres;
  /** A pooler in front of a database of its own on that Postgres. */
  readonly pooled: PgBouncer;
}

/** An empty log, with a ledger whose streams it takes. */
interface LogFixture {
  /** Of the database: ids of calls begin with it, so that both logs can share a ledger's server. */
  readonly name: string;
  readonly place: LogPlace;
  readonly database: Database;
  readonly ledger: RedisLedger;
  readonly log: UsageLog;
  /** Those of the current test. */
  readonly deadLetters: DeadLetter[];
  readonly redis: Redis;
}

/** Starts Redis and Postgres for the tests of this file. */
export function startServices(): () => Services {
  let services: Services;
  let folders: string[] = [];
  beforeAll(async () => {
    const [redis, postgres] = await Promise.all([startRedis(), startPostgres()]);
    const url = await createDatabase(postgres.url, 'pooled');
    services = { redis, postgres, pooled: await startPgBouncer(postgres.directory, { ...postgres, url }) };
    folders = [redis.directory, postgres.directory];
  });
  afterAll(async () => {
    await Promise.all([services.redis.stop(), services.pooled.stop().then(() => services.postgres.stop())]);
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  });
  return () => services;
}

/** Runs tests of the log in both databases that it supports, in Postgres also through a pooler. */
export function describeLog(services: () => Services, tests: (fixture: () => LogFixture) => void): void {
  const places: Readonly<Record<string, () => LogPlace>> = {
    Postgres: () => ({ url: services().postgres.url }),
    PgBouncer: () => ({ url: services().pooled.url }),
    PGlite: () => ({ folder: mkdtempSync(join(tmpdir(), 'tollgate-log-')) }),
  };
  describe.each(Object.entries(places))('the log in %s', (name, place) => {
    let opened: Omit<LogFixture, 'deadLetters'>;
    let deadLetters: DeadLetter[] = [];

    beforeAll(async () => {
      const { redis } = services();
      const opens = place();
      const database = await openDatabase(opens);
      const open = async () => ({ ...database, close: async () => {} });
      const ledger = await connectCalls(redis.url, name);
      const log = new UsageLog({ open, ledger: ledger.operator, onDeadLetters: (more) => deadLetters.push(...more) });
      opened = { name, place: opens, database, ledger, log, redis };
      await log.drain();
    });

    beforeEach(async () => {
      deadLetters = [];
      await opened.database.query('truncate calls, batches, totals, corrections, refusals, dead_letters, positions');
    });

    afterAll(async () => {
      await opened.log.close();
      await opened.database.close();
      opened.ledger.close();
    });

    tests(() => ({ ...opened, deadLetters }));
  });
}

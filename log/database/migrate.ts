import { readFileSync } from 'node:fs';
import type { Database, Query, ReadQuery } from './database.ts';

/** In the order in which they are applied. A released migration is never edited: a change is a new one. */
const MIGRATIONS: readonly string[] = ['0001-log', '0002-batches', '0003-owners', '0004-sums', '0005-corrections'];

/** Any number that is the same in every operator. */
const LOCK_ID = 7_406_524;

/** Takes the log's write lock, which is held to the end of the transaction. */
export async function lock(query: Query): Promise<void> {
  await query('select pg_advisory_xact_lock($1)', [LOCK_ID]);
}

/** Applies the missing migrations, one operator at a time; leaves a database of a newer version as it is. */
export async function migrate(database: Database): Promise<void> {
  await database.transaction(async (query) => {
    await lock(query);
    await query(`create table if not exists migrations (
      name text primary key, applied timestamptz not null default now())`);
    const applied = new Set((await query<{ name: string }>('select name from migrations')).map(({ name }) => name));
    for (const name of MIGRATIONS.filter((each) => !applied.has(each))) {
      for (const statement of statements(name)) await query(statement);
      await query('insert into migrations (name) values ($1)', [name]);
    }
  });
}

/** Which migrations this version would still apply, and which applied ones it does not know. Only reads. */
export async function migrationsOf(query: ReadQuery): Promise<{ missing: string[]; unknown: string[] }> {
  const [exists] = await query<{ found: string | null }>("select to_regclass('migrations')::text as found");
  const rows = exists?.found ? await query<{ name: string }>('select name from migrations') : [];
  const applied = rows.map(({ name }) => name);
  return {
    missing: MIGRATIONS.filter((name) => !applied.includes(name)),
    unknown: applied.filter((name) => !MIGRATIONS.includes(name)),
  };
}

/** A statement ends with a semicolon at the end of a line. */
function statements(name: string): string[] {
  const text = readFileSync(new URL(`migrations/${name}.sql`, import.meta.url), 'utf8');
  return text.split(/;\n/).filter((statement) => statement.trim() !== '');
}

import pg from 'pg';
import { type Database, type Query, translate } from './database.ts';

const CONNECT_MS = 5_000;
/** A statement that takes longer is given up, so that nobody waits for one who hangs with the lock in hand. */
const STATEMENT_MS = 30_000;

/** Connects when first asked. `url`: `postgres://user:password@host:port/database`, never printed. */
export function openPostgres(url: string): Database {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: 'tollgate',
    max: 4,
    connectionTimeoutMillis: CONNECT_MS,
    statement_timeout: STATEMENT_MS,
    idle_in_transaction_session_timeout: STATEMENT_MS,
    // Also where the host has vanished without a word.
    query_timeout: STATEMENT_MS + CONNECT_MS,
    keepAlive: true,
  });
  // A connection that breaks while nobody uses it is replaced; who uses one sees the error at the next query. Nobody
  // listening would end the process, also between two queries of a transaction, where the pool does not listen.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  return {
    query: queryOn(pool),
    transaction: (work) => transaction(pool, work),
    close: () => pool.end(),
  };
}

async function transaction<T>(pool: pg.Pool, work: (query: Query) => Promise<T>): Promise<T> {
  const client = await pool.connect().catch((error: unknown) => {
    throw translate(error);
  });
  const query = queryOn(client);
  let fault: Error | undefined;
  try {
    await query('begin');
    const result = await work(query);
    await query('commit');
    return result;
  } catch (error) {
    fault = translate(error);
    throw fault;
  } finally {
    // A connection on which something failed is given up: that undoes whatever was not committed.
    client.release(fault);
  }
}

function queryOn(runner: pg.Pool | pg.PoolClient): Query {
  return async <Row>(sql: string, params: readonly (string | number)[] = []) => {
    try {
      const { rows } = await runner.query(sql, [...params]);
      return rows as Row[];
    } catch (error) {
      throw translate(error);
    }
  };
}

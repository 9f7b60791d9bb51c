import pg from 'pg';
import { type Database, type Query, translate } from './database.ts';

const CONNECT_MS = 5_000;
/** Longer statements are cancelled, so that a hung connection cannot hold the log's lock for ever. */
const STATEMENT_MS = 30_000;

/** Connects at the first query. `url`: `postgres://user:password@host:port/database`, never printed. */
export function openPostgres(url: string): Database {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: 'tollgate',
    max: 4,
    connectionTimeoutMillis: CONNECT_MS,
    statement_timeout: STATEMENT_MS,
    idle_in_transaction_session_timeout: STATEMENT_MS,
    // For a host that vanished without closing the connection.
    query_timeout: STATEMENT_MS + CONNECT_MS,
    keepAlive: true,
  });
  // An 'error' event without a listener would end the process. The pool replaces an idle connection that breaks; one in
  // use reports the error at its next query. The pool itself does not listen between two queries of a transaction.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  return { query: queryOn(pool), transaction: (work) => transaction(pool, work), close: () => pool.end() };
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
    // Closing the connection after a failure rolls back whatever was not committed.
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

import pg from 'pg';
import { type Database, NUMERIC, type Query, shortNumeric, translate } from './database.ts';
import { postgresAddress, type Tls } from './postgres-tls.ts';

const CONNECT_MS = 5_000;
/** Longer statements are cancelled, so that a hung connection cannot hold the log's lock for ever. */
const STATEMENT_MS = 30_000;

/**
 * Time-outs belong to the transaction: a pooler such as PgBouncer gives each transaction another session, and refuses
 * connections that bring settings of their own.
 */
const BEGIN = `begin;
  set local statement_timeout = ${STATEMENT_MS};
  set local idle_in_transaction_session_timeout = ${STATEMENT_MS}`;

/**
 * Connects at the first query. `url`: `postgres://user:password@host:port/database`, never printed. Nothing here outlives a
 * transaction: no prepared statements, no settings, no locks of a session. @throws LogUnreachable if a file that the URL
 * names cannot be read
 */
export function openPostgres(url: string): Database {
  const pools = new Pools(url);
  const run = async <T>(work: (query: Query) => Promise<T>): Promise<T> => transaction(await pools.connect(), work);
  return {
    query: <Row>(sql: string, params: readonly (string | number)[] = []) => run((query) => query<Row>(sql, params)),
    transaction: run,
    close: () => pools.end(),
  };
}

/** A pool for each way to connect that `sslmode` allows. */
class Pools {
  readonly #pools: readonly pg.Pool[];
  /** The way that worked last. */
  #current = 0;

  constructor(text: string) {
    try {
      const { url, tls } = postgresAddress(text);
      this.#pools = tls.map((ssl) => openPool(url, ssl));
    } catch (error) {
      throw translate(error);
    }
    // The next connection is tried in order again: the server may have TLS by then.
    for (const pool of this.#pools.slice(1)) pool.on('remove', () => (this.#current = 0));
  }

  async connect(): Promise<pg.PoolClient> {
    const errors: unknown[] = [];
    for (let tries = 0; tries < this.#pools.length; tries += 1) {
      const way = (this.#current + tries) % this.#pools.length;
      try {
        const client = await this.#pools[way]!.connect();
        this.#current = way;
        return client;
      } catch (error) {
        errors.push(error);
      }
    }
    throw translate(errors[0]);
  }

  async end(): Promise<void> {
    await Promise.all(this.#pools.map((pool) => pool.end()));
  }
}

const TYPES = new pg.TypeOverrides();
TYPES.setTypeParser(NUMERIC, shortNumeric);

function openPool(url: string, ssl: Tls): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    ssl,
    types: TYPES,
    application_name: 'tollgate',
    max: 4,
    connectionTimeoutMillis: CONNECT_MS,
    // For a host that vanished without closing the connection.
    query_timeout: STATEMENT_MS + CONNECT_MS,
    keepAlive: true,
  });
  // An 'error' event without a listener would end the process. The pool replaces an idle connection that breaks; one in
  // use reports the error at its next query. The pool itself does not listen between two queries of a transaction.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

async function transaction<T>(client: pg.PoolClient, work: (query: Query) => Promise<T>): Promise<T> {
  const query = queryOn(client);
  let fault: Error | undefined;
  try {
    await query(BEGIN);
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

function queryOn(client: pg.PoolClient): Query {
  return async <Row>(sql: string, params: readonly (string | number)[] = []) => {
    try {
      const { rows } = await client.query(sql, [...params]);
      return rows as Row[];
    } catch (error) {
      throw translate(error);
    }
  };
}

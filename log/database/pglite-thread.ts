/** The worker thread of `pglite.ts`: runs Postgres and executes one statement after the other. */

import { parentPort, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';
import { NUMERIC, shortNumeric } from './database.ts';

export interface Statement {
  readonly id: number;
  readonly sql: string;
  readonly params: readonly (string | number)[];
}

/** Its rows, or Postgres' error. */
export interface StatementResult {
  readonly id: number;
  readonly rows?: readonly unknown[];
  readonly error?: { readonly code: unknown; readonly message: string };
}

const db = await PGlite.create(workerData as string, { parsers: { [NUMERIC]: shortNumeric } });

parentPort?.on('message', (message: Statement | 'close') => {
  if (message === 'close') void db.close().finally(() => parentPort?.close());
  else void run(message).then((result) => parentPort?.postMessage(result));
});

async function run({ id, sql, params }: Statement): Promise<StatementResult> {
  try {
    const { rows } = await db.query(sql, [...params]);
    return { id, rows };
  } catch (error) {
    const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
    return { id, error: { code, message: String(message) } };
  }
}

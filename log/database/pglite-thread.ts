/** The thread of `pglite.ts`: Postgres, and the questions that come to it one after the other. */

import { parentPort, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';

/** A statement. */
export interface Question {
  readonly id: number;
  readonly sql: string;
  readonly params: readonly (string | number)[];
}

/** Its rows, or what Postgres says is wrong with it. */
export interface Answer {
  readonly id: number;
  readonly rows?: readonly unknown[];
  readonly error?: { readonly code: unknown; readonly message: string };
}

const db = await PGlite.create(workerData as string);

parentPort?.on('message', (question: Question | 'close') => {
  if (question === 'close') void db.close().finally(() => parentPort?.close());
  else void answer(question).then((said) => parentPort?.postMessage(said));
});

async function answer({ id, sql, params }: Question): Promise<Answer> {
  try {
    const { rows } = await db.query(sql, [...params]);
    return { id, rows };
  } catch (error) {
    const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
    return { id, error: { code, message: String(message) } };
  }
}

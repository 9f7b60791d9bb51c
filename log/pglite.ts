import { mkdirSync } from 'node:fs';
import { PGlite } from '@electric-sql/pglite';
import { claim } from './claim.ts';
import { type Database, type Query, translate } from './database.ts';

/**
 * Postgres in this process, with its data in a folder that nobody else may have open. For one replica: while a
 * statement runs, the process does nothing else. Throws `LogUnreachable` where another process has the folder.
 */
export async function openPGlite(folder: string): Promise<Database> {
  mkdirSync(folder, { recursive: true });
  const release = await claim(folder);
  try {
    const db = await PGlite.create(folder);
    return {
      query: queryOn(db),
      transaction: (work) =>
        db
          .transaction((tx) => work(queryOn(tx)))
          .catch((error: unknown) => {
            throw translate(error);
          }),
      close: async () => {
        await db.close();
        await release();
      },
    };
  } catch (error) {
    await release();
    throw translate(error);
  }
}

function queryOn(runner: Pick<PGlite, 'query'>): Query {
  return async <Row>(sql: string, params: readonly (string | number)[] = []) => {
    try {
      const { rows } = await runner.query<Row>(sql, [...params]);
      return rows;
    } catch (error) {
      throw translate(error);
    }
  };
}

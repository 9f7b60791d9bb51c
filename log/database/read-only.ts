import type { Database } from './database.ts';

/** Runs one SELECT in a transaction that may not write. */
export async function readOnly(database: Database, sql: string): Promise<readonly unknown[]> {
  const statement = sql.trim().replace(/;$/, '');
  // A second statement could end the transaction and write.
  if (statement.includes(';')) throw new Error('write one statement, without a semicolon in it');
  return database.transaction(async (query) => {
    await query('set transaction read only');
    return query(statement);
  });
}

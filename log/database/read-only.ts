import type { Database } from './database.ts';

/** Runs one SELECT in a transaction that may not write. Throws an Error that says what to write, or the database's own. */
export async function readOnly(database: Database, sql: string): Promise<readonly unknown[]> {
  const statement = sql.trim().replace(/;$/, '');
  // Others, such as COPY, act outside of the transaction.
  if (!/^(?:select|with|values|table|explain)\b/i.test(statement))
    throw new Error('write a SELECT: the log is only read');
  // A second statement could end the transaction and write.
  if (statement.includes(';')) throw new Error('write one statement, without a semicolon in it');
  return database.transaction(async (query) => {
    await query('set transaction read only');
    return query(statement);
  });
}

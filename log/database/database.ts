/** A Postgres, wherever it runs: all that the log asks of one. `postgres.ts` and `pglite.ts` are the two there are. */

/** What a statement takes. Lists go as one JSON text, so that both drivers send them alike. */
type Param = string | number;

/** Runs one statement and gives its rows. Throws `LogUnreachable` or `RowRefused`. */
export type Query = <Row = unknown>(sql: string, params?: readonly Param[]) => Promise<readonly Row[]>;

/** An open database. */
export interface Database {
  /** One statement on its own. */
  readonly query: Query;
  /** All of `work` or nothing of it; what it throws undoes everything. */
  transaction<T>(work: (query: Query) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** The database does not answer, or cannot do its work now: the same may succeed later. */
export class LogUnreachable extends Error {
  override readonly name = 'LogUnreachable';
}

/** The database will never take one of these rows, whoever asks and when. */
export class RowRefused extends Error {
  override readonly name = 'RowRefused';
}

/** Classes of SQLSTATE that are the data's fault: data exception, integrity, cardinality, program limits. */
const DATA_FAULTS = ['22', '23', '21', '54'];

/** The error of a driver as one of the log's own. No message of Postgres holds a password. */
export function translate(error: unknown): Error {
  if (error instanceof LogUnreachable || error instanceof RowRefused) return error;
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
  const text = String(message || code || error);
  return DATA_FAULTS.includes(String(code).slice(0, 2)) ? new RowRefused(text) : new LogUnreachable(text);
}

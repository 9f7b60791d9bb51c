/** Runs one statement without parameters and returns its rows. Throws `LogUnreachable`. */
export type ReadQuery = <Row = unknown>(sql: string) => Promise<readonly Row[]>;

/** Lists are passed as one JSON text, because the two drivers send arrays differently. */
type Param = string | number;

/** Runs one statement and returns its rows. Throws `LogUnreachable` or `RowRefused`. */
export type Query = <Row = unknown>(sql: string, params?: readonly Param[]) => Promise<readonly Row[]>;

/** All that the log needs of a Postgres. `postgres.ts` and `pglite.ts` implement it. */
export interface Database {
  readonly query: Query;
  /** Commits after `work`; rolls back if it throws. */
  transaction<T>(work: (query: Query) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** The type of exact numbers, such as sums and dollars, by its number in Postgres. */
export const NUMERIC = 1700;

/** An exact number as text, without the zeros that a division leaves at its end. */
export function shortNumeric(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

/** The database does not answer or cannot work now; the same statement may succeed later. */
export class LogUnreachable extends Error {
  override readonly name = 'LogUnreachable';
}

/** The database will never accept one of these rows. */
export class RowRefused extends Error {
  override readonly name = 'RowRefused';
}

/** Classes of SQLSTATE that are caused by the data: data exception, integrity, cardinality, program limits. */
const DATA_FAULTS = ['22', '23', '21', '54'];

/** Turns an error of a driver into one of the log's own. Postgres puts no password into its messages. */
export function translate(error: unknown): Error {
  if (error instanceof LogUnreachable || error instanceof RowRefused) return error;
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
  const text = String(message || code || error);
  return DATA_FAULTS.includes(String(code).slice(0, 2)) ? new RowRefused(text) : new LogUnreachable(text);
}

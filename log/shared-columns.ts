import type { UsageColumn } from '../policy/core/usage-record.ts';

/** The columns that say whose call a row belongs to. All rows of one call share them. */
export const sharedColumns = [
  'workspace',
  'workspace_uid',
  'namespace_uid',
  'key',
  'feature',
  'customer',
  'end_user',
  'department',
  'tags',
  'session',
  'asked_model',
  'model',
  'batch',
] as const satisfies readonly UsageColumn[];

/** What a row has in these columns; what is absent or null is not known. */
export type SharedValues<Value> = Readonly<Partial<Record<(typeof sharedColumns)[number], Value>>>;

/** What is known of them, without the other columns of a row. */
export function sharedOf<Value>(values: SharedValues<Value>): SharedValues<Value> {
  const known = sharedColumns.filter((name) => values[name] !== undefined && values[name] !== null);
  return Object.fromEntries(known.map((name) => [name, values[name]])) as SharedValues<Value>;
}

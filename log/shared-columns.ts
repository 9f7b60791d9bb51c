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
export function sharedOf<Value>(values: SharedValues<Value> = {}): SharedValues<Value> {
  const known = sharedColumns.filter((name) => values[name] !== undefined && values[name] !== null);
  return Object.fromEntries(known.map((name) => [name, values[name]])) as SharedValues<Value>;
}

/**
 * The id of the call that a row belongs to, if the row is no call of its own: what stayed presumed of a call, or what a
 * Message Batch holds. Otherwise null. A request of a batch is a call, whatever its `custom_id`.
 */
export function wholeOf(id: string): string | null {
  return /^([^/]+)\/(?:rest|batch)$/.exec(id)?.[1] ?? null;
}

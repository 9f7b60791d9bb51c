/**
 * Checked access to a body that nobody vouches for. Reading it is straight-line code: what does not fit is thrown as a
 * `Rejected`, which `readRequest` alone catches.
 */

/** The body cannot go upstream. The message is a sentence for the caller that names the field. */
export class RequestRejected extends Error {
  override readonly name = 'Rejected';
  readonly reason: 'BodyInvalid' | 'Unsupported';
  constructor(reason: 'BodyInvalid' | 'Unsupported', message: string) {
    super(message);
    this.reason = reason;
  }
}

/** The body is not a Messages request. */
export function invalid(message: string): RequestRejected {
  return new RequestRejected('BodyInvalid', message);
}

/** The body asks for something whose cost has no bound here. */
export function unsupported(what: string): RequestRejected {
  return new RequestRejected(
    'Unsupported',
    `${what} is not supported by Tollgate, which cannot bound its cost yet. Leave it out.`,
  );
}

/** The members of a JSON object, of which nothing is known yet. */
export type JsonFields = Readonly<Record<string, unknown>>;

/** The object at a path; throws `Rejected` (`BodyInvalid`), as all of these do. */
export function objectAt(value: unknown, path: string): JsonFields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonFields;
  throw invalid(`${path} must be an object.`);
}

/** The list at a path. */
export function listAt(value: unknown, path: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw invalid(`${path} must be a list.`);
}

/** The string at a path. */
export function stringAt(value: unknown, path: string): string {
  if (typeof value === 'string') return value;
  throw invalid(`${path} must be a string.`);
}

/** The non-negative integer at a path. */
export function countAt(value: unknown, path: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw invalid(`${path} must be a non-negative integer.`);
}

/** Whether a field says anything: null and a list of nothing do not. */
export function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null && !(Array.isArray(value) && value.length === 0);
}

/** Refuses every field that the list does not have: what is not known may cost. Null is no value: SDKs echo it. */
export function onlyFields(fields: JsonFields, known: ReadonlySet<string>, path: string): void {
  for (const name in fields) {
    if (fields[name] !== null && !known.has(name))
      throw unsupported(path === '' ? quoted(name) : `${path}.${quoted(name)}`);
  }
}

/** Refuses every value but the listed ones; absent and null are no value. */
export function onlyValues(value: unknown, known: readonly string[], path: string): void {
  if (value === undefined || value === null || known.includes(value as string)) return;
  if (typeof value !== 'string') throw invalid(`${path} must be a string.`);
  throw unsupported(`${path} ${quoted(value)}`);
}

/** A caller's word in a sentence of ours: plain where it is an identifier, else as a short JSON string. */
export function quoted(word: string): string {
  return /^[\w.-]{1,64}$/.test(word) ? word : JSON.stringify(word.slice(0, 64));
}

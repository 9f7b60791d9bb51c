/** Checked access to an untrusted JSON body: what does not fit is thrown as a `RequestRejected`. */

import { LongText } from './long-text.ts';

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

/** The body asks for something whose cost Tollgate cannot bound. */
export function unsupported(what: string): RequestRejected {
  return new RequestRejected(
    'Unsupported',
    `${what} is not supported by Tollgate, which cannot bound its cost yet. Leave it out.`,
  );
}

/** The fields of an unchecked JSON object. A string in it may be a `LongText`. */
export type JsonFields = Readonly<Record<string, unknown>>;

/** The object at a path; throws `RequestRejected` (`BodyInvalid`), as do the functions below. */
export function objectAt(value: unknown, path: string): JsonFields {
  if (isObject(value)) return value;
  throw invalid(`${path} must be an object.`);
}

/** The object, or one without fields in place of anything else. */
export function objectOrNone(value: unknown): JsonFields {
  return isObject(value) ? value : {};
}

export function isObject(value: unknown): value is JsonFields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof LongText);
}

export function listAt(value: unknown, path: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw invalid(`${path} must be a list.`);
}

/** A name or other short string, of at most 4,096 bytes; `textAt` takes longer ones. */
export function stringAt(value: unknown, path: string): string {
  if (typeof value === 'string') return value;
  if (!(value instanceof LongText)) throw invalid(`${path} must be a string.`);
  if (value.length <= MAX_STRING) return value.toString();
  throw invalid(`${path} must have at most ${MAX_STRING} bytes, not ${value.length}.`);
}

/** Far above any name. Bytes. */
const MAX_STRING = 4_096;

/** A string of any length. */
export function textAt(value: unknown, path: string): string | LongText {
  if (isText(value)) return value;
  throw invalid(`${path} must be a string.`);
}

/** The name of a model. Names with anything but visible ASCII could be another model for the upstream than for a budget. */
export function modelAt(value: unknown, path: string): string {
  const model = stringAt(value, path);
  if (model === '' || model.length > 256) throw invalid(`${path} must have 1 to 256 characters.`);
  if (!/^[!-~]+$/.test(model)) throw invalid(`${path} must have no spaces and only ASCII characters.`);
  return model;
}

export function isText(value: unknown): value is string | LongText {
  return typeof value === 'string' || value instanceof LongText;
}

export function countAt(value: unknown, path: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw invalid(`${path} must be a non-negative integer.`);
}

/** Whether a field has a value: null and an empty list count as none. */
export function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null && !(Array.isArray(value) && value.length === 0);
}

/** A caller's word for use in a message: as it is if it is an identifier, else as a short JSON string. */
export function quoted(word: string): string {
  return /^[\w.-]{1,64}$/.test(word) ? word : JSON.stringify(word.slice(0, 64));
}

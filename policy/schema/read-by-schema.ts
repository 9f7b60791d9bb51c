import * as v from 'valibot';
import { err, ok, type Result } from '../core/result.ts';

/** Issues whose message is the whole predicate after the path, such as `names several hosts: write …`. */
const WHOLE_PREDICATES = new Set(['object', 'strict_object', 'check', 'check_items']);
/** A URL, or a host without a scheme, with a user or a password in it. */
const CREDENTIALS = /\S@/;
const MAX_SHOWN = 80;

interface Options {
  /** The name of the value as a whole, such as `the file`. */
  readonly root: string;
  /** Fields of the root whose values are never shown, since they may hold a password. */
  readonly secret?: readonly string[];
}

/**
 * Reads a value by a schema. The error names every problem as path, value, and what to write instead, without a full stop:
 * `models[0].id is 5: write a name`. The message of a schema is what to write; that of a check is the whole predicate.
 */
export function readBySchema<S extends v.GenericSchema>(
  schema: S,
  value: unknown,
  { root, secret = [] }: Options,
): Result<v.InferOutput<S>, readonly string[]> {
  const { success, output, issues } = v.safeParse(schema, value, { abortPipeEarly: true });
  return success ? ok(output) : err(issues.map((issue) => problemOf(issue, root, secret)));
}

function problemOf(issue: v.BaseIssue<unknown>, root: string, secret: readonly string[]): string {
  const { path = [], input, type, message } = issue;
  const subject = path.length === 0 ? root : path.map(segment).join('').replace(/^\./, '');
  if (WHOLE_PREDICATES.has(type)) return `${subject} ${message}`;
  const value = path.length === 0 ? input : path.at(-1)!.value;
  const isSecret = secret.includes(String(path[0]?.key));
  return `${subject} ${isSecret ? foundSecret(value) : found(value)}: write ${message}`;
}

/** The predicate of a missing field. */
export const NOT_SET = 'is not set';

function segment({ key }: v.IssuePathItem): string {
  return typeof key === 'number' ? `[${key}]` : `.${String(key)}`;
}

function found(value: unknown): string {
  if (value === undefined) return NOT_SET;
  if (Array.isArray(value)) return value.length === 0 ? 'is an empty list' : 'is a list';
  if (typeof value === 'object' && value !== null) return 'is a mapping';
  const text = JSON.stringify(value);
  if (CREDENTIALS.test(text)) return 'is not valid and not shown, since it may hold a password';
  return `is ${text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text}`;
}

function foundSecret(value: unknown): string {
  if (value === undefined) return NOT_SET;
  return value === '' ? 'is empty' : 'is not valid';
}

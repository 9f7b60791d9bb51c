/**
 * Reads a JSON object from bytes, more strictly than JSON.parse: what is priced must be what is sent, so no object may
 * have a key twice (readers differ in which one counts), and top-level values can be found again in the bytes.
 */

import { quoted, Rejected } from './rejection.ts';
import type { JsonFields } from './rejection.ts';

/** The bytes are not one JSON object without a duplicated key. The message is a sentence for the caller. */
export class JsonInvalid extends Rejected {
  constructor(message: string) {
    super('BodyInvalid', message);
  }
}

/** The bytes [start, end) of a body. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** An object, and where its values stand in the bytes. */
export interface JsonObject {
  readonly fields: JsonFields;
  /** Where the value of a top-level field stands in the bytes, if it is there and is a string or a number. */
  readonly span: (name: string) => Span;
}

/** Deeper nesting is refused before it is parsed. */
export const MAX_DEPTH = 128;

/** Throws `JsonInvalid`. */
export function readJsonObject(bytes: Uint8Array): JsonObject {
  const text = decode(bytes);
  const starts = scan(text);
  const fields = parse(text);
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
    throw new JsonInvalid('The body must be a JSON object.');
  }
  return {
    fields: fields as JsonFields,
    span: (name) => {
      const from = starts.get(name) ?? 0;
      const to = endOfScalar(text, from);
      return { start: byteOffset(text, from, bytes.length), end: byteOffset(text, to, bytes.length) };
    },
  };
}

const ENCODER = new TextEncoder();

/** How many bytes a text has in UTF-8. */
export function utf8Length(text: string): number {
  return ENCODER.encode(text).length;
}

/** Counts from the nearer end: of a long body, `model` tends to stand first and `max_tokens` last. */
function byteOffset(text: string, index: number, bytes: number): number {
  if (text.length === bytes) return index;
  return index * 2 < text.length ? utf8Length(text.slice(0, index)) : bytes - utf8Length(text.slice(index));
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decode(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    throw new JsonInvalid('The body is not valid UTF-8.');
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new JsonInvalid('The body is not valid JSON.');
  }
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * One pass over the structure, jumping over strings: where each top-level value starts. In valid JSON a string is a key
 * if and only if a colon follows; what is found in invalid JSON does not matter, since `parse` refuses it afterwards.
 */
function scan(text: string): ReadonlyMap<string, number> {
  const starts = new Map<string, number>();
  const keysAt: Set<string>[] = [];
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (char === QUOTE) {
      const end = endOfString(text, i + 1);
      const colon = skipSpace(text, end + 1);
      if (text.charCodeAt(colon) === COLON) {
        const key = decodeKey(text.slice(i + 1, end));
        if (depth === 1) starts.set(key, skipSpace(text, colon + 1));
        addOnce(keysAt[depth], key);
      }
      i = end;
    } else if (char === OPEN_OBJECT || char === OPEN_LIST) {
      if (++depth > MAX_DEPTH) throw new JsonInvalid(`The body is nested deeper than ${MAX_DEPTH} levels.`);
      (keysAt[depth] ??= new Set()).clear();
    } else if (char === CLOSE_OBJECT || char === CLOSE_LIST) {
      depth--;
    }
  }
  return starts;
}

function addOnce(keys: Set<string> | undefined, key: string): void {
  if (keys?.has(key)) throw new JsonInvalid(`The body has the key ${quoted(key)} twice in one object.`);
  keys?.add(key);
}

function decodeKey(raw: string): string {
  return raw.includes('\\') ? String(parse(`"${raw}"`)) : raw;
}

/** The index of the quote that ends the string whose first character is at `from`. */
function endOfString(text: string, from: number): number {
  for (let end = text.indexOf('"', from); end !== -1; end = text.indexOf('"', end + 1)) {
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return end;
  }
  return text.length;
}

function endOfScalar(text: string, from: number): number {
  if (text.charCodeAt(from) === QUOTE) return endOfString(text, from + 1) + 1;
  let end = from;
  while (end < text.length && !isSpace(text.charCodeAt(end)) && !isEnd(text.charCodeAt(end))) end++;
  return end;
}

function isEnd(char: number): boolean {
  return char === COMMA || char === CLOSE_OBJECT;
}

function skipSpace(text: string, from: number): number {
  let i = from;
  while (isSpace(text.charCodeAt(i))) i++;
  return i;
}

function isSpace(char: number): boolean {
  return char === 0x20 || char === 0x0a || char === 0x0d || char === 0x09;
}

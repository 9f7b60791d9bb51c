/**
 * Reads a JSON object from bytes, more strictly than JSON.parse: the request that is priced must be the one that is sent,
 * so no object may have a key twice (parsers differ in which one counts), and the bytes of top-level values can be found.
 */

import { type JsonFields, quoted, RequestRejected } from './json-access.ts';

/** The bytes are not one JSON object without a duplicated key. The message is a sentence for the caller. */
export class JsonInvalid extends RequestRejected {
  constructor(message: string) {
    super('BodyInvalid', message);
  }
}

/** The bytes [start, end) of a body. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** An object, and where its values are in the bytes. */
export interface JsonObject {
  readonly fields: JsonFields;
  /** The bytes of a top-level field's value, which must be present and a string or a number. */
  readonly span: (name: string) => Span;
  /** The bytes of a field in object `index` of the list `name`; absent: the empty span behind the object's brace. */
  readonly spanIn: (name: string, index: number, field: string) => Span;
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
  const inBytes = ({ start, end }: Span): Span => ({
    start: byteOffset(text, start, bytes.length),
    end: byteOffset(text, end, bytes.length),
  });
  return {
    fields: fields as JsonFields,
    span: (name) => {
      const start = starts.get(name) ?? 0;
      return inBytes({ start, end: endOfScalar(text, start) });
    },
    spanIn: (name, index, field) => inBytes(memberSpan(text, elementStart(text, starts.get(name) ?? 0, index), field)),
  };
}

const ENCODER = new TextEncoder();

export function utf8Length(text: string): number {
  return ENCODER.encode(text).length;
}

/** Counts from the nearer end, since `model` tends to be first in a long body and `max_tokens` last. */
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

export const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
export const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * Finds where each top-level value starts, in one pass that skips strings. In valid JSON a string is a key if and only
 * if a colon follows; the result for invalid JSON does not matter, since `parse` rejects it afterwards.
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
    } else if (isOpen(char)) {
      if (++depth > MAX_DEPTH) throw new JsonInvalid(`The body is nested deeper than ${MAX_DEPTH} levels.`);
      (keysAt[depth] ??= new Set()).clear();
    } else if (isClose(char)) {
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

/** The start of the value at `index` of the list that starts at `list`. */
function elementStart(text: string, list: number, index: number): number {
  let at = skipSpace(text, list + 1);
  for (let i = 0; i < index; i++) at = skipSpace(text, skipSpace(text, endOfValue(text, at)) + 1);
  return at;
}

/** The span of a field's value in the object that starts at `object`, or the empty span where it can be inserted. */
function memberSpan(text: string, object: number, field: string): Span {
  let at = skipSpace(text, object + 1);
  while (text.charCodeAt(at) === QUOTE) {
    const end = endOfString(text, at + 1);
    const start = skipSpace(text, skipSpace(text, end + 1) + 1);
    const behind = endOfValue(text, start);
    if (decodeKey(text.slice(at + 1, end)) === field) return { start, end: behind };
    at = skipSpace(text, skipSpace(text, behind) + 1);
  }
  return { start: object + 1, end: object + 1 };
}

function endOfValue(text: string, from: number): number {
  if (!isOpen(text.charCodeAt(from))) return endOfScalar(text, from);
  let depth = 0;
  for (let i = from; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (char === QUOTE) i = endOfString(text, i + 1);
    else if (isOpen(char)) depth++;
    else if (isClose(char) && --depth === 0) return i + 1;
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
  return char === COMMA || isClose(char);
}

export function isOpen(char: number): boolean {
  return char === OPEN_OBJECT || char === OPEN_LIST;
}

export function isClose(char: number): boolean {
  return char === CLOSE_OBJECT || char === CLOSE_LIST;
}

function skipSpace(text: string, from: number): number {
  let i = from;
  while (isSpace(text.charCodeAt(i))) i++;
  return i;
}

export function isSpace(char: number): boolean {
  return char === 0x20 || char === 0x0a || char === 0x0d || char === 0x09;
}

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { JsonInvalid, JsonReader, MAX_DEPTH, MAX_ENTRIES, MAX_KEYS } from '../../../../policy/json/json-reader.ts';
import { LongText } from '../../../../policy/json/long-text.ts';
import { testSize } from '../../../support/test-size.ts';

/** What the reader makes of bytes in steps of a size, or its refusal. */
function read(bytes: Uint8Array, step = Infinity): unknown {
  const reader = new JsonReader(bytes, new Map());
  try {
    while (!reader.step(step)) void 0;
    return { value: copied(reader.fields) };
  } catch (error) {
    if (error instanceof JsonInvalid) return error.message;
    throw error;
  }
}

/** The value with long texts as strings, and ordinary objects. */
function copied(value: unknown): unknown {
  if (value instanceof LongText) return value.toString();
  if (Array.isArray(value)) return value.map(copied);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, copied(one)]));
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** What JSON.parse makes of the bytes; undefined where they are no JSON object. */
function parsed(bytes: Uint8Array): unknown {
  try {
    const value: unknown = JSON.parse(UTF8.decode(bytes));
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? { value: copied(value) } : undefined;
  } catch {
    return undefined;
  }
}

/** Whether it is only stricter than JSON.parse. */
const STRICTER = /twice in one object|nested deeper|values and keys|number of over/;

function expectSame(bytes: Uint8Array, step: number): void {
  const answer = read(bytes, step);
  if (typeof answer === 'string' && STRICTER.test(answer)) return;
  expect(typeof answer === 'string' ? undefined : answer).toEqual(parsed(bytes));
}

const KEYS = fc.oneof(
  fc.constantFrom('type', '__proto__', 'constructor', 'toString', '', '0', '1000', '4294967295', 'a"\\\n', 'é'),
  fc.string({ unit: 'binary' }),
);
const NUMBERS = fc.constantFrom(
  '0',
  '-0',
  '1e999',
  '-1E-999',
  '123456789012345678901234567890',
  '0.1e+5',
  '1.0',
  '9'.repeat(999),
);
const TEXTS = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ minLength: 60, maxLength: 140, unit: 'binary' }));
const SPACE = fc.constantFrom('', ' ', '\n', '\t\r ');

/** JSON text with spaces, escapes that need not be, and all kinds of keys and numbers. */
const { json: JSON_TEXT } = fc.letrec<{ json: string }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom('true', 'false', 'null'),
    NUMBERS,
    fc.double().map((value) => JSON.stringify(value)),
    TEXTS.map((text) => JSON.stringify(text)),
    fc.string({ unit: 'binary' }).map(escapedAll),
    fc
      .tuple(SPACE, fc.array(tie('json'), { maxLength: 4 }))
      .map(([space, list]) => `[${space}${list.join(`,${space}`)}${space}]`),
    objects(tie('json')),
  ),
}));

function objects(value: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const fields = fc.uniqueArray(fc.tuple(KEYS, value), { maxLength: 4, selector: ([key]) => key.toWellFormed() });
  return fc.tuple(SPACE, fields).map(([space, list]) => {
    const members = list.map(([key, one]) => `${JSON.stringify(key)}${space}:${space}${one}`);
    return `{${space}${members.join(`${space},`)}${space}}`;
  });
}

function escapedAll(text: string): string {
  const units = Array.from({ length: text.length }, (_, i) => text.charCodeAt(i).toString(16).padStart(4, '0'));
  return `"${units.map((unit) => `\\u${unit}`).join('')}"`;
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const STEPS = fc.oneof(fc.constant(Infinity), fc.integer({ min: 1, max: 40 }));
const RUNS = { numRuns: testSize({ short: 300, long: 20_000 }) };

describe('the values of a body', () => {
  test('are those of JSON.parse, in steps of any size', () => {
    fc.assert(
      fc.property(objects(JSON_TEXT), STEPS, (text, step) => expectSame(bytesOf(text), step)),
      RUNS,
    );
  });

  test('are refused where JSON.parse refuses them, or is given a byte less or another one', () => {
    const change = fc.record({
      at: fc.nat(),
      drop: fc.integer({ min: 0, max: 2 }),
      put: fc.uint8Array({ maxLength: 2 }),
    });
    fc.assert(
      fc.property(objects(JSON_TEXT), change, STEPS, (text, { at, drop, put }, step) => {
        const bytes = bytesOf(text);
        const place = at % (bytes.length + 1);
        expectSame(Uint8Array.from([...bytes.subarray(0, place), ...put, ...bytes.subarray(place + drop)]), step);
      }),
      RUNS,
    );
  });

  test('are refused where they are no UTF-8', () => {
    const inString = fc.uint8Array({ min: 0x60, maxLength: 8 });
    fc.assert(
      fc.property(inString, fc.constantFrom(0, 70), STEPS, (text, before, step) => {
        const bytes = Buffer.concat([Buffer.from(`{"a":"${'x'.repeat(before)}`), text, Buffer.from('"}')]);
        expectSame(bytes, step);
      }),
      RUNS,
    );
  });

  test.each([
    ['a lone continuation byte', [0x80]],
    ['a form that is too long', [0xc0, 0xaf]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['a character above Unicode', [0xf4, 0x90, 0x80, 0x80]],
    ['half a character', [0xe2, 0x82]],
  ])('%s is no UTF-8', (_, bytes) => {
    const body = Buffer.concat([Buffer.from('{"a":"'), Buffer.from(bytes), Buffer.from('"}')]);
    expect(read(body)).toBe('The body is not valid UTF-8.');
  });

  test('can have every name without changing an object', () => {
    const names = [...Object.getOwnPropertyNames(Object.prototype), 'a'];
    const text = `{${names.map((name) => `"${name}":{"x":1}`).join()}}`;
    const reader = new JsonReader(bytesOf(text), new Map());
    reader.step(Infinity);
    expect(Object.keys(reader.fields)).toEqual(names);
    expect(reader.fields['x']).toBeUndefined();
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });

  test('that are long stay in the body, with their escapes', () => {
    const [plain, escaped] = ['x'.repeat(65), '\\n'.repeat(33)];
    const reader = new JsonReader(bytesOf(`{"a":"${plain}","b":"${escaped}"}`), new Map());
    reader.step(Infinity);
    const [a, b] = [reader.fields['a'], reader.fields['b']] as [LongText, LongText];
    expect([a.isPlain, a.length, a.toString()]).toEqual([true, 65, plain]);
    expect([b.isPlain, b.length, b.toString()]).toEqual([false, 66, '\n'.repeat(33)]);
    expect(Object.keys(a)).toEqual([]);
  });
});

describe('bounds', () => {
  const nested = (levels: number): string => `{"a":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`;
  /** With so many values and keys: the object, a key, the list and its elements. */
  const wide = (entries: number): string => `{"a":[${'0,'.repeat(entries - 4)}0]}`;
  const keys = (count: number): string => `{${Array.from({ length: count }, (_, i) => `"k${i}":0`).join()}}`;

  test.each([
    ['depth', nested(MAX_DEPTH), nested(MAX_DEPTH + 1), 'The body is nested deeper than 128 levels.'],
    [
      'values',
      wide(MAX_ENTRIES),
      wide(MAX_ENTRIES + 1),
      'The body has more than 250,000 values and keys. Send the data as text, or divide it among several requests.',
    ],
    [
      'keys of one object',
      keys(MAX_KEYS),
      keys(MAX_KEYS + 1),
      'The body has an object with more than 10,000 keys. Send the data as a list or as text.',
    ],
    [
      'keys of one object that has others in it',
      `{"a":${keys(MAX_KEYS)},${keys(MAX_KEYS - 1).slice(1)}`,
      `{"a":${keys(MAX_KEYS)},${keys(MAX_KEYS).slice(1)}`,
      'The body has an object with more than 10,000 keys. Send the data as a list or as text.',
    ],
    [
      'the length of a key',
      `{"${'k'.repeat(65_536)}":0}`,
      `{"${'k'.repeat(65_537)}":0}`,
      'The body has a key of over 65536 bytes. Shorten it.',
    ],
    [
      'digits',
      `{"a":${'1'.repeat(1_000)}}`,
      `{"a":${'1'.repeat(1_001)}}`,
      'The body has a number of over 1,000 characters. Send it as a string.',
    ],
  ])('of %s', (_, within, beyond, message) => {
    expect(read(bytesOf(within))).toHaveProperty('value');
    expect(read(bytesOf(beyond))).toBe(message);
  });

  test('memory that is announced covers the values', () => {
    const reader = new JsonReader(bytesOf(wide(1_000)), new Map());
    reader.step(Infinity);
    expect(reader.memory).toBeGreaterThanOrEqual(100_000);
  });
});

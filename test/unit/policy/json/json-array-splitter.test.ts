import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { JsonArraySplitter } from '../../../../policy/json/json-array-splitter.ts';
import { JsonInvalid } from '../../../../policy/json/json-reader.ts';
import { testSize } from '../../../support/test-size.ts';

/** The elements of a text that arrives in chunks cut at these offsets; what is wrong with it is thrown. */
function split(text: string, cuts: readonly number[] = [], maxBytes = 1_000_000): string[] {
  const bytes = Buffer.from(text);
  const elements: string[] = [];
  const splitter = new JsonArraySplitter({ field: 'requests', maxBytes });
  const edges = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b);
  for (let i = 1; i < edges.length; i++) {
    const chunk = bytes.subarray(edges[i - 1], edges[i]);
    for (const element of splitter.split(chunk)) elements.push(Buffer.from(element).toString());
  }
  splitter.end();
  return elements;
}

/** JSON with all that a scanner could trip over, spaced as people and programs space it. */
const requests = fc.array(fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ stringUnit: 'binary' })));
const spaced = fc.tuple(requests, fc.constantFrom(undefined, 1, '\t', '\r\n '));

test('finds the elements that JSON.parse finds, however the bytes are cut', () => {
  fc.assert(
    fc.property(spaced, fc.array(fc.nat()), ([list, space], cuts) => {
      const text = JSON.stringify({ requests: list }, null, space);
      const elements = split(text, cuts).map((element) => JSON.parse(element) as unknown);
      expect(elements).toEqual((JSON.parse(text) as { requests: unknown[] }).requests);
    }),
    { numRuns: testSize({ short: 200, long: 500 }) },
  );
});

test('reads single bytes, with escapes at every boundary', () => {
  const list = [{ a: '\\' }, { b: '\\"' }, { c: '"]}' }, { d: ['\\\\', '\\"\\'] }, {}];
  const text = ` { "requests" : ${JSON.stringify(list)} } \n`;
  const every = Array.from({ length: text.length }, (_, index) => index);
  expect(split(text, every).map((element) => JSON.parse(element) as unknown)).toEqual(list);
});

/** What the splitter and the reader of each element make of a text; undefined where they refuse it. */
function accepted(text: string): unknown {
  try {
    return { requests: split(text).map((element) => JSON.parse(element) as unknown) };
  } catch (error) {
    if (error instanceof JsonInvalid || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The same by reading the text whole. */
function acceptable(text: string): unknown {
  const whole = parsed(text);
  const isList = isObject(whole) && Object.keys(whole).join() === 'requests' && Array.isArray(whole['requests']);
  return isList && (whole['requests'] as unknown[]).every(isObject) ? whole : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

test('accepts only valid JSON with that one field, if each element is valid', () => {
  const mutated = fc.tuple(spaced, fc.nat(), fc.constantFrom('', ',', '}', ']', '{', '[', '"', ':', '0', 'x', ' '));
  fc.assert(
    fc.property(mutated, ([[list, space], at, put]) => {
      const text = JSON.stringify({ requests: list }, null, space);
      const place = at % text.length;
      // Half of a surrogate pair cannot be sent.
      const broken = `${text.slice(0, place)}${put}${text.slice(place + 1)}`.toWellFormed();
      expect(accepted(broken)).toEqual(acceptable(broken));
    }),
    { numRuns: testSize({ short: 300, long: 2_000 }) },
  );
});

test.each([
  ['{"model":"x"}', 'The body may have the field requests only, not model.'],
  ['{"requests":[],"priority":1}', 'The body may have the field requests only, not priority.'],
  ['{"requests":[],"requests":[]}', 'The body has the key requests twice in one object.'],
  ['{"requests":[{},{"a":"0123456789"}]}', 'requests[1] is over 12 bytes.'],
  ...[
    '',
    '[]',
    '{}',
    '{"requests":{}}',
    '{"requests":[1]}',
    '{"requests":[{}],}',
    '{"requests":[{},]}',
    '\ufeff{}',
  ].map((text) => [text, 'The body must be JSON of the form {"requests": […]}, a list of objects.']),
  ...['{"requests":[{}', '{"requests":[{}]', '{"requests":[{}]}}'].map((text) => [
    text,
    'The body must be JSON of the form {"requests": […]}, a list of objects.',
  ]),
])('%j is refused', (text, message) => {
  expect(() => split(text, [], 12)).toThrow(message);
});

import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { jsonLength } from '../../../../policy/json/json-length.ts';
import { LongText } from '../../../../policy/json/long-text.ts';

test('is never less than JSON.stringify makes of a value, and equal for ASCII without control characters', () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) => {
      expect(jsonLength(value)).toBeGreaterThanOrEqual(Buffer.byteLength(JSON.stringify(value)));
    }),
  );
  const text = fc.string({ unit: fc.constantFrom('a', '"', '\\', ' ', '{', '~') });
  const value = fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null), fc.array(text), fc.constant({}));
  fc.assert(
    fc.property(fc.array(fc.dictionary(text, value)), (list) =>
      expect(jsonLength(list)).toBe(JSON.stringify(list).length),
    ),
  );
});

test('counts a long text as it is in the body', () => {
  const body = new TextEncoder().encode(`"${'\\n'.repeat(100)}"`);
  expect(jsonLength([new LongText(body, 1, 201, false)])).toBe(204);
});

test.each([2 ** 53, -(2 ** 60), Infinity])('counts all digits that the integer %d may have had', (value) => {
  expect(jsonLength(value)).toBe(1_000);
});

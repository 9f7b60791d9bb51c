import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { jsonLength } from '../../../../policy/request/json-length.ts';
import { LongText } from '../../../../policy/request/long-text.ts';

test('is never less than JSON.stringify makes of a value, and equal for ASCII without control characters', () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) => {
      expect(jsonLength(value)).toBeGreaterThanOrEqual(Buffer.byteLength(JSON.stringify(value)));
    }),
  );
  const ascii = fc.jsonValue({ stringUnit: fc.constantFrom('a', '"', '\\', ' ', '{', '~') });
  fc.assert(fc.property(ascii, (value) => expect(jsonLength(value)).toBe(JSON.stringify(value).length)));
});

test('counts a long text as it is in the body', () => {
  const body = new TextEncoder().encode(`"${'\\n'.repeat(100)}"`);
  expect(jsonLength([new LongText(body, 1, 201, false)])).toBe(204);
});

test.each([2 ** 53, -(2 ** 60), Infinity])('counts all digits that the integer %d may have had', (value) => {
  expect(jsonLength(value)).toBe(1_000);
});

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { globs } from '../../../../policy/core/globs.ts';

/** The meaning of `*`, by trying every way: only for short texts. */
function meant(pattern: string, value: string): boolean {
  if (pattern === '') return value === '';
  if (pattern[0] !== '*') return value[0] === pattern[0] && meant(pattern.slice(1), value.slice(1));
  return meant(pattern.slice(1), value) || (value !== '' && meant(pattern, value.slice(1)));
}

describe('globs', () => {
  test('match as an exhaustive search does', () => {
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 7 });
    const value = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 9 });
    fc.assert(
      fc.property(fc.array(pattern, { maxLength: 3 }), value, (patterns, value) => {
        expect(globs(patterns)(value)).toBe(patterns.some((one) => meant(one, value)));
      }),
      { numRuns: 2_000 },
    );
  });

  test('have no other wildcard', () => {
    const special = ['a.c', 'a?c', '[abc]', '(a|b)', '^a$', 'a+', '\\d', 'a*c.'];
    expect(special.filter((pattern) => globs([pattern])('abc'))).toEqual([]);
    expect(special.filter((pattern) => globs([pattern])(pattern))).toEqual(special);
  });

  test('are fast for patterns that make regular expressions slow', () => {
    const matches = globs(['*a'.repeat(40) + 'b']);
    expect(matches('a'.repeat(256))).toBe(false);
    expect(matches(`${'a'.repeat(255)}b`)).toBe(true);
  });
});

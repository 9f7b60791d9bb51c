import { describe, expect, test } from '@jest/globals';
import * as v from 'valibot';
import { readBySchema } from '../../../../policy/schema/read-by-schema.ts';
import { mapping, mappingOf, oneOf, text, textLike, wholeNumber } from '../../../../policy/schema/schema-parts.ts';

const schema = mapping({
  name: v.optional(text('a name')),
  size: v.optional(wholeNumber(1, 3, 'seconds'), 2),
  mode: v.optional(oneOf('On', 'Off', 'Auto')),
  code: v.optional(textLike(/^\d+$/, 'digits')),
  list: v.optional(v.array(mapping({ id: text('an id') }), 'a list of entries')),
  byName: v.optional(mappingOf(text('a text'), 'a mapping of names to texts')),
  pair: v.optional(
    v.pipe(
      mapping({ low: wholeNumber(0, 9), high: wholeNumber(0, 9) }),
      v.check(({ low, high }) => low <= high, 'ends before it begins: write the lower number first'),
    ),
  ),
  secret: v.optional(mapping({ user: text('a user') })),
});

function problemsOf(value: unknown): readonly string[] {
  const read = readBySchema(schema, value, { root: 'the file', secret: ['secret'] });
  return read.ok ? [] : read.error;
}

describe('a problem', () => {
  test.each<[unknown, string]>([
    ['x', 'the file is "x": write a mapping'],
    [null, 'the file is null: write a mapping'],
    [[], 'the file is an empty list: write a mapping'],
    [{ name: '' }, 'name is "": write a name'],
    [{ name: 5 }, 'name is 5: write a name'],
    [{ name: null }, 'name is null: write a name'],
    [{ name: {} }, 'name is a mapping: write a name'],
    [{ size: '2' }, 'size is "2": write a whole number of seconds from 1 to 3'],
    [{ size: 1.5 }, 'size is 1.5: write a whole number of seconds from 1 to 3'],
    [{ size: -0.5 }, 'size is -0.5: write a whole number of seconds from 1 to 3'],
    [{ size: 4 }, 'size is 4: write a whole number of seconds from 1 to 3'],
    [{ mode: 'on' }, 'mode is "on": write On, Off or Auto'],
    [{ code: 'x1' }, 'code is "x1": write digits'],
    [{ list: {} }, 'list is a mapping: write a list of entries'],
    [{ list: [{ id: 'a' }, 'b'] }, 'list[1] is "b": write a mapping'],
    [{ list: [{}] }, 'list[0].id is not set: write an id'],
    [{ list: [{ id: 'a', x: 1 }] }, 'list[0].x is unknown: write only id'],
    [{ list: [{ id: 'a', x: 1, y: 2, z: 3 }] }, 'list[0].x and y, z are unknown: write only id'],
    [{ byName: [] }, 'byName is an empty list: write a mapping of names to texts'],
    [{ byName: { a: 1 } }, 'byName.a is 1: write a text'],
    [{ pair: { low: 2, high: 1 } }, 'pair ends before it begins: write the lower number first'],
    [{ code: 'x'.repeat(100) }, `code is "${'x'.repeat(79)}…: write digits`],
    [
      { code: 'https://user:hunter2@host' },
      'code is not valid and not shown, since it may hold a password: write digits',
    ],
    [{ secret: 'hunter2' }, 'secret is not valid: write a mapping'],
    [{ secret: {} }, 'secret.user is not set: write a user'],
    [{ secret: { user: '' } }, 'secret.user is empty: write a user'],
    [{ secret: { user: ['hunter2'] } }, 'secret.user is not valid: write a user'],
    [
      JSON.parse('{"__proto__": {"size": 1}}'),
      '__proto__ is unknown: write only name, size, mode, code, list, byName, pair, secret',
    ],
  ])('of %j', (value, problem) => {
    expect(problemsOf(value)).toEqual([problem]);
  });

  test('is told with all others', () => {
    expect(problemsOf({ size: 0, list: [{ id: 1 }, {}], other: true })).toEqual([
      'size is 0: write a whole number of seconds from 1 to 3',
      'list[0].id is 1: write an id',
      'list[1].id is not set: write an id',
      expect.stringMatching(/^other is unknown: /),
    ]);
  });
});

test('a value that is right is read, with defaults', () => {
  const value = { name: 'a', byName: { x: 'y' } };
  expect(readBySchema(schema, value, { root: 'the file' })).toEqual({ ok: true, value: { ...value, size: 2 } });
});

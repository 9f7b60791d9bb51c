import { describe, expect, test } from '@jest/globals';
import { escapeLine, escapeText, isPlain, oneSpelling } from '../../../../policy/core/plain-text.ts';

/** What a reader does not see, or a terminal obeys, each between two letters. */
const UNSEEN: readonly [string, string][] = [
  ['a line break', '\n'],
  ['an escape', '\u001b'],
  ['a C1 control', '\u009b'],
  ['a bidi override', '\u202e'],
  ['a bidi isolate', '\u2066'],
  ['a zero-width space', '\u200b'],
  ['a byte order mark', '\ufeff'],
  ['a soft hyphen', '\u00ad'],
  ['a line separator', '\u2028'],
  ['a paragraph separator', '\u2029'],
  ['a lone surrogate', '\ud800'],
  ['a private character', '\ue000'],
  ['an unassigned code point', '\u{378}'],
  ['a noncharacter', '\uffff'],
  ['a variation selector', '\ufe00'],
  ['a letter drawn as nothing', '\u3164'],
  ['a tag character', '\u{e0041}'],
];

describe.each(UNSEEN)('%s', (_, character) => {
  const text = `a${character}b`;

  test('is not plain text', () => expect(isPlain(text)).toBe(false));

  test('is escaped as JSON reads it', () => {
    expect(isPlain(escapeText(text))).toBe(true);
    expect(JSON.parse(`"${escapeText(text)}"`)).toBe(text);
  });
});

test('names of people and companies are plain text, in any script', () => {
  for (const name of ['acme', 'Żabka & Søn', '株式会社', 'شركة', 'राम', 'O’Neill (EU) #4', '👍']) {
    expect([name, isPlain(name), escapeText(name)]).toEqual([name, true, name]);
  }
});

test('two ways to write a letter with its accent are one spelling', () => {
  expect(oneSpelling('Mu\u0308ller')).toBe('M\u00fcller');
  expect(oneSpelling('\u212bngstr\u00f6m')).toBe(oneSpelling('A\u030angstro\u0308m'));
});

test('a line of the log keeps its line break and no other', () => {
  expect(escapeLine('{"model":"a\u009bb"}\n')).toBe('{"model":"a\\u009bb"}\n');
  expect(escapeLine('{"model":"a"}\n')).toBe('{"model":"a"}\n');
});

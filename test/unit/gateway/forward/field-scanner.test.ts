import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { FieldScanner } from '../../../../gateway/forward/field-scanner.ts';

const LIMITS = { usage: 200, type: 20, content: 4 };

function scan(text: string, size = 1_000): Readonly<Record<string, unknown>> | null {
  const scanner = new FieldScanner(LIMITS);
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) scanner.write(bytes.subarray(at, at + size));
  return scanner.end();
}

describe('the fields of an answer', () => {
  test('are what JSON.parse finds, wherever the chunks are cut', () => {
    const keys = fc.constantFrom('usage', 'type', 'content', 'other', 'us"age', 'usage\\', '');
    const values = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom('}', '{"usage":1}', '\\"', '[', ','));
    fc.assert(
      fc.property(fc.dictionary(keys, values), fc.integer({ min: 1, max: 9 }), fc.nat(3), (object, size, indent) => {
        const text = JSON.stringify(object, null, indent);
        const picked = Object.entries(JSON.parse(text) as object).filter(([name]) => name in LIMITS);
        const found = Object.entries(scan(text, size)!);
        expect(new Map(found).size).toBe(picked.length);
        const read = found.filter(([, value]) => typeof value !== 'symbol');
        expect(picked).toEqual(expect.arrayContaining(read));
        expect(read.length === picked.length || text.length > LIMITS.content).toBe(true);
      }),
    );
  });

  test('are found by an escaped name too, and only in the outermost object', () => {
    expect(scan('{"\\u0075sage": 1}')).toEqual({ usage: 1 });
    expect(scan('{"a": {"usage": 1}, "b": [{"usage": 2}], "c": "\\"usage\\": 3"}')).toEqual({});
  });

  test.each([
    ['too long', `{"usage": "${'x'.repeat(300)}"}`],
    ['named twice', '{"usage": 1, "usage": 1}'],
    ['no JSON', '{"usage": 1 2}'],
  ])('are unreadable where %s', (_, text) => {
    expect(typeof scan(text)!['usage']).toBe('symbol');
  });

  test.each(['', '[]', '1', '{"usage": 1', '{"usage": 1}}', '{"usage": 1} {', 'x{"usage": 1}', '<html>{"usage": 1}'])(
    'are none in %j, which is not one object',
    (text) => {
      expect(scan(text)).toBeNull();
    },
  );
});

test('an answer of any size takes little memory', () => {
  const scanner = new FieldScanner(LIMITS);
  const before = process.memoryUsage().rss;
  const chunk = Buffer.alloc(65_535, '[],');
  scanner.write(Buffer.from('{"content": ['));
  for (let n = 0; n < 800; n += 1) scanner.write(chunk);
  scanner.write(Buffer.from('0], "usage": {"input_tokens": 1}}'));
  expect(scanner.end()).toMatchObject({ usage: { input_tokens: 1 } });
  expect(process.memoryUsage().rss - before).toBeLessThan(50 * 1024 * 1024);
});

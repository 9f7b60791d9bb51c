import { expect, test } from '@jest/globals';
import { EventScanner } from '../../../../gateway/forward/sse.ts';

test('reads events without names and data in several lines', () => {
  const seen: [string, string][] = [];
  const scanner = new EventScanner(['b'], (event, data) => seen.push([event, data]));
  scanner.write(Buffer.from('data: {"one":1}\n\nevent:b\ndata: x\ndata: y\n\nevent: c\ndata: z\n\ndata: last'));
  scanner.end();
  expect(seen).toEqual([
    ['', '{"one":1}'],
    ['b', 'x\ny'],
    ['', 'last'],
  ]);
});

test('drops an event that its listener throws for', () => {
  const failing = new EventScanner(['a'], () => {
    throw new Error('once');
  });
  expect(() => failing.write(Buffer.from('event: a\ndata: 1\n\n'))).toThrow('once');
  expect(() => failing.end()).not.toThrow();
});

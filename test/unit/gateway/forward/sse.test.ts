import { expect, test } from '@jest/globals';
import { EventScanner } from '../../../../gateway/forward/sse.ts';

test('reads events without names and data in several lines', () => {
  const seen: [string, string | null][] = [];
  const scanner = new EventScanner((event, data) => seen.push([event, data]));
  scanner.write(Buffer.from('data: {"one":1}\n\nevent:b\ndata: x\ndata: y\n\nevent: c\ndata: z\n\ndata: last'));
  scanner.end();
  expect(seen).toEqual([
    ['', '{"one":1}'],
    ['b', 'x\ny'],
    ['c', 'z'],
    ['', 'last'],
  ]);
});

test('drops an event that its listener throws for', () => {
  const failing = new EventScanner(() => {
    throw new Error('once');
  });
  expect(() => failing.write(Buffer.from('event: a\ndata: 1\n\n'))).toThrow('once');
  expect(() => failing.end()).not.toThrow();
});

test('takes a newline, a return, and both as one end of a line, wherever a chunk is cut', () => {
  const read = (text: string, size: number): unknown[] => {
    const seen: unknown[] = [];
    const scanner = new EventScanner((event, data) => seen.push([event, data]));
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += size) scanner.write(bytes.subarray(at, at + size));
    scanner.end();
    return seen;
  };
  const lines = ['event: a', 'data: 1', '', 'event: b', 'data: 2', 'data: 3', '', ''];
  for (const end of ['\n', '\r', '\r\n']) {
    for (const size of [1, 2, 3, 7, 100]) {
      expect(read(lines.join(end), size)).toEqual([
        ['a', '1'],
        ['b', '2\n3'],
      ]);
    }
  }
});

test('keeps no more of an event than its longest data, whatever is sent', () => {
  const seen: unknown[] = [];
  const scanner = new EventScanner((event, data, bytes) => seen.push([event, data, bytes]));
  const chunk = Buffer.alloc(64 * 1024, 'x');
  const before = process.memoryUsage().rss;
  for (const begin of ['event: a\ndata: ', ': ', 'event: ', 'event: other\ndata: ', 'odd ']) {
    scanner.write(Buffer.from(begin));
    for (let n = 0; n < 1_000; n += 1) scanner.write(chunk);
    scanner.write(Buffer.from('\n\n'));
  }
  scanner.write(Buffer.from('event: a\n'));
  for (let n = 0; n < 100_000; n += 1) scanner.write(Buffer.from('data: 0123456789\n'));
  scanner.write(Buffer.from('\nevent: a\ndata: 1\n\n'));
  const [long, other, many, last] = seen;
  expect(long).toEqual(['a', null, 1_000 * chunk.length + 6]);
  expect(other).toEqual(['other', null, 1_000 * chunk.length + 6]);
  expect(many).toEqual(['a', null, 1_600_000]);
  expect(last).toEqual(['a', '1', 7]);
  expect(process.memoryUsage().rss - before).toBeLessThan(50 * 1024 * 1024);
});

test('a chunk without newlines is not searched for one at each return, which would take minutes', () => {
  const seen: unknown[] = [];
  const scanner = new EventScanner((event, data) => seen.push([event, data]));
  scanner.write(Buffer.alloc(4 * 1024 * 1024, 'x\r'));
  scanner.write(Buffer.from('event: a\rdata: 1\r\r'));
  expect(seen).toEqual([['a', '1']]);
});

test('reads fields as the standard has them, and leaves out those of others', () => {
  const seen: unknown[] = [];
  const scanner = new EventScanner((event, data) => seen.push([event, data]));
  const lines = ['data', 'event:a', 'data:  two', '', 'id: 7', 'retry: 9', ':', 'event: b', '', 'event', 'data:', ''];
  for (const byte of Buffer.from(lines.join('\n'))) scanner.write(Buffer.from([byte]));
  expect(scanner.hasOther).toBe(false);
  scanner.write(Buffer.from('\ndatabase: x\n\nevents: a\n\n'));
  scanner.end();
  expect(seen).toEqual([
    ['a', '\n two'],
    ['', ''],
  ]);
  expect(scanner.hasOther).toBe(true);
});

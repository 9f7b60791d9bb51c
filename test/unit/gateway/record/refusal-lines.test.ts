import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import pino from 'pino';
import { RefusalLines } from '../../../../gateway/record/refusal-lines.ts';

let logged: Record<string, unknown>[];
let lines: RefusalLines;

beforeEach(() => {
  jest.useFakeTimers();
  logged = [];
  const write = (line: string): void => void logged.push(JSON.parse(line) as Record<string, unknown>);
  lines = new RefusalLines(pino({ base: null }, { write }));
});

afterEach(() => {
  lines.stop();
  jest.useRealTimers();
});

test('ten refusals of a key have a line in a second, and one line counts the others', () => {
  const own = Array.from({ length: 5_000 }, () => lines.hasLine('a/loop', 'api')).filter(Boolean);
  expect(own).toHaveLength(10);
  expect(lines.hasLine('a/loop', 'other')).toBe(true);
  expect(logged).toEqual([]);
  jest.advanceTimersByTime(1_000);
  expect(logged).toMatchObject([{ workspace: 'a/loop', key: 'api', refusals: 4_990 }]);
  expect(lines.hasLine('a/loop', 'api')).toBe(true);
});

test('what is counted when the gateway ends is written', () => {
  for (let call = 0; call < 12; call++) lines.hasLine('', '');
  lines.stop();
  expect(logged).toMatchObject([{ workspace: '', key: '', refusals: 2 }]);
});

import { expect, test } from '@jest/globals';
import { FreeCalls } from '../../../../gateway/http/free-calls.ts';

/** Calls that end when told to. */
function heldCalls() {
  const started: string[] = [];
  const ends = new Map<string, () => void>();
  const serve = (name: string) => (): Promise<string> => {
    started.push(name);
    return new Promise((resolve) => ends.set(name, () => resolve(name)));
  };
  return { started, serve, end: (name: string) => ends.get(name)?.() };
}

const names = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, n) => `${from + n}`);

test('eight calls of a key run at once, further ones in their turn, and too many are refused', async () => {
  const calls = new FreeCalls();
  const { started, serve, end } = heldCalls();
  const all = names(0, 73).map((name) => calls.run('key', serve(name)));
  expect(await all.at(-1)).toBeNull();
  expect(started).toEqual(names(0, 8));
  end('3');
  expect(await all[3]).toBe('3');
  expect(started).toEqual(names(0, 9));
  void calls.run('other', serve('of another key'));
  expect(started.at(-1)).toBe('of another key');
});

test('a call that fails gives its place to the next, and afterwards there is room again', async () => {
  const calls = new FreeCalls();
  const failing = names(0, 30).map((name) => calls.run('key', () => Promise.reject(new Error(name))));
  for (const outcome of await Promise.allSettled(failing)) expect(outcome.status).toBe('rejected');
  expect(await calls.run('key', () => Promise.resolve('served'))).toBe('served');
});

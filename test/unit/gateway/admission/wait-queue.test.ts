import { describe, expect, jest, test } from '@jest/globals';
import { WaitQueue } from '../../../../gateway/admission/wait-queue.ts';

describe('the wait queue', () => {
  const never = new AbortController().signal;
  const place = (counter: string, workspace = 'payments/checkout') => ({ budget: 'budget', counter, workspace });

  test('serves first come, first served, only the head tries, and wakes on a settle', async () => {
    jest.useFakeTimers();
    try {
      const queue = new WaitQueue(64, Date.now);
      const tried: string[] = [];
      let room = 0;
      const join = (name: string) =>
        queue.join(place('counter'), Date.now() + 10_000, never, () => {
          tried.push(name);
          return Promise.resolve(room-- > 0);
        });
      const both = Promise.all([join('first'), join('second')]);
      expect(queue.isQueued('counter', 'payments/checkout')).toBe(true);
      await jest.advanceTimersByTimeAsync(250);
      expect(tried).toEqual(['first', 'first']);
      room = 2;
      queue.wake(['another', 'counter']);
      await jest.advanceTimersByTimeAsync(0);
      expect(tried).toEqual(['first', 'first', 'first', 'second']);
      expect(await both).toEqual([true, true]);
      expect(queue.isQueued('counter', 'payments/checkout')).toBe(false);
    } finally {
      jest.useRealTimers();
    }
  });

  test('ends at the deadline, when the caller leaves, and at once if the queues are full', async () => {
    jest.useFakeTimers();
    try {
      const queue = new WaitQueue(2, Date.now);
      const leaving = new AbortController();
      const no = () => Promise.resolve(false);
      const late = queue.join(place('a'), Date.now() + 1000, never, no);
      const gone = queue.join(place('b'), Date.now() + 1000, leaving.signal, no);
      expect(await queue.join(place('a'), Date.now() + 1000, never, no)).toBe(false);
      leaving.abort();
      expect(await gone).toBe(false);
      await jest.advanceTimersByTimeAsync(1000);
      expect(await late).toBe(false);
      expect([queue.isQueued('a', 'payments/checkout'), queue.isQueued('b', 'payments/checkout')]).toEqual([
        false,
        false,
      ]);
    } finally {
      jest.useRealTimers();
    }
  });

  test('keeps the workspaces apart: one fills no places of another, blocks no head of another, and they take turns', async () => {
    jest.useFakeTimers();
    try {
      const queue = new WaitQueue(2, Date.now);
      const tried: string[] = [];
      const join = (workspace: string) =>
        queue.join(place('counter', workspace), Date.now() + 1000, never, () => {
          tried.push(workspace);
          return Promise.resolve(false);
        });
      const all = [join('hog/a'), join('hog/a'), join('payments/checkout'), join('search/web')];
      expect(await join('hog/a')).toBe(false);
      for (let n = 0; n < 4; n += 1) {
        queue.wake(['counter']);
        await jest.advanceTimersByTimeAsync(0);
      }
      expect(tried).toEqual(['hog/a', 'payments/checkout', 'search/web', 'hog/a']);
      await jest.advanceTimersByTimeAsync(2000);
      expect(await Promise.all(all)).toEqual([false, false, false, false]);
      expect(queue.isQueued('counter', 'search/web')).toBe(false);
    } finally {
      jest.useRealTimers();
    }
  });

  test('the heads of many queues of a budget try no more often together than 64 would', async () => {
    jest.useFakeTimers();
    try {
      const queue = new WaitQueue(64, Date.now);
      let tries = 0;
      const count = () => Promise.resolve(++tries < 0);
      const all = Array.from({ length: 256 }, (_, n) =>
        queue.join(place('counter', `payments/${n}`), Date.now() + 4100, never, count),
      );
      await jest.advanceTimersByTimeAsync(4050);
      expect(tries).toBeGreaterThanOrEqual(64 * 36);
      expect(tries).toBeLessThanOrEqual(64 * 41);
      await jest.advanceTimersByTimeAsync(1000);
      await Promise.all(all);
    } finally {
      jest.useRealTimers();
    }
  });
});

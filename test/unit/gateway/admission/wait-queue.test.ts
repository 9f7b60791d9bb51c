import { describe, expect, jest, test } from '@jest/globals';
import { WaitQueue } from '../../../../gateway/admission/wait-queue.ts';

describe('the wait queue', () => {
  const never = new AbortController().signal;

  test('serves first come, first served, only the head tries, and wakes on a settle', async () => {
    jest.useFakeTimers();
    try {
      const queue = new WaitQueue(64, Date.now);
      const tried: string[] = [];
      let room = 0;
      const join = (name: string) =>
        queue.join('budget', 'counter', Date.now() + 10_000, never, () => {
          tried.push(name);
          return Promise.resolve(room-- > 0);
        });
      const both = Promise.all([join('first'), join('second')]);
      expect(queue.isQueued('counter')).toBe(true);
      await jest.advanceTimersByTimeAsync(250);
      expect(tried).toEqual(['first', 'first']);
      room = 2;
      queue.wake(['another', 'counter']);
      await jest.advanceTimersByTimeAsync(0);
      expect(tried).toEqual(['first', 'first', 'first', 'second']);
      expect(await both).toEqual([true, true]);
      expect(queue.isQueued('counter')).toBe(false);
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
      const late = queue.join('budget', 'a', Date.now() + 1000, never, no);
      const gone = queue.join('budget', 'b', Date.now() + 1000, leaving.signal, no);
      expect(await queue.join('budget', 'a', Date.now() + 1000, never, no)).toBe(false);
      leaving.abort();
      expect(await gone).toBe(false);
      await jest.advanceTimersByTimeAsync(1000);
      expect(await late).toBe(false);
      expect([queue.isQueued('a'), queue.isQueued('b')]).toEqual([false, false]);
    } finally {
      jest.useRealTimers();
    }
  });
});

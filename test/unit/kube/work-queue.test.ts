import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { WorkQueue } from '../../../kube/work-queue.ts';

const random = () => 0.5;
const nothing = () => undefined;

describe('the work queue', () => {
  test('loses no change, never has a key with two workers, and ends', async () => {
    // A key's value rises with each change; each pass reads it when it starts, as a reconciler reads its cache.
    const step = fc.record({
      key: fc.constantFrom('a', 'b', 'c'),
      how: fc.constantFrom('add', 'after', 'turn'),
    });
    const passes = fc.array(fc.constantFrom('fast', 'slow', 'fail'), { maxLength: 20 });
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 40 }), passes, fc.integer({ min: 1, max: 3 }), run), {
      numRuns: 200,
    });

    async function run(steps: readonly { key: string; how: string }[], outcomes: readonly string[], workers: number) {
      const wanted = new Map<string, number>();
      const done = new Map<string, number>();
      const busy = new Set<string>();
      const rest = [...outcomes];
      let most = 0;
      const queue = new WorkQueue({
        work: async (key) => {
          expect(busy.has(key)).toBe(false);
          busy.add(key);
          most = Math.max(most, busy.size);
          const seen = wanted.get(key) ?? 0;
          const outcome = rest.shift() ?? 'fast';
          if (outcome === 'slow') for (let i = 0; i < 3; i += 1) await turn();
          busy.delete(key);
          if (outcome === 'fail') throw new Error('not yet');
          done.set(key, seen);
        },
        onError: nothing,
        workers,
        backoff: { firstMs: 1, maxMs: 2 },
        random,
      });
      queue.start();
      for (const { key, how } of steps) {
        if (how === 'turn') {
          await turn();
          continue;
        }
        wanted.set(key, (wanted.get(key) ?? 0) + 1);
        if (how === 'add') queue.add(key);
        else queue.addAfter(key, 1);
      }
      const isDone = () => [...wanted].every(([key, value]) => done.get(key) === value);
      while (!isDone()) await sleep(1);
      await queue.drain();
      expect(most).toBeLessThanOrEqual(workers);
      expect(busy.size).toBe(0);
    }
  });

  test('many changes of a key while it waits or is worked on cost one pass more', async () => {
    let passes = 0;
    const first = Promise.withResolvers<void>();
    const second = Promise.withResolvers<void>();
    const queue = new WorkQueue({
      work: async () => {
        passes += 1;
        if (passes === 1) await first.promise;
        else second.resolve();
      },
      onError: nothing,
      workers: 2,
      random,
    });
    queue.add('a');
    queue.add('a');
    queue.start();
    await turn();
    for (let i = 0; i < 10; i += 1) queue.add('a');
    first.resolve();
    await second.promise;
    await sleep(20);
    expect(passes).toBe(2);
    expect(queue.depth).toBe(0);
    await queue.drain();
  });

  test('waits longer after each failure, and starts over after a success', async () => {
    const at: number[] = [];
    const errors: unknown[] = [];
    const done = Promise.withResolvers<void>();
    const queue = new WorkQueue({
      work: async () => {
        at.push(performance.now());
        if (at.length < 4) throw new Error('no');
        done.resolve();
      },
      onError: (_key, error) => errors.push(error),
      workers: 1,
      backoff: { firstMs: 40, maxMs: 1_000 },
      random,
    });
    queue.start();
    queue.add('a');
    await done.promise;
    expect(errors).toHaveLength(3);
    // Three quarters of 40, 80 and 160 ms; a timer never fires more than a millisecond early.
    const gaps = at.slice(1).map((time, index) => time - at[index]!);
    expect(gaps.map((gap, index) => gap >= 30 * 2 ** index - 1)).toEqual([true, true, true]);
    await queue.drain();
  });

  test('drains: ends what is under way, takes nothing more', async () => {
    const begun: string[] = [];
    const gate = Promise.withResolvers<void>();
    const queue = new WorkQueue({
      work: async (key) => {
        begun.push(key);
        await gate.promise;
      },
      onError: nothing,
      workers: 1,
      random,
    });
    queue.start();
    queue.add('a');
    queue.add('b');
    queue.addAfter('c', 1);
    const drained = queue.drain();
    queue.add('d');
    gate.resolve();
    await drained;
    await sleep(5);
    expect(begun).toEqual(['a']);
  });
});

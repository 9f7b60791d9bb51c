import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { StatusChange } from '../../../../operator/status/status-change.ts';
import { StatusRateLimit } from '../../../../operator/status/status-rate-limit.ts';

/** A change of an object that was last written long ago. */
function change(uid: string, rest: Partial<StatusChange> = {}): StatusChange {
  return { uid, isUrgent: false, isLarge: true, writtenAt: 0, ...rest };
}

describe('the rate limit of status writes', () => {
  test('an urgent change is written at once, figures at most every two seconds', () => {
    const limit = new StatusRateLimit();
    const now = 100_000;
    expect(limit.take([change('a', { writtenAt: now - 100, isUrgent: true })], now)).toEqual(['a']);
    expect(limit.take([change('a', { writtenAt: now - 1_999 })], now)).toEqual([]);
    expect(limit.take([change('a', { writtenAt: now - 2_000 })], now)).toEqual(['a']);
  });

  test('when more changes wait than may be written, large moves go first, and small ones after 30 seconds at the latest', () => {
    const limit = new StatusRateLimit();
    const now = 100_000;
    const small = Array.from({ length: 50 }, (_, i) =>
      change(`small-${i}`, { isLarge: false, writtenAt: now - 5_000 - i }),
    );
    const old = change('old', { isLarge: false, writtenAt: now - 30_000 });
    const large = Array.from({ length: 5 }, (_, i) => change(`large-${i}`, { writtenAt: now - 4_000 }));
    const urgent = change('urgent', { isUrgent: true, writtenAt: now });
    const due = limit.take([...small, old, ...large, urgent], now);
    const first = ['small-0', 'small-1', 'small-2', 'small-3'];
    expect(due).toEqual(['urgent', 'old', ...large.map(({ uid }) => uid), ...first]);
  });

  test('fifty objects that change all the time are each written every five seconds, large or small', () => {
    const limit = new StatusRateLimit();
    const writes = new Map<string, number[]>();
    const changed = new Set(Array.from({ length: 50 }, (_, i) => `${i}`));
    for (let now = 1_000_000; now < 1_060_000; now += 100) {
      const changes = [...changed].map((uid) =>
        change(uid, { isLarge: Number(uid) % 5 === 0, writtenAt: writes.get(uid)?.at(-1) ?? 0 }),
      );
      for (const uid of limit.take(changes, now)) {
        writes.set(uid, [...(writes.get(uid) ?? []), now]);
        changed.delete(uid);
        changed.add(uid); // it changes again at once
      }
    }
    const gaps = [...writes.values()].flatMap((at) => at.slice(1).map((time, i) => time - at[i]!));
    expect(writes.size).toBe(50);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(5_100);
  });

  test('thousands of urgent changes are written within seconds, and do not take the writes of figures', () => {
    const limit = new StatusRateLimit();
    const waiting = new Set(Array.from({ length: 3_000 }, (_, i) => `new-${i}`));
    let figures = 0;
    let now = 1_000_000;
    for (; waiting.size > 0; now += 100) {
      const fresh = [...waiting].map((uid) => change(uid, { isUrgent: true }));
      const due = limit.take([...fresh, ...Array.from({ length: 40 }, (_, i) => change(`figure-${i}`))], now);
      expect(due.length).toBeLessThanOrEqual(40);
      for (const uid of due) if (!waiting.delete(uid)) figures += 1;
    }
    expect(now - 1_000_000).toBeLessThanOrEqual(11_000);
    expect(figures).toBeGreaterThanOrEqual(100);
  });

  test('at most ten figures a second are written, and each change within bounded time', () => {
    const step = fc.record({ after: fc.integer({ min: 0, max: 1_500 }), keys: fc.integer({ min: 0, max: 40 }) });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), (steps) => {
        const limit = new StatusRateLimit();
        const writtenAt = new Map<string, number>();
        const writes: number[] = [];
        let now = 1_000_000;
        const flush = (keys: number) => {
          const changes = Array.from({ length: keys }, (_, i) =>
            change(`${i}`, { isUrgent: i % 7 === 0, isLarge: i % 2 === 0, writtenAt: writtenAt.get(`${i}`) ?? 0 }),
          );
          for (const key of limit.take(changes, now)) {
            if (Number(key) % 7 !== 0) writes.push(now);
            writtenAt.set(key, now);
          }
        };
        for (const { after, keys } of steps) {
          now += after;
          flush(keys);
        }
        for (const at of writes) {
          // A second that begins with a full bucket allows its ten tokens and the ten that are gained within it.
          expect(writes.filter((other) => other >= at && other < at + 1_000).length).toBeLessThanOrEqual(20);
        }
        const [first = now] = writes;
        expect(writes.length).toBeLessThanOrEqual(10 + (now - first) / 100);
        for (let i = 0; i < 40; i += 1) {
          now += 1_000;
          flush(8);
        }
        for (let i = 0; i < 8; i += 1) expect(now - (writtenAt.get(`${i}`) ?? 0)).toBeLessThanOrEqual(3_000);
      }),
    );
  });
});

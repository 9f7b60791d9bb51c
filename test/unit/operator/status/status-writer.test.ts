import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { ClaudeBudgetStatus } from '../../../../crds/types.gen.ts';
import type { KubeObject } from '../../../../kube/object.ts';
import { budgets } from '../../../../operator/cluster/kube-kinds.ts';
import { statusEvents } from '../../../../operator/events/status-events.ts';
import { type Change, StatusRateLimit } from '../../../../operator/status/status-rate-limit.ts';
import { StatusWriter } from '../../../../operator/status/status-writer.ts';

/** A change that came up long after the object's last write. */
function change(key: string, of: Partial<Change> = {}): Change {
  return { key, isUrgent: false, isLarge: true, writtenAt: 0, ...of };
}

function subject(name: string) {
  return { metadata: { namespace: 'payments', name, uid: name } };
}

/** A writer at an instant that the test sets, and what it sends to the API server. */
function writerOver(applyStatus: (object: KubeObject & { readonly status?: unknown }) => Promise<void> | void) {
  const time = { now: 0 };
  const lead = { isOurs: true };
  const problems: string[] = [];
  const writer = new StatusWriter({
    client: {
      applyStatus: async (_resource, object) => {
        await applyStatus(object);
        return object;
      },
    },
    events: { tell: async () => undefined },
    elapsed: () => time.now,
    mayAct: () => lead.isOurs,
    onWritten: () => undefined,
    onProblem: (key) => problems.push(key),
  });
  const flushAt = (now: number, again: Parameters<StatusWriter['flush']>[0] = async () => undefined) => {
    time.now = now;
    return writer.flush(again);
  };
  return { writer, time, lead, problems, flushAt };
}

describe('the pace of status writes', () => {
  test('a change of state is written at once, figures rest for two seconds after a write', () => {
    const pace = new StatusRateLimit();
    const now = 100_000;
    expect(pace.due([change('a', { writtenAt: now - 100, isUrgent: true })], now)).toEqual(['a']);
    expect(pace.due([change('a', { writtenAt: now - 1_999 })], now)).toEqual([]);
    expect(pace.due([change('a', { writtenAt: now - 2_000 })], now)).toEqual(['a']);
  });

  test('where the writes do not suffice, small moves wait for large ones, but not for ever', () => {
    const pace = new StatusRateLimit();
    const now = 100_000;
    const small = Array.from({ length: 50 }, (_, i) =>
      change(`small-${i}`, { isLarge: false, writtenAt: now - 5_000 - i }),
    );
    const old = change('old', { isLarge: false, writtenAt: now - 30_000 });
    const large = Array.from({ length: 5 }, (_, i) => change(`large-${i}`, { writtenAt: now - 4_000 }));
    const urgent = change('urgent', { isUrgent: true, writtenAt: now });
    const due = pace.due([...small, old, ...large, urgent], now);
    const first = ['small-0', 'small-1', 'small-2', 'small-3'];
    expect(due).toEqual(['urgent', 'old', ...large.map(({ key }) => key), ...first]);
  });

  test('fifty objects that change all the time are each written every five seconds, whatever their moves', () => {
    const pace = new StatusRateLimit();
    const writes = new Map<string, number[]>();
    const cameUp = new Set(Array.from({ length: 50 }, (_, i) => `${i}`));
    for (let now = 1_000_000; now < 1_060_000; now += 100) {
      const changes = [...cameUp].map((key) =>
        change(key, { isLarge: Number(key) % 5 === 0, writtenAt: writes.get(key)?.at(-1) ?? 0 }),
      );
      for (const key of pace.due(changes, now)) {
        writes.set(key, [...(writes.get(key) ?? []), now]);
        cameUp.delete(key);
        cameUp.add(key); // at once it changes again
      }
    }
    const gaps = [...writes.values()].flatMap((at) => at.slice(1).map((time, i) => time - at[i]!));
    expect(writes.size).toBe(50);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(5_100);
  });

  test('thousands of changes of state go out in seconds, and leave the figures their writes', () => {
    const pace = new StatusRateLimit();
    const waiting = new Set(Array.from({ length: 3_000 }, (_, i) => `new-${i}`));
    let figures = 0;
    let now = 1_000_000;
    for (; waiting.size > 0; now += 100) {
      const fresh = [...waiting].map((key) => change(key, { isUrgent: true }));
      const due = pace.due([...fresh, ...Array.from({ length: 40 }, (_, i) => change(`figure-${i}`))], now);
      expect(due.length).toBeLessThanOrEqual(40);
      for (const key of due) if (!waiting.delete(key)) figures += 1;
    }
    expect(now - 1_000_000).toBeLessThanOrEqual(11_000);
    expect(figures).toBeGreaterThanOrEqual(100);
  });

  test('there are never more than ten writes of figures a second, and no change waits for ever', () => {
    const step = fc.record({ after: fc.integer({ min: 0, max: 1_500 }), keys: fc.integer({ min: 0, max: 40 }) });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), (steps) => {
        const pace = new StatusRateLimit();
        const writtenAt = new Map<string, number>();
        const writes: number[] = [];
        let now = 1_000_000;
        const flush = (keys: number) => {
          const changes = Array.from({ length: keys }, (_, i) =>
            change(`${i}`, { isUrgent: i % 7 === 0, isLarge: i % 2 === 0, writtenAt: writtenAt.get(`${i}`) ?? 0 }),
          );
          for (const key of pace.due(changes, now)) {
            if (Number(key) % 7 !== 0) writes.push(now);
            writtenAt.set(key, now);
          }
        };
        for (const { after, keys } of steps) {
          now += after;
          flush(keys);
        }
        for (const at of writes) {
          // A second that begins with a full bucket holds what was saved, at most ten, and what comes in meanwhile.
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

test('a status that another leader has written meanwhile is put right by one that leads again', async () => {
  const written: (string | undefined)[] = [];
  const { writer, flushAt } = writerOver(({ status }) => void written.push((status as ClaudeBudgetStatus).state));
  const metadata = { namespace: 'payments', name: 'daily', uid: '1' };
  writer.want(budgets, { metadata }, { state: 'OK' });
  await flushAt(10_000);
  await writer.settled();
  writer.forgetAll();
  const found = { metadata, status: { state: 'Spent' } as ClaudeBudgetStatus };
  expect(writer.known(found)).toEqual({ state: 'Spent' });
  writer.want(budgets, found, { state: 'OK' });
  await flushAt(20_000);
  await writer.settled();
  expect(written).toEqual(['OK', 'OK']);
});

test('that a budget is on its way is told at the pace of figures, that it is enforced at once', async () => {
  const written: string[] = [];
  const { writer, flushAt } = writerOver(({ metadata }) => void written.push(metadata.name));
  const want = (name: string, reason: 'Pending' | 'Programmed') => {
    const metadata = { namespace: 'payments', name, uid: name };
    const programmed = { type: 'Programmed', status: reason === 'Pending' ? 'False' : 'True', reason } as const;
    const rest = { message: 'So it is.', observedGeneration: 1, lastTransitionTime: '2026-11-25T12:00:00Z' };
    writer.want(budgets, { metadata }, { conditions: [{ ...programmed, ...rest }] });
  };
  const read: string[] = [];
  const again = async (subjects: readonly { readonly metadata: { readonly name: string } }[]) => {
    read.push(...subjects.map(({ metadata }) => metadata.name));
    want('pending-0', 'Programmed'); // what was read once more says so
  };
  for (let i = 0; i < 40; i += 1) want(`pending-${i}`, 'Pending');
  for (let i = 0; i < 20; i += 1) want(`enforced-${i}`, 'Programmed');
  await flushAt(100_000, again);
  await writer.settled();
  expect(written.filter((name) => name.startsWith('enforced'))).toHaveLength(20);
  expect(written.filter((name) => name.startsWith('pending'))).toHaveLength(10);
  expect(read).toHaveLength(10);
  expect(writer.known({ metadata: { namespace: 'payments', name: 'pending-0', uid: 'pending-0' } })).toMatchObject({
    conditions: [{ reason: 'Programmed' }],
  });
  expect(writer.isBehind).toBe(true);
});

test('no write waits for a slow one, and who changes while it is written is written after those who waited', async () => {
  const written: string[] = [];
  const slow = Promise.withResolvers<void>();
  const { writer, flushAt } = writerOver(({ metadata }) => {
    written.push(metadata.name);
    return metadata.name === 'slow' ? slow.promise : undefined;
  });
  const want = (name: string, requests: number) =>
    writer.want(
      budgets,
      { metadata: { namespace: 'payments', name, uid: name }, status: { state: 'OK' } },
      { state: 'OK', requests },
    );
  want('slow', 1);
  await flushAt(100_000);
  want('slow', 2);
  want('late', 1);
  await flushAt(100_100);
  expect(written).toEqual(['slow', 'late']);
  want('later', 1);
  slow.resolve();
  await writer.settled();
  const read: string[] = [];
  await flushAt(110_000, async (subjects) => void read.push(...subjects.map(({ metadata }) => metadata.name)));
  await writer.settled();
  expect(written).toEqual(['slow', 'late', 'later', 'slow']);
  // With what is about to be shown also what was shown a moment ago: it may have changed meanwhile.
  expect(read).toEqual(['later', 'slow', 'late']);
  expect(writer.isBehind).toBe(false);
});

test('of thousands of states the next one is begun as soon as one is written, by no turn of anybody', async () => {
  const written: string[] = [];
  let [open, most] = [0, 0];
  const { writer, time, flushAt } = writerOver(async ({ metadata }) => {
    most = Math.max(most, (open += 1));
    await setImmediate();
    open -= 1;
    time.now += 4;
    written.push(metadata.name);
  });
  const names = Array.from({ length: 1_000 }, (_, i) => `new-${i}`);
  for (const name of names) {
    writer.want(budgets, { metadata: { namespace: 'payments', name, uid: name } }, { state: 'OK' });
  }
  await flushAt(100_000);
  await writer.settled();
  expect(written).toEqual(names);
  expect(most).toBe(30);
});

test('what is begun, or written, while figures are read again is not written a second time', async () => {
  const written: string[] = [];
  const slow = Promise.withResolvers<void>();
  const { writer, time, flushAt } = writerOver(({ metadata }) => {
    written.push(metadata.name);
    return metadata.name === 'slow' ? slow.promise : undefined;
  });
  writer.want(budgets, subject('slow'), { state: 'OK' });
  await flushAt(100_000);
  writer.want(budgets, subject('state'), { state: 'OK' });
  writer.want(budgets, { ...subject('figures'), status: { state: 'OK' } }, { state: 'OK', requests: 1 });
  await flushAt(110_000, async () => {
    slow.resolve(); // a write ends, and the next one is begun
    time.now += 1_000;
    await setImmediate();
  });
  await writer.settled();
  expect(written).toEqual(['slow', 'state', 'figures']);
});

test('who no longer leads begins no further write', async () => {
  const written: string[] = [];
  const { writer, lead, flushAt } = writerOver(({ metadata }) => {
    written.push(metadata.name);
    lead.isOurs = false;
  });
  writer.want(budgets, subject('first'), { state: 'OK' });
  writer.want(budgets, subject('second'), { state: 'OK' });
  await flushAt(100_000);
  await writer.settled();
  await flushAt(110_000);
  expect(written).toEqual(['first']);
});

test('a status that cannot be written waits behind the others', async () => {
  const tried: string[] = [];
  const { writer, problems, flushAt } = writerOver(({ metadata }) => {
    tried.push(metadata.name);
    if (metadata.name === 'bad') throw new Error('the object is too large');
  });
  writer.want(budgets, subject('bad'), { state: 'OK' });
  for (let i = 0; i < 40; i += 1) writer.want(budgets, subject(`good-${i}`), { state: 'OK' });
  await flushAt(100_000);
  await writer.settled();
  await flushAt(101_000);
  await writer.settled();
  expect(tried.slice(0, 42)).toEqual(['bad', ...Array.from({ length: 40 }, (_, i) => `good-${i}`), 'bad']);
  expect(problems[0]).toBe('ClaudeBudget payments/bad');
});

describe('events', () => {
  const at = '2026-11-23T12:00:00Z';
  const status = (type: string, value: 'True' | 'False' | 'Unknown', observedGeneration = 1, start = at) => ({
    conditions: [{ type, status: value, reason: 'R', message: 'Because.', observedGeneration, lastTransitionTime: at }],
    period: { start },
  });
  const reasons = (...args: Parameters<typeof statusEvents>) => statusEvents(...args).map(({ reason }) => reason);

  test.each([
    ['an edit that is not accepted', undefined, status('Accepted', 'False'), ['PolicyRejected']],
    ['another edit that is not', status('Accepted', 'False'), status('Accepted', 'False', 2), ['PolicyRejected']],
    ['the same again', status('Accepted', 'False'), status('Accepted', 'False'), []],
    ['an edit that is enforced', status('Programmed', 'True'), status('Programmed', 'True', 2), ['PolicyProgrammed']],
    ['money that is gone', status('Exhausted', 'False'), status('Exhausted', 'True'), ['BudgetExhausted']],
    ['a limit that rose', status('Exhausted', 'True'), status('Exhausted', 'False'), ['BudgetRecovered']],
    ['a new day', status('Exhausted', 'True'), status('Exhausted', 'False', 1, 'later'), ['BudgetReset']],
    ['a new budget', undefined, status('Exhausted', 'False'), []],
    ['a ledger that is back', status('Exhausted', 'Unknown'), status('Exhausted', 'False'), []],
  ])('%s', (_name, before, after, expected) => {
    expect(reasons(before, after)).toEqual(expected);
  });
});

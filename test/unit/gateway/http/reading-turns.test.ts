import { expect, test } from '@jest/globals';
import { ByteQuota } from '../../../../gateway/http/byte-quota.ts';
import { ReadingTurns } from '../../../../gateway/http/reading-turns.ts';
import type { Caller } from '../../../../policy/admit/caller.ts';
import type { BodyReading } from '../../../../policy/json/body-reading.ts';

const MB = 1024 * 1024;

/** Turns in which each step takes a millisecond, and what happened in them, in order. */
function stage(limit = 1_000 * MB) {
  let clock = 0;
  const events: string[] = [];
  const quota = new ByteQuota(limit);
  const turns = new ReadingTurns({ elapsed: () => clock });
  const callOf = (namespace: string, name = 'app') => {
    const workspace = { namespace, name };
    const memory = quota.open();
    memory.belongTo(workspace);
    return { caller: { workspace } as Caller, memory, hasLeft: false };
  };
  function* reading(name: string, steps: number, holds = 0): BodyReading<string> {
    for (let step = 1; step < steps; step++) {
      events.push(name);
      clock += 1;
      yield holds;
    }
    events.push(name);
    clock += 1;
    return name;
  }
  return { turns, callOf, reading, quota, events };
}

test('a short reading is done at once, and gives its memory back', async () => {
  const { turns, callOf, reading, quota, events } = stage();
  const ended = turns.run(callOf('a'), reading('x', 2, MB));
  expect(events).toEqual(['x', 'x']);
  expect(await ended).toEqual({ ok: true, value: 'x' });
  expect(quota.held).toBe(0);
});

test('no turn takes longer than a step more than its time, however many readings there are', async () => {
  const { turns, callOf, reading, events } = stage();
  const all = Array.from({ length: 20 }, (_, i) => turns.run(callOf(`w${i % 5}`), reading(`r${i}`, 3)));
  const perTurn: number[] = [events.length];
  while (events.length < 60) {
    const before = events.length;
    await new Promise((resolve) => setImmediate(resolve));
    perTurn.push(events.length - before);
  }
  expect(Math.max(...perTurn)).toBeLessThanOrEqual(2);
  await Promise.all(all);
});

test('many readings of one workspace wait for each other, and not one of another workspace', async () => {
  const { turns, callOf, reading, events } = stage();
  const many = Array.from({ length: 50 }, (_, i) => turns.run(callOf('greedy'), reading(`g${i}`, 100)));
  await turns.run(callOf('other'), reading('o', 3));
  const before = events.slice(0, events.lastIndexOf('o'));
  expect(new Set(before)).toEqual(new Set(['g0', 'o']));
  expect(before.length).toBeLessThan(12);
  await Promise.all(many);
  expect(events.filter((name) => name === 'g49')).toHaveLength(100);
});

test('a namespace with many workspaces has no more steps than one with a single one, and its workspaces take turns', async () => {
  const { turns, callOf, reading, events } = stage();
  const many = Array.from({ length: 20 }, (_, i) => turns.run(callOf('greedy', `w${i}`), reading(`g${i}`, 10)));
  await turns.run(callOf('other'), reading('o', 20));
  const before = events.slice(events.indexOf('o'), events.lastIndexOf('o'));
  expect(before.filter((name) => name !== 'o').length).toBeLessThanOrEqual(20);
  expect(new Set(before).size).toBeGreaterThan(15);
  await Promise.all(many);
});

test('large readings wait for memory, the oldest never and small ones never', async () => {
  const { turns, callOf, reading, events } = stage();
  const large = ['a', 'b', 'c', 'd'].map((name) => turns.run(callOf(name), reading(name, 20, 20 * MB)));
  await turns.run(callOf('small'), reading('s', 4, 1_000));
  expect(events.indexOf('s')).toBeLessThan(12);
  await Promise.all(large);
  // Two of them hold 40 MB; with the third it is more than 48, so from there on the oldest goes first.
  const [firstEnd, thirdEnd] = [events.lastIndexOf('a'), events.lastIndexOf('c')];
  expect(events.slice(0, firstEnd).filter((name) => name === 'd').length).toBeLessThanOrEqual(1);
  expect(thirdEnd).toBeGreaterThan(firstEnd);
});

test('a reading without room for its values is refused, and gives back what it held', async () => {
  const { turns, callOf, reading, quota } = stage(40 * MB);
  const call = callOf('a');
  expect(await turns.run(call, reading('a', 3, 31 * MB))).toMatchObject({ error: { reason: 'BodyMemoryFull' } });
  expect(await turns.run(call, reading('b', 3, 30 * MB))).toEqual({ ok: true, value: 'b' });
  expect(quota.held).toBe(0);
});

test('a reading whose caller left ends, and one that throws rejects', async () => {
  const { turns, callOf, reading, quota, events } = stage();
  const gone = { ...callOf('a'), hasLeft: false };
  const left = turns.run(gone, reading('a', 50, MB));
  gone.hasLeft = true;
  expect(await left).toEqual({ ok: false, error: 'gone' });
  expect(events.length).toBeLessThan(5);
  function* broken(): BodyReading<string> {
    yield MB;
    throw new Error('a bug');
  }
  await expect(turns.run(callOf('b'), broken())).rejects.toThrow('a bug');
  expect(quota.held).toBe(0);
});

import { expect, test } from '@jest/globals';
import type { LedgerState } from '../../../../ledger/ledger.ts';
import { LedgerReader } from '../../../../operator/status/ledger-reader.ts';
import { StatusLoop } from '../../../../operator/status/status-loop.ts';
import type { StatusPlanner } from '../../../../operator/status/status-planner.ts';
import type { CompileOutput } from '../../../../policy/compile/compile-output.ts';
import type { Reading, ReadingQuery } from '../../../../policy/core/counter-reading.ts';
import { budgetOf } from '../../../support/budget.ts';

const STATE = { now: 1_000, lost: null, recovering: null, streamLength: 0 } as unknown as LedgerState;

/** So many budgets, as they were compiled. */
function outputOf(count: number): CompileOutput {
  const named = Array.from({ length: count }, (_, i) => budgetOf({ name: `daily-${i}` }));
  const budgets = new Map(named.map((budget) => [`payments/${budget.name}`, { inForce: budget }]));
  return { budgets } as unknown as CompileOutput;
}

/** A report over so many budgets, with clocks that the test moves and a ledger that says what it is asked. */
function reportOver(count: number) {
  const time = { epoch: Date.parse('2026-11-26T12:00:00Z'), elapsed: 5_000 };
  const asked: (readonly ReadingQuery[])[] = [];
  const ledger = {
    gateways: async () => [],
    state: async () => STATE,
    read: async (queries: readonly ReadingQuery[]) => {
      asked.push(queries);
      return queries.map(() => ({ total: {}, values: [] }) as unknown as Reading);
    },
  };
  const clock = () => time.epoch;
  const policy = { output: outputOf(count), raised: null, isUnderWay: false };
  const judge = { ms: 0 };
  const report = new StatusLoop({
    clock,
    elapsed: () => time.elapsed,
    policy,
    view: new LedgerReader(ledger, () => time.elapsed),
    epoch: { soundness: 'Sound', check: async () => void (time.elapsed += judge.ms) },
    presumed: { obey: async () => undefined, expire: async () => undefined },
    statuses: { refresh: async () => false, again: () => undefined } as unknown as StatusPlanner,
    writer: { flush: async () => undefined, isBehind: false, isUrgent: false },
    sweep: async () => 0,
    onReachable: () => undefined,
    onProblem: (error) => {
      throw error;
    },
  });
  /** Turns for so long, each as soon as the one before asked for it. @returns how often. */
  const turns = async (ms: number) => {
    let times = 0;
    for (const until = time.elapsed + ms; time.elapsed < until; times += 1) {
      const wait = await report.turn(); // which may take its time
      time.elapsed += Math.max(1, wait);
    }
    return times;
  };
  return { time, asked, turns, policy, judge };
}

test.each([1, 499, 500, 501, 1_250, 10_000])(
  'of %i budgets each is read every second, and never more than 500 at a time',
  async (count) => {
    const { asked, turns } = reportOver(count);
    await turns(1); // the first look reads what was never read
    asked.length = 0;
    await turns(1_100);
    const names = asked.flat().map(({ counter }) => counter);
    expect(new Set(names).size).toBe(count);
    expect(names.length).toBeLessThanOrEqual(1.2 * count + 501);
    expect(Math.max(...asked.map(({ length }) => length))).toBeLessThanOrEqual(500);
  },
);

const namesIn = (asked: readonly (readonly ReadingQuery[])[]) => new Set(asked.flat().map(({ counter }) => counter));

test('a list that became shorter costs no time', async () => {
  const { asked, turns, policy } = reportOver(10_000);
  await turns(1_970); // it is at the end of the list
  policy.output = outputOf(8_000);
  asked.length = 0;
  await turns(1_100);
  expect(namesIn(asked).size).toBe(8_000);
});

test('that the ledger is judged slowly once, as when its memory is written, keeps nobody from reading on', async () => {
  const { asked, turns, judge } = reportOver(1_250);
  await turns(1_000);
  judge.ms = 10_000;
  await turns(1);
  judge.ms = 0;
  asked.length = 0;
  await turns(1_500);
  expect(namesIn(asked).size).toBe(1_250);
});

test('a clock that is put back an hour keeps nobody from looking', async () => {
  const { time, asked, turns } = reportOver(3);
  await turns(2_000);
  time.epoch -= 3_600_000;
  asked.length = 0;
  await turns(5_000);
  expect(asked.length).toBeGreaterThanOrEqual(4);
});

test('without a budget it looks all the same, once a second', async () => {
  const { asked, turns } = reportOver(0);
  expect(await turns(10_000)).toBeLessThanOrEqual(20);
  expect(asked).toEqual([]);
});

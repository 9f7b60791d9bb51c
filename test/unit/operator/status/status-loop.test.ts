import { expect, test } from '@jest/globals';
import type { LedgerState } from '../../../../ledger/ledger.ts';
import type { PublishedPolicy } from '../../../../operator/policy/published-policy.ts';
import { LedgerReader } from '../../../../operator/status/ledger-reader.ts';
import { StatusLoop } from '../../../../operator/status/status-loop.ts';
import type { CompileOutput } from '../../../../policy/compile/compile-output.ts';
import type { Reading, ReadingQuery } from '../../../../policy/core/counter-reading.ts';
import { budgetOf } from '../../../support/budget.ts';
import { bookOf } from '../../../support/prices.ts';

const STATE = { now: 1_000, lost: null, recovering: null, streamLength: 0 } as unknown as LedgerState;

const NONE = { get: () => undefined, values: () => [], entries: () => new Map().entries() } as never;

/** A published policy with so many budgets. */
function publishedPolicyOf(count: number): PublishedPolicy {
  const named = Array.from({ length: count }, (_, i) => budgetOf({ name: `daily-${i}` }));
  const budgets = new Map(named.map((budget) => [`payments/${budget.name}`, { inForce: budget }]));
  return { output: { budgets } as unknown as CompileOutput, uids: new Set() };
}

/** A status loop over so many budgets, with clocks that the test moves and a ledger that records its queries. */
function loopOver(count: number) {
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
  const policy = { published: publishedPolicyOf(count), fences: null, isRunning: false };
  const check = { ms: 0 };
  const loop = new StatusLoop({
    clock: () => time.epoch,
    elapsed: () => time.elapsed,
    policy,
    reader: new LedgerReader(ledger, () => time.elapsed),
    guard: { health: 'Healthy', check: async () => void (time.elapsed += check.ms) },
    maintenance: { run: async () => undefined },
    informers: { workspaces: NONE, budgets: NONE, endpoints: NONE },
    callerKeys: { hashes: () => new Map(), denied: new Map() },
    logged: () => ({ reason: 'Logged', message: 'Logged.' }),
    planner: {
      workspace: () => ({ isPending: false, wanted: null }),
      budget: () => ({ isPending: false, wanted: null }),
    },
    writer: {
      lastWritten: () => undefined,
      want: () => undefined,
      due: () => ({ at: time.elapsed, urgent: [], figures: [], toRead: [] }),
      write: () => undefined,
      isBehind: false,
      isUrgent: false,
    },
    book: () => bookOf({ '2026-01-01': '5' }),
    queues: { addPolicy: () => undefined },
    onProblem: (error) => {
      throw error;
    },
  });
  /** Makes turns for so long, each when the one before asked for it. Returns how many. */
  const turns = async (ms: number) => {
    let times = 0;
    for (const until = time.elapsed + ms; time.elapsed < until; times += 1) {
      const wait = await loop.turn(); // which may move the clock
      time.elapsed += Math.max(1, wait);
    }
    return times;
  };
  return { time, asked, turns, policy, check };
}

test.each([1, 499, 500, 501, 1_250, 10_000])(
  'each of %i budgets is read every second, at most 500 at a time',
  async (count) => {
    const { asked, turns } = loopOver(count);
    await turns(1); // the first refresh reads all budgets
    asked.length = 0;
    await turns(1_100);
    const names = asked.flat().map(({ counter }) => counter);
    expect(new Set(names).size).toBe(count);
    expect(names.length).toBeLessThanOrEqual(1.2 * count + 501);
    expect(Math.max(...asked.map(({ length }) => length))).toBeLessThanOrEqual(500);
  },
);

const namesIn = (asked: readonly (readonly ReadingQuery[])[]) => new Set(asked.flat().map(({ counter }) => counter));

test('a shorter list of budgets starts a new round at once', async () => {
  const { asked, turns, policy } = loopOver(10_000);
  await turns(1_970); // to the end of the list
  policy.published = publishedPolicyOf(8_000);
  asked.length = 0;
  await turns(1_100);
  expect(namesIn(asked).size).toBe(8_000);
});

test('a slow check of the ledger, as when the checkpoint is saved, does not delay the next slices', async () => {
  const { asked, turns, check } = loopOver(1_250);
  await turns(1_000);
  check.ms = 10_000;
  await turns(1);
  check.ms = 0;
  asked.length = 0;
  await turns(1_500);
  expect(namesIn(asked).size).toBe(1_250);
});

test('a wall clock that is set back by an hour does not stop the reading', async () => {
  const { time, asked, turns } = loopOver(3);
  await turns(2_000);
  time.epoch -= 3_600_000;
  asked.length = 0;
  await turns(5_000);
  expect(asked.length).toBeGreaterThanOrEqual(4);
});

test('without budgets it still refreshes once a second', async () => {
  const { asked, turns } = loopOver(0);
  expect(await turns(10_000)).toBeLessThanOrEqual(20);
  expect(asked).toEqual([]);
});

import { describe, expect, test } from '@jest/globals';
import type { BudgetOutcome, RequiredVersion, WorkspaceOutcome } from '../../../../policy/compile/compile-output.ts';
import type { CompiledBudget, CompiledWorkspace } from '../../../../policy/core/compiled-policy.ts';
import { condition, conditionReasons } from '../../../../policy/core/conditions.ts';
import type { Counter, Reading, ValueCounter } from '../../../../policy/core/counter-reading.ts';
import { exhausted, budgetFigures, budgetFiguresQuery } from '../../../../policy/status/budget-figures.ts';
import { budgetReady, logged, programmed, type Rollout, workspaceReady } from '../../../../policy/status/readiness.ts';
import { budgetOf } from '../../../support/budget.ts';
import { NOW } from '../compile/stored.ts';

const USD = 1_000_000_000n;

const counterOf = (spent: bigint, changes: Partial<Counter> = {}): Counter => ({
  spentNano: spent,
  certainNano: spent,
  committedNano: spent,
  requests: 0,
  refused: 0,
  wouldRefuse: 0,
  exhaustedAtNano: null,
  ...changes,
});
const readingOf = (total: Counter, values: readonly ValueCounter[] = [], changes: Partial<Reading> = {}): Reading => ({
  total,
  values,
  valueCount: values.length,
  exhaustedCount: values.filter(({ exhaustedAtNano }) => exhaustedAtNano !== null).length,
  ...changes,
});
const valueOf = (name: string, spent: bigint, changes: Partial<Counter> = {}): ValueCounter => ({
  ...counterOf(spent, changes),
  value: JSON.stringify([name]),
});

describe('where a budget stands', () => {
  test('is shown exactly, what remains is cut and the percentage rounded up', () => {
    const counter = counterOf(20_412_310_000n, {
      certainNano: 20_512_310_000n,
      committedNano: 20_712_310_000n,
      requests: 8_123,
      refused: 3,
      wouldRefuse: 4,
    });
    expect(budgetFigures(budgetOf(), readingOf(counter), NOW)).toEqual({
      state: 'Warning',
      period: { start: '2026-11-23T05:00:00Z', end: '2026-11-24T05:00:00Z' },
      limitUsd: '25.00',
      spentUsd: '20.412310',
      reservedUsd: '0.30',
      presumedUsd: '0.10',
      remainingUsd: '4.28',
      percentUsed: 82,
      used: '82%',
      requests: 8_123,
      refused: 3,
      wouldRefuse: 4,
    });
  });

  test('counts grants in force, and never has less than nothing left', () => {
    const grants = [{ amountNano: 10n * USD, from: 0, until: NOW + 1 }];
    expect(budgetFigures(budgetOf({ grants }), readingOf(counterOf(36n * USD)), NOW)).toMatchObject({
      limitUsd: '35.00',
      remainingUsd: '0.00',
      percentUsed: 103,
      state: 'Spent',
    });
    expect(budgetFigures(budgetOf({ grants }), readingOf(counterOf(1n)), NOW + 1)).toMatchObject({
      limitUsd: '25.00',
      percentUsed: 1,
    });
  });

  test('never ends for Once', () => {
    const once = budgetOf({ period: { every: 'Once', timeZone: 'UTC', start: NOW - 1_000 } });
    expect(budgetFigures(once, readingOf(counterOf(0n)), NOW).period).toEqual({ start: '2026-11-23T13:59:59Z' });
  });

  test('with per is the sum, and of the fullest counter what is used and left', () => {
    const perCustomer = budgetOf({
      per: ['customer'],
      totalNano: 400n * USD,
      overrides: [
        { values: ['acme'], limitNano: 100n * USD },
        { values: ['trial'], limitNano: 1n * USD },
      ],
    });
    expect(budgetFiguresQuery(perCustomer, NOW)).toEqual({
      counter: `payments/checkout-daily/Day/America/New_York/${Date.parse('2026-11-23T05:00:00Z')}`,
      per: true,
      top: 10,
      also: ['["acme"]', '["trial"]'],
    });
    const values = [valueOf('acme', 50n * USD), valueOf('other', 20n * USD), valueOf('trial', 900_000_000n)];
    const reading = readingOf(counterOf(70_900_000_000n), values, { valueCount: 120 });
    expect(budgetFigures(perCustomer, reading, NOW)).toMatchObject({
      state: 'Warning',
      limitUsd: '25.00',
      spentUsd: '70.90',
      remainingUsd: '0.10',
      percentUsed: 90,
      top: [
        { values: ['acme'], spentUsd: '50.00' },
        { values: ['other'], spentUsd: '20.00' },
        { values: ['trial'], spentUsd: '0.90' },
      ],
    });
    const full = readingOf(counterOf(390n * USD), values);
    expect(budgetFigures(perCustomer, full, NOW)).toMatchObject({ percentUsed: 98, remainingUsd: '10.00' });
    expect(budgetFigures(budgetOf({ per: ['customer'] }), readingOf(counterOf(0n)), NOW)).toMatchObject({
      percentUsed: 0,
      remainingUsd: '25.00',
      top: [],
    });
  });

  test('shows the ten dearest values, and the counter that the rest share', () => {
    const values = Array.from({ length: 12 }, (_, i) => valueOf(`c${i}`, BigInt(i) * USD));
    const rest: ValueCounter = { ...counterOf(24n * USD), value: '…' };
    const { top } = budgetFigures(
      budgetOf({ per: ['customer'] }),
      readingOf(counterOf(90n * USD), [...values, rest]),
      NOW,
    );
    expect(top).toHaveLength(10);
    expect(top?.[0]).toEqual({ values: ['…'], spentUsd: '24.00' });
    expect(top?.at(-1)).toEqual({ values: ['c3'], spentUsd: '3.00' });
  });

  test.each<[string, Partial<CompiledBudget>, Counter]>([
    ['OK', {}, counterOf(19_750_000_000n)],
    ['Warning', {}, counterOf(19_750_000_001n)],
    ['Spent', {}, counterOf(20n * USD, { exhaustedAtNano: 25n * USD })],
    ['Observing', { mode: 'Observe' }, counterOf(30n * USD)],
    ['Restricted', { suspend: true }, counterOf(0n)],
    ['Restricted', { suspend: true, mode: 'Observe' }, counterOf(0n)],
  ])('%s', (state, changes, counter) => {
    expect(budgetFigures(budgetOf(changes), readingOf(counter), NOW).state).toBe(state);
  });
});

describe('exhausted', () => {
  const reason = (budget: CompiledBudget, reading: Reading): string => exhausted(budget, reading, NOW).reason;

  test.each<[string, bigint, bigint | null, bigint]>([
    ['WithinLimit', 24n * USD, null, 25n * USD],
    ['Spent', 25n * USD, null, 25n * USD],
    ['Spent', 24n * USD, 25n * USD, 25n * USD],
    ['Spent', 24n * USD, 25n * USD, 24_500_000_000n],
    ['WithinLimit', 24n * USD, 25n * USD, 26n * USD],
  ])('%s at %p with a refusal at %p and a limit of %p', (expected, spent, exhaustedAtNano, limitNano) => {
    expect(reason(budgetOf({ limitNano }), readingOf(counterOf(spent, { exhaustedAtNano })))).toBe(expected);
  });

  test('tells how much, and when it resets', () => {
    expect(exhausted(budgetOf(), readingOf(counterOf(25n * USD)), NOW).message).toBe(
      'The limit of $25.00 is reached. Resets at 2026-11-24T05:00:00Z.',
    );
  });

  test('says what to do where money is left but no call fits', () => {
    const refused = readingOf(counterOf(0n, { exhaustedAtNano: 25n * USD }));
    expect(exhausted(budgetOf(), refused, NOW).message).toBe(
      'The limit of $25.00 has less left than one call may cost. Lower max_tokens (guards.maxOutputTokens of the workspace) or set limit.toleranceUsd. Resets at 2026-11-24T05:00:00Z.',
    );
  });

  const perCustomer = budgetOf({ per: ['customer'], totalNano: 400n * USD });

  test('is true for single values too, and names some', () => {
    const values = [valueOf('acme', 25n * USD), valueOf('umbrella', 24n * USD, { exhaustedAtNano: 25n * USD })];
    const reading = readingOf(counterOf(49n * USD), values, { valueCount: 120, exhaustedCount: 4 });
    expect(exhausted(perCustomer, reading, NOW)).toEqual({
      reason: 'ValuesSpent',
      message: '5 of 120 values of spec.per are spent, such as "acme", "umbrella". Resets at 2026-11-24T05:00:00Z.',
    });
    expect(budgetFigures(perCustomer, reading, NOW).state).toBe('Restricted');
  });

  test('says nothing of a value that is shut out by an override of 0', () => {
    const shutOut = { ...perCustomer, overrides: [{ values: ['blocked'], limitNano: 0n }] };
    const values = [valueOf('acme', 1n * USD), valueOf('blocked', 0n, { exhaustedAtNano: 0n })];
    const reading = readingOf(counterOf(1n * USD), values, { valueCount: 2, exhaustedCount: 1 });
    expect(exhausted(shutOut, reading, NOW).reason).toBe('WithinLimit');
    expect(budgetFigures(shutOut, reading, NOW)).toMatchObject({ state: 'OK', used: '4%' });
  });

  test('is not kept up by marks that a raise of the limit made obsolete', () => {
    const values = [valueOf('acme', 20n * USD, { exhaustedAtNano: 25n * USD })];
    const reading = readingOf(counterOf(20n * USD), values, { valueCount: 120, exhaustedCount: 4 });
    expect(reason({ ...perCustomer, limitNano: 30n * USD }, reading)).toBe('WithinLimit');
    expect(reason(perCustomer, readingOf(counterOf(400n * USD), values))).toBe('Spent');
  });
});

describe('conditions', () => {
  test('move their time only where the status flips', () => {
    const first = condition('Exhausted', { reason: 'WithinLimit', message: 'a' }, 1, NOW, []);
    expect(first).toEqual({
      type: 'Exhausted',
      status: 'False',
      reason: 'WithinLimit',
      message: 'a',
      observedGeneration: 1,
      lastTransitionTime: '2026-11-23T14:00:00Z',
    });
    const same = condition('Exhausted', { reason: 'WithinLimit', message: 'b' }, 2, NOW + 60_000, [first]);
    expect(same).toEqual({ ...first, message: 'b', observedGeneration: 2 });
    const flipped = condition('Exhausted', { reason: 'Spent', message: 'c' }, 2, NOW + 60_000, [same]);
    expect([flipped.status, flipped.lastTransitionTime]).toEqual(['True', '2026-11-23T14:01:00Z']);
    expect(condition('Ready', { reason: 'Ready', message: '' }, 1, NOW, [flipped]).lastTransitionTime).toBe(
      '2026-11-23T14:00:00Z',
    );
  });

  test('fit into the API', () => {
    expect(condition('Accepted', { reason: 'Invalid', message: 'x'.repeat(9_999) }, 1, NOW, []).message).toHaveLength(
      4_096,
    );
    const reasons = Object.values(conditionReasons).flatMap((rows) => Object.entries(rows));
    expect(
      reasons.filter(([reason, { meaning }]) => !/^[A-Z][A-Za-z]{0,62}$/.test(reason) || !meaning.endsWith('.')),
    ).toEqual([]);
  });
});

describe('programmed and ready', () => {
  const proof: RequiredVersion = { workspace: 'payments/checkout', shard: 'tollgate-policy-3', version: 7 };
  const ok = { reason: 'Accepted', message: 'The resource is valid.' } as const;
  const budget: BudgetOutcome = {
    generation: 1,
    accepted: ok,
    inForce: budgetOf(),
    spanning: false,
    required: [proof],
  };
  const workspace: WorkspaceOutcome = {
    generation: 1,
    accepted: ok,
    inForce: { generation: 1, suspend: false } as CompiledWorkspace,
    budgets: [budgetOf()],
    upstreamKey: true,
    required: [proof],
  };
  const rollout = (fence: number | null, gateways: Record<string, Record<string, number> | null>): Rollout => ({
    fences: fence === null ? null : new Map([['payments/checkout', fence]]),
    gateways: new Map(Object.entries(gateways)),
  });
  const everywhere = rollout(7, { a: { 'tollgate-policy-3': 7 }, b: { 'tollgate-policy-3': 9 } });

  test.each<[string, string, BudgetOutcome, Rollout]>([
    ['Programmed', 'All 2 gateways enforce it.', budget, everywhere],
    ['Pending', 'No gateway is running, so no call can be made yet.', budget, rollout(8, {})],
    [
      'Programmed',
      'It applies to no workspace yet.',
      { ...budget, spanning: true, required: [] },
      rollout(7, { a: {} }),
    ],
    [
      'WorkspaceNotAccepted',
      "Its workspace was never accepted; see that workspace's Accepted condition.",
      { ...budget, required: [] },
      everywhere,
    ],
    ['NotAccepted', 'Generation 1 stays in force.', { ...budget, generation: 2 }, everywhere],
    [
      'NotAccepted',
      'No generation was ever accepted, so nothing is enforced.',
      { ...budget, inForce: null, required: [] },
      everywhere,
    ],
    ['Pending', 'Redis does not answer, so the fences cannot be read.', budget, rollout(null, {})],
    ['Pending', 'Redis does not hold the newest fence of payments/checkout yet.', budget, rollout(6, {})],
    [
      'Pending',
      'Gateway b has not reported what it enforces.',
      budget,
      rollout(7, { a: { 'tollgate-policy-3': 7 }, b: null }),
    ],
    [
      'Pending',
      'Gateway a does not enforce this version of payments/checkout yet.',
      budget,
      rollout(7, { a: { 'tollgate-policy-3': 6 } }),
    ],
  ])('%s: %s', (reason, message, verdict, rollout) => {
    expect(programmed(verdict, rollout)).toEqual({ reason, message });
  });

  const done = programmed(budget, everywhere);
  const pending = { reason: 'Pending', message: 'wait' } as const;
  test.each<[string, WorkspaceOutcome, typeof done]>([
    ['Ready', workspace, done],
    ['NotProgrammed', workspace, pending],
    ['NotAccepted', { ...workspace, accepted: { reason: 'SecretNotFound', message: '' } }, done],
    ['UpstreamKeyMissing', { ...workspace, upstreamKey: false }, done],
    ['Suspended', { ...workspace, inForce: { generation: 1, suspend: true } as CompiledWorkspace }, done],
    ['NoBudget', { ...workspace, budgets: [budgetOf({ mode: 'Observe' })] }, done],
  ])('a workspace is %s', (reason, verdict, isProgrammed) => {
    expect(workspaceReady(verdict, isProgrammed, { requireBudget: true }).reason).toBe(reason);
  });

  test('a workspace needs no budget where the installation requires none', () => {
    expect(workspaceReady({ ...workspace, budgets: [] }, done, { requireBudget: false }).reason).toBe('Ready');
  });

  test.each<[string, BudgetOutcome, typeof done]>([
    ['Ready', budget, done],
    ['NotProgrammed', budget, pending],
    ['NotAccepted', { ...budget, accepted: { reason: 'Unpooled', message: '' } }, done],
    ['Suspended', { ...budget, inForce: budgetOf({ suspend: true }) }, done],
  ])('a budget is %s', (reason, verdict, isProgrammed) => {
    expect(budgetReady(verdict, isProgrammed).reason).toBe(reason);
  });
});

describe('the usage log', () => {
  test.each([
    ['Logged', 0, 0],
    ['Logged', 499, 0],
    ['LogBehind', 500, 0],
    ['LogBehind', 1_000, 60_000],
    ['Logged', 0, 60_000],
    ['LogUnreachable', 0, 60_001],
    ['LogUnreachable', 900, 60_001],
  ])('is %s with %d of 1000 records waiting, silent for %d ms', (reason, waiting, silentMs) => {
    expect(logged({ waiting, limit: 1_000, silentMs }).reason).toBe(reason);
  });

  test('does not depend on how many wait, so that a status is not written for each record', () => {
    const messages = [500, 501, 999].map((waiting) => logged({ waiting, limit: 1_000, silentMs: 0 }).message);
    expect(new Set(messages)).toEqual(
      new Set([
        'The usage stream is at least half full. At 1000 waiting records (usageStreamLimit) all calls are refused.',
      ]),
    );
  });
});

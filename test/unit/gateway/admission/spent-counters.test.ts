import { beforeEach, describe, expect, test } from '@jest/globals';
import { SpentCounters } from '../../../../gateway/admission/spent-counters.ts';
import { queueKeysOf } from '../../../../gateway/admission/wait-queue.ts';
import type { ReserveAnswer } from '../../../../ledger/reservation.ts';
import type { CallPlan } from '../../../../policy/admit/plan.ts';
import type { Bound, Check, Failure } from '../../../../policy/core/counter-check.ts';
import { nano, ZERO } from '../../../../policy/core/money.ts';

const PERIOD_END = 1_000_000;

let elapsed = 0;
let spent: SpentCounters;

beforeEach(() => {
  elapsed = 0;
  spent = new SpentCounters(() => elapsed);
});

/** A pool of 100 with tolerance 0, unless other figures are given. */
function check(worst: bigint, { cap = 100n, ...more }: Partial<Check> & { cap?: bigint } = {}): Check {
  const bound = boundOf(cap, worst);
  const span = { start: 0, end: PERIOD_END, mode: 'Enforce' } as const;
  return { budget: 'a/daily', counter: 'a/daily/Day/UTC/0', value: null, ...span, bound, total: null, ...more };
}

function boundOf(cap: bigint, worst: bigint): Bound {
  return { capNano: nano(cap), roomNano: nano(cap - worst), gapRoomNano: ZERO };
}

/** A call of workspace `a/app`. */
function callOf(worst: bigint, ...checks: Check[]): { workspace: string; plan: CallPlan } {
  const amounts = { worstNano: nano(worst), reservedNano: nano(worst) };
  return { workspace: 'a/app', plan: { ...amounts, from: 0, until: Infinity, checks } as unknown as CallPlan };
}

function full(spentNano: bigint, failures: readonly Partial<Failure>[] = [{}], now = 5_000): ReserveAnswer {
  const whole: Failure = {
    check: 0,
    ofTotal: false,
    verdict: 'spent',
    spentNano: nano(spentNano),
    certainNano: nano(spentNano),
    committedNano: nano(spentNano),
  };
  return { kind: 'full', now, failures: failures.map((failure) => ({ ...whole, ...failure })) };
}

/** Whether a call of this worst case on the pool is refused without asking. */
const isRefused = (worst: bigint, more = {}) => spent.refuse(callOf(worst, check(worst, more))) !== null;

describe('a counter that the ledger has found spent', () => {
  test('refuses what was too large again as too large, and asks for what fits', () => {
    spent.learn(callOf(10n, check(10n)), full(95n, [{ verdict: 'tooLarge' }]), 0);
    expect(spent.refuse(callOf(11n, check(11n)))).toMatchObject({
      failures: [{ verdict: 'tooLarge', spentNano: 95n }],
    });
    expect(isRefused(5n)).toBe(false);
  });

  test('refuses the same call with the same figures for 250 ms', () => {
    const call = callOf(10n, check(10n));
    expect(spent.refuse(call)).toBeNull();
    spent.learn(call, full(95n), 0);
    const failure = {
      check: 0,
      ofTotal: false,
      verdict: 'spent',
      spentNano: 95n,
      certainNano: 95n,
      committedNano: 95n,
    };
    elapsed = 249;
    expect(spent.refuse(call)).toEqual({ kind: 'knownSpent', failures: [failure] });
    elapsed = 250;
    expect(spent.refuse(call)).toBeNull();
  });

  test('refuses what cannot fit, and never a smaller call that may', () => {
    spent.learn(callOf(10n, check(10n)), full(95n), 0);
    expect([isRefused(10n), isRefused(11n), isRefused(6n), isRefused(5n)]).toEqual([true, true, true, false]);
  });

  test('refuses every call once all of the cap is spent', () => {
    spent.learn(callOf(10n, check(10n)), full(100n), 0);
    expect(isRefused(1n)).toBe(true);
  });

  test('refuses where presumed money is what does not leave room', () => {
    spent.learn(callOf(10n, check(10n)), full(20n, [{ certainNano: nano(93n) }]), 0);
    expect([isRefused(10n), isRefused(8n), isRefused(7n)]).toEqual([true, true, false]);
  });

  test('says nothing of another cap, as after an edit, a grant or for a critical call', () => {
    spent.learn(callOf(10n, check(10n)), full(100n), 0);
    expect([isRefused(10n, { cap: 101n }), isRefused(10n, { cap: 99n })]).toEqual([false, false]);
  });

  test('says nothing of another tolerance', () => {
    spent.learn(callOf(10n, check(10n)), full(100n), 0);
    expect(isRefused(10n, { bound: { ...boundOf(100n, 10n), roomNano: nano(95n) } })).toBe(false);
  });

  test('is known for two caps at a time, so that two kinds of callers in turn do not ask each time', () => {
    spent.learn(callOf(10n, check(10n)), full(100n), 0);
    spent.learn(callOf(10n, check(10n, { cap: 90n })), full(100n), 0);
    expect([isRefused(10n), isRefused(10n, { cap: 90n })]).toEqual([true, true]);
  });

  test('says nothing of another period or value, of a budget that observes, or of an exempt call', () => {
    spent.learn(callOf(10n, check(10n, { value: '["acme"]' })), full(100n), 0);
    expect(isRefused(10n, { value: '["acme"]' })).toBe(true);
    expect(isRefused(10n, { value: '["other"]' })).toBe(false);
    expect(isRefused(10n, { counter: 'a/daily/Day/UTC/1', value: '["acme"]' })).toBe(false);
    expect(isRefused(10n, { mode: 'Observe', value: '["acme"]' })).toBe(false);
    expect(isRefused(10n, { mode: 'Exempt', value: '["acme"]' })).toBe(false);
  });

  test('is asked about again when a call on it was settled or released here', () => {
    const call = callOf(10n, check(10n));
    spent.learn(call, full(100n), 0);
    spent.doubt(['another']);
    expect(spent.refuse(call)).not.toBeNull();
    spent.doubt(queueKeysOf(call.plan.checks));
    expect(spent.refuse(call)).toBeNull();
  });

  test('ends with its period by the ledger’s clock, and with the span of its cap', () => {
    const call = callOf(10n, check(10n));
    spent.learn(call, full(100n, [{}], PERIOD_END - 100), 0);
    elapsed = 99;
    expect(spent.refuse(call)).not.toBeNull();
    elapsed = 100;
    expect(spent.refuse(call)).toBeNull();
    const until = { ...call, plan: { ...call.plan, until: 5_040 } };
    spent.learn(until, full(100n), 100);
    elapsed = 140;
    expect(spent.refuse(until)).toBeNull();
  });

  test('that only waits is not spent', () => {
    spent.learn(callOf(10n, check(10n)), full(95n, [{ verdict: 'waiting' }]), 0);
    expect(isRefused(10n)).toBe(false);
  });

  test('is not spent for a size that it admits', () => {
    spent.learn(callOf(10n, check(10n)), full(95n), 0);
    expect(isRefused(10n)).toBe(true);
    spent.learn(callOf(10n, check(10n)), { kind: 'admitted', now: 5_000, committedNano: [nano(30n)] }, 10);
    expect(isRefused(10n)).toBe(false);
  });
});

test('the value of another workspace is another counter where values are too many', () => {
  const own = callOf(10n, check(10n, { value: '["acme"]' }));
  spent.learn(own, full(100n), 0);
  expect(spent.refuse(own)).not.toBeNull();
  expect(spent.refuse({ ...own, workspace: 'b/app' })).toBeNull();
  const pooled = callOf(10n, check(10n));
  spent.learn(pooled, full(100n), 0);
  expect(spent.refuse({ ...pooled, workspace: 'b/app' })).not.toBeNull();
});

describe('several budgets', () => {
  const monthly = (worst: bigint, more = {}) =>
    check(worst, { budget: 'a/monthly', counter: 'a/monthly/Month/UTC/0', ...more });

  test('the ledger is asked where nothing is known of one, which may be spent too and reset later', () => {
    spent.learn(callOf(10n, check(10n)), full(100n), 0);
    expect(spent.refuse(callOf(10n, check(10n), monthly(10n)))).toBeNull();
    spent.learn(callOf(10n, check(10n), monthly(10n)), full(100n), 0);
    expect(spent.refuse(callOf(10n, check(10n), monthly(10n)))?.failures).toMatchObject([{ check: 0 }]);
    expect(spent.refuse(callOf(9n, monthly(9n), check(9n)))?.failures).toMatchObject([{ check: 1 }]);
  });

  test('a total that is spent refuses all values, also those that nobody has heard of', () => {
    const perCustomer = (value: string) =>
      callOf(10n, check(10n, { value, bound: boundOf(1_000n, 10n), total: boundOf(100n, 10n) }));
    spent.learn(perCustomer('["acme"]'), full(100n, [{ ofTotal: true }]), 0);
    expect(spent.refuse(perCustomer('["made up"]'))?.failures).toMatchObject([{ check: 0, ofTotal: true }]);
  });
});

describe('many callers of a counter that was spent', () => {
  const call = callOf(10n, check(10n));

  async function askAtOnce(answer: ReserveAnswer): Promise<{ asked: number; outcomes: unknown[] }> {
    spent.learn(call, full(100n), 0);
    elapsed = 300;
    let asked = 0;
    const ask = async (): Promise<string> => {
      asked += 1;
      await Promise.resolve();
      spent.learn(call, answer, elapsed);
      return answer.kind;
    };
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => spent.askOnce(call, ask)));
    return { asked, outcomes };
  }

  test('ask once', async () => {
    const { asked, outcomes } = await askAtOnce(full(100n));
    expect(asked).toBe(1);
    expect(outcomes.slice(1)).toEqual(Array(7).fill(expect.objectContaining({ kind: 'knownSpent' })));
  });

  test('all ask if it has room again', async () => {
    const { asked, outcomes } = await askAtOnce({ kind: 'admitted', now: 5_300, committedNano: [nano(10n)] });
    expect([asked, ...outcomes]).toEqual([8, ...Array<string>(8).fill('admitted')]);
  });

  test('a call that may fit does not wait for them', async () => {
    spent.learn(call, full(20n), 0);
    elapsed = 300;
    const never = new Promise<string>(() => {});
    void spent.askOnce(call, () => never);
    expect(await spent.askOnce(callOf(5n, check(5n)), () => Promise.resolve('asked'))).toBe('asked');
  });

  test('one whose question failed leaves the next to ask', async () => {
    spent.learn(call, full(100n), 0);
    elapsed = 300;
    const failed = spent.askOnce(call, () => Promise.reject(new Error('unreachable')));
    const next = spent.askOnce(call, () => Promise.resolve('asked'));
    await expect(failed).rejects.toThrow('unreachable');
    expect(await next).toBe('asked');
  });
});

test('spent counters are forgotten', () => {
  for (let i = 0; i < 1_000; i++) {
    spent.learn(callOf(10n, check(10n, { counter: `c${i}` })), full(100n), elapsed);
    elapsed += 100;
  }
  expect(spent.size).toBeLessThan(60);
});

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, jest, test } from '@jest/globals';
import { nano } from '../../../policy/core/money.ts';
import { budgetFiguresQuery } from '../../../policy/status/budget-figures.ts';
import { startRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';
import { counterOf, settled, standIn, streaming, useGateways } from './fixture.ts';
import { ask, AT_ONCE, errorOf, message, startGateway } from './harness.ts';
import { budget, handover, resolved, type WorkspaceOptions } from './policies.ts';

const env = useGateways();
const { books, gatewayWith } = env;

const OTHER_FEATURE = { 'x-api-key': 'sk-tollgate-other' };
/** Two keys: the usual one, of the feature `checkout`, and another one of `feature`. */
const twoFeatures = (feature: string): Partial<WorkspaceOptions> => ({
  keys: { api: 'sk-tollgate-api', other: 'sk-tollgate-other' },
  rest: {
    keys: [
      { name: 'api', priority: 'Normal', attributes: { feature: 'checkout' } },
      { name: 'other', priority: 'Normal', attributes: { feature } },
    ],
  },
});

describe('a budget', () => {
  test('that is spent refuses calls with one sentence: rule, figure, reset', async () => {
    const gateway = await gatewayWith({ budgets: [budget('daily', '0.0015')] });
    expect((await ask(gateway.url)).status).toBe(200);
    await settled(gateway);
    const answer = await ask(gateway.url);
    expect(answer.status).toBe(429);
    expect(answer.headers).toMatchObject({ 'x-should-retry': 'false' });
    expect(answer.headers['retry-after']).toBeUndefined();
    expect(errorOf(answer)).toMatchObject({
      type: 'budget_exceeded',
      budget: 'payments/daily',
      reset_at: expect.stringMatching(/T00:00:00Z$/),
    });
    expect(errorOf(answer).message).toMatch(/payments\/daily.*Ask #claude-costs\.$/);
    expect(books()).toBe((await settled(gateway)).spentNano);
  });

  test('that is spent leaves one row of refusals a minute, with key and budget', async () => {
    const gateway = await gatewayWith({ budgets: [budget('daily', '0')] });
    for (let i = 0; i < 5; i++) expect((await ask(gateway.url)).status).toBe(429);
    expect((await ask(gateway.url, { headers: { 'x-api-key': 'sk-tollgate-nobody' } })).status).toBe(401);
    await gateway.assembly.stop(AT_ONCE);
    const rows = (await gateway.ledger.operator.readRefusals(100)).map(({ row }) => row);
    const countOf = (workspace: string, key: string, budget: string, reason: string): number =>
      rows
        .filter((row) => row.workspace === workspace && row.key === key && row.budget === budget)
        .filter((row) => row.reason === reason && row.minute % 60_000 === 0)
        .reduce((sum, { count }) => sum + count, 0);
    expect(countOf('payments/checkout', 'api', 'payments/daily', 'BudgetSpent')).toBe(5);
    expect(countOf('', '', '', 'UnknownKey')).toBe(1);
    expect(rows.length).toBeLessThanOrEqual(4);
  });

  test('reserved by calls in flight makes new calls wait until they settle, first come first served', async () => {
    const one = budget('daily', '0.0014');
    const gateway = await gatewayWith({ budgets: [one] });
    const answers = await Promise.all(
      Array.from({ length: 8 }, () =>
        ask(gateway.url, { body: message({ max_tokens: 40 }), headers: standIn({ latencyMs: 30, text: 'toll' }) }),
      ),
    );
    const through = answers.filter(({ status }) => status === 200).length;
    expect(through).toBeGreaterThan(1);
    const counter = await settled(gateway, one);
    expect(counter.spentNano).toBe(books());
    expect(counter.requests).toBe(through);
  });

  test('that stays full refuses after the waiting time with retry-after, even if the clock is set back', async () => {
    const clock = { lateMs: 0 };
    const gateway = await gatewayWith(
      { budgets: [budget('daily', '0.0014')] },
      { settings: { waitSeconds: 1 }, now: () => Date.now() - clock.lateMs },
    );
    const held = ask(gateway.url, { body: streaming, headers: standIn({ holdAfter: 1 }) });
    await until(() => env.upstream.books().open === 1);
    const waiting = ask(gateway.url);
    await until(() => gateway.assembly.openCalls.size === 2);
    clock.lateMs = 3_600_000;
    const answer = await waiting;
    expect([answer.status, errorOf(answer).type]).toEqual([429, 'rate_limit_error']);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    expect(answer.headers['x-should-retry']).toBeUndefined();
    env.upstream.release();
    expect((await held).status).toBe(200);
  });

  test('lets an exempt call pass its wait queue', async () => {
    const gateway = await gatewayWith({
      budgets: [budget('daily', '0.0014', { exempt: { features: ['fraud-check'] } })],
      ...twoFeatures('fraud-check'),
    });
    const held = ask(gateway.url, { body: streaming, headers: standIn({ holdAfter: 1 }) });
    await until(() => env.upstream.books().open === 1);
    const waiting = ask(gateway.url);
    await sleep(200);
    const exempt = ask(gateway.url, { headers: OTHER_FEATURE });
    expect(await Promise.race([exempt, waiting, held])).toBe(await exempt);
    expect((await exempt).status).toBe(200);
    env.upstream.release();
    await Promise.all([held, waiting]);
  });

  test('with room again admits calls, although a call at the head of its queue waits for another budget', async () => {
    const gateway = await gatewayWith({
      budgets: [budget('all', '0.0028'), budget('checkout', '0.0014', { scope: { features: ['checkout'] } })],
      ...twoFeatures('search'),
    });
    const held = ask(gateway.url, { body: streaming, headers: standIn({ holdAfter: 1 }) });
    await until(() => env.upstream.books().open === 1);
    const short = ask(gateway.url, { headers: { ...OTHER_FEATURE, ...standIn({ latencyMs: 500, text: 'toll' }) } });
    await until(() => env.upstream.books().open === 2);
    const waiting = ask(gateway.url);
    await short;
    const other = ask(gateway.url, { headers: OTHER_FEATURE });
    expect(await Promise.race([other, waiting, held])).toBe(await other);
    expect((await other).status).toBe(200);
    env.upstream.release();
    await Promise.all([held, waiting]);
  });

  test('that changed makes a call plan again: a stale policy catches up, a deleted key is refused', async () => {
    const gateway = await gatewayWith();
    await gateway.ledger.operator.raiseFences(new Map([['payments/checkout', 2]]));
    const waiting = ask(gateway.url);
    await sleep(100);
    gateway.policy.enforce([
      resolved(handover({ baseURL: env.upstream.url, budgets: [budget('daily', '0')], version: 2 })),
    ]);
    expect(errorOf(await waiting).type).toBe('budget_exceeded');
    await sleep(250); // until the ledger is asked again, which tells of the fence
    await gateway.ledger.operator.raiseFences(new Map([['payments/checkout', 3]]));
    const orphan = ask(gateway.url);
    await sleep(100);
    gateway.policy.drop('payments/checkout');
    gateway.policy.enforce([
      resolved(handover({ baseURL: env.upstream.url, version: 3, keys: { api: 'sk-tollgate-new' } })),
    ]);
    expect((await orphan).status).toBe(401);
    expect(env.upstream.books().total.calls).toBe(0);
  });
});

describe('a caller that leaves', () => {
  test('while it waits for room costs nothing and gives its place to the next call', async () => {
    const gateway = await gatewayWith({ budgets: [budget('daily', '0.0014')] });
    const held = ask(gateway.url, { body: streaming, headers: standIn({ holdAfter: 1 }) });
    await until(() => env.upstream.books().open === 1);
    const leaving = new AbortController();
    const waiting = ask(gateway.url, { signal: leaving.signal }).catch(() => 'left');
    await sleep(150);
    leaving.abort();
    expect(await waiting).toBe('left');
    env.upstream.release();
    await held;
    await settled(gateway);
    expect(env.upstream.books().total.requests).toBe(1);
    await until(() => gateway.assembly.openCalls.size === 0);
    expect(gateway.logs.filter((line) => 'refusal' in line)).toEqual([]);
  });
});

describe('the ledger', () => {
  test('out of reach makes calls wait, then refuses them, and settles afterwards what was spent meanwhile', async () => {
    const own = await startRedis();
    const gateway = await startGateway({
      redisUrl: own.url,
      handover: handover({ baseURL: env.upstream.url, budgets: [budget('daily', '25.00')] }),
      settings: { waitSeconds: 10 },
    });
    let back: typeof own | null = null;
    try {
      const held = ask(gateway.url, { body: streaming, headers: standIn({ holdAfter: 1 }) });
      await until(() => env.upstream.books().open === 1);
      await own.stop();
      env.upstream.release();
      expect((await held).status).toBe(200);
      const refused = await ask(gateway.url);
      expect([refused.status, errorOf(refused).type, refused.headers['x-should-retry']]).toEqual([
        503,
        'api_error',
        'false',
      ]);
      expect((await ask(gateway.url, { method: 'GET', path: '/readyz' })).status).toBe(200);
      const waiting = ask(gateway.url);
      back = await startRedis({ directory: own.directory, port: own.port, password: own.password });
      expect((await waiting).status).toBe(200);
      const counter = await settled(gateway);
      expect(counter.spentNano).toBe(books());
      expect(counter.requests).toBe(2);
    } finally {
      await gateway.stop();
      await back?.stop();
    }
  });

  test('that throws an unexpected error on a read shows the caller nothing of it', async () => {
    const gateway = await gatewayWith();
    jest.spyOn(gateway.ledger.gateway, 'state').mockRejectedValueOnce(new Error('a mistake'));
    const asked = ask(gateway.url, { method: 'GET', path: '/tollgate/v1/budgets' });
    await expect(asked).rejects.toThrow('socket hang up');
  });

  test('that throws an unexpected error on a reserve leaves no open call', async () => {
    const gateway = await gatewayWith();
    jest.spyOn(gateway.ledger.gateway, 'reserve').mockRejectedValueOnce(new Error('a mistake'));
    await expect(ask(gateway.url)).rejects.toThrow('socket hang up');
    await until(() => gateway.assembly.openCalls.size === 0);
    expect((await ask(gateway.url)).status).toBe(200);
  });

  test('releases a reservation whose call was never sent', async () => {
    const gateway = await gatewayWith();
    const { now } = await gateway.ledger.operator.state();
    const { period } = budget('daily', '25.00');
    const start = now - (now % 86_400_000);
    await gateway.ledger.gateway.reserve({
      id: 'stray',
      workspace: 'payments/checkout',
      version: 1,
      worstNano: nano(5n),
      gapNano: nano(0n),
      from: start,
      until: start + 86_400_000,
      checks: [
        {
          budget: 'payments/daily',
          counter: budgetFiguresQuery(budget('daily', '25.00', { period }), now).counter,
          value: null,
          start,
          end: start + 86_400_000,
          mode: 'Enforce',
          bound: { capNano: nano(100n), roomNano: nano(95n), gapRoomNano: nano(0n) },
          total: null,
        },
      ],
    });
    expect((await counterOf(gateway)).committedNano).toBe(5n);
    await settled(gateway);
    expect(await counterOf(gateway)).toMatchObject({ spentNano: 0n, certainNano: 0n });
  });
});

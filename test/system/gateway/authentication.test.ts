import { describe, expect, test } from '@jest/globals';
import { parseUsd } from '../../../policy/core/money.ts';
import { settled, useGateways } from './fixture.ts';
import { type Answer, ask, errorOf } from './harness.ts';
import { budget, handover, resolved } from './policies.ts';

const env = useGateways();
const { gatewayWith, received } = env;

describe('a caller', () => {
  const two = { api: 'sk-tollgate-api', batch: 'sk-tollgate-batch' };
  test.each([
    ['the key as x-api-key', { 'x-api-key': 'sk-tollgate-api' }],
    ['the key as a bearer token', { 'x-api-key': '', authorization: 'Bearer sk-tollgate-api' }],
    ['the same key as both', { 'x-api-key': 'sk-tollgate-api', authorization: 'Bearer sk-tollgate-api' }],
    ['a key and something that is not ours', { 'x-api-key': 'sk-tollgate-api', authorization: 'Bearer else' }],
  ])('with %s is served', async (_name, headers) => {
    const gateway = await gatewayWith({ keys: two });
    expect((await ask(gateway.url, { headers })).status).toBe(200);
  });

  test.each([
    ['two different keys of ours', { 'x-api-key': 'sk-tollgate-api', authorization: 'Bearer sk-tollgate-batch' }],
    ['no key', { 'x-api-key': '' }],
    ['a bad key', { 'x-api-key': 'sk-tollgate-nobody' }],
    ['the upstream’s key', { 'x-api-key': 'sk-ant-upstream' }],
  ])('with %s is refused', async (_name, headers) => {
    const gateway = await gatewayWith({ keys: two });
    const answer = await ask(gateway.url, { headers });
    expect([answer.status, errorOf(answer).type]).toEqual([401, 'authentication_error']);
    expect(answer.headers['x-should-retry']).toBe('false');
    expect(received).toEqual([]);
  });

  test('whose key was revoked is unknown', async () => {
    const gateway = await gatewayWith({ keys: two });
    expect((await ask(gateway.url, { headers: { 'x-api-key': 'sk-tollgate-batch' } })).status).toBe(200);
    gateway.policy.enforce([
      resolved(handover({ baseURL: env.upstream.url, budgets: [budget('daily', '25.00')], version: 2 })),
    ]);
    expect((await ask(gateway.url, { headers: { 'x-api-key': 'sk-tollgate-batch' } })).status).toBe(401);
    expect((await ask(gateway.url)).status).toBe(200);
  });

  test('may not claim an attribute that is too long or has control characters', async () => {
    const gateway = await gatewayWith();
    const answer = await ask(gateway.url, { headers: { 'x-tollgate-customer': 'x'.repeat(257) } });
    expect([answer.status, errorOf(answer).type]).toEqual([400, 'policy_blocked']);
    expect((await ask(gateway.url, { headers: { 'x-tollgate-customer': 'a\tb' } })).status).toBe(400);
  });

  test('reads up to a hundred values of a budget with per, of which the status has the ten highest only', async () => {
    const each = budget('each', '1.00', { per: ['customer'], totalNano: parseUsd('25.00') });
    const gateway = await gatewayWith({ budgets: [each] });
    for (let n = 0; n < 12; n++) await ask(gateway.url, { headers: { 'x-tollgate-customer': `customer-${n}` } });
    await settled(gateway);
    const answer = await ask(gateway.url, { method: 'GET', path: '/tollgate/v1/budgets' });
    const { budgets } = JSON.parse(answer.text) as { budgets: { top: { values: string[] }[] }[] };
    const seen = budgets[0]!.top.flatMap(({ values }) => values);
    expect(new Set(seen)).toEqual(new Set(Array.from({ length: 12 }, (_, n) => `customer-${n}`)));
  });

  test('reads nothing of other customers if its key fixes its own', async () => {
    const each = budget('each', '1.00', { per: ['customer'], totalNano: parseUsd('25.00') });
    const keys = { any: 'sk-tollgate-any', acme: 'sk-tollgate-acme' };
    const fixed = { name: 'acme', priority: 'Normal', attributes: { customer: 'acme' } } as const;
    const rest = { keys: [{ name: 'any', priority: 'Normal', attributes: {} }, fixed] } as const;
    const gateway = await gatewayWith({ budgets: [each], keys, rest });
    await ask(gateway.url, { headers: { 'x-api-key': keys.any, 'x-tollgate-customer': 'umbrella' } });
    await ask(gateway.url, { headers: { 'x-api-key': keys.acme } });
    await settled(gateway);
    const headers = { 'x-api-key': keys.acme };
    const answer = await ask(gateway.url, { method: 'GET', path: '/tollgate/v1/budgets', headers });
    expect(answer.text).toContain('acme');
    expect(answer.text).not.toContain('umbrella');
  });

  test('reads its own budgets, and only name and reset of spanning ones', async () => {
    const organisation = budget('organisation', '3000.00', {
      namespace: 'tollgate-system',
      period: { every: 'Month', timeZone: 'UTC' },
      spanning: { selector: {}, disclosure: 'Name' },
    });
    const gateway = await gatewayWith({ spanning: [organisation] });
    await ask(gateway.url);
    await settled(gateway);
    const answer = await ask(gateway.url, { method: 'GET', path: '/tollgate/v1/budgets' });
    const { budgets } = JSON.parse(answer.text) as { budgets: Record<string, unknown>[] };
    expect(budgets[0]).toMatchObject({
      budget: 'payments/daily',
      limitUsd: '25.00',
      requests: 1,
      remainingUsd: '24.99',
    });
    expect(budgets[1]).toEqual({
      budget: 'tollgate-system/organisation',
      resetAt: expect.stringMatching(/-01T00:00:00Z$/),
    });
    expect(
      (await ask(gateway.url, { method: 'GET', path: '/tollgate/v1/budgets', headers: { 'x-api-key': '' } })).status,
    ).toBe(401);
  });

  test.each(['Name', 'Percent', 'Amounts'] as const)(
    'learns of a spanning budget its %s, and no more anywhere',
    async (disclosure) => {
      const organisation = budget('organisation', '0.0271', {
        namespace: 'tollgate-system',
        spanning: { selector: {}, disclosure },
      });
      const gateway = await gatewayWith({ spanning: [organisation] });
      const answers: Answer[] = [];
      while (answers.at(-1)?.status !== 429) {
        answers.push(await ask(gateway.url));
        await settled(gateway);
      }
      expect(answers[0]!.status).toBe(200);
      // The own budget has almost all of $25 left; the spanning one less than 3 cents.
      const left = Number(answers[0]!.headers['x-tollgate-budget-remaining-usd']);
      expect(left < 1).toBe(disclosure === 'Amounts');
      const { text } = await ask(gateway.url, { method: 'GET', path: '/tollgate/v1/budgets' });
      const { budgets } = JSON.parse(text) as { budgets: { budget: string; percentUsed?: number }[] };
      const view = budgets.find((one) => one.budget === 'tollgate-system/organisation')!;
      const refusal = errorOf(answers.at(-1)!);
      const everything = answers.map((answer) => JSON.stringify(answer.headers) + answer.text).join('\n') + text;
      expect(everything.includes('0.0271')).toBe(disclosure === 'Amounts');
      expect([view.percentUsed !== undefined, refusal['percent_used'] !== undefined]).toEqual([
        disclosure !== 'Name',
        disclosure === 'Percent',
      ]);
    },
  );
});

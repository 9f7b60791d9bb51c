import { describe, expect, jest, test } from '@jest/globals';
import { budgetFigures } from '../../../policy/status/budget-figures.ts';
import { exhausted } from '../../../policy/status/exhaustion.ts';
import { until } from '../../support/until.ts';
import { counterOf, settled, standIn, useGateways } from './fixture.ts';
import { type Answer, ask, errorOf, message } from './harness.ts';
import { budget, handover, resolved } from './policies.ts';

const env = useGateways();
const { gatewayWith } = env;

/** For so many intervals of 250 ms a loop goes on, with so many calls in each. */
const INTERVALS = 4;
const CALLS = 100;

/** What an answer says, without the id of its call. */
function contentOf({ status, headers, text }: Answer): object {
  const named = ['content-type', 'x-should-retry', 'retry-after', 'content-length'].map((name) => headers[name]);
  return { status, named, text: text.replace(/"request_id":"[^"]+"/, '') };
}

describe('a loop of calls on a spent budget', () => {
  test('gets one answer, is counted to the call, and asks the ledger once in 250 ms', async () => {
    const one = budget('daily', '0.0015');
    // How many calls a machine makes in 250 ms is its own affair.
    let elapsed = 0;
    const gateway = await gatewayWith({ budgets: [one] }, { elapsed: () => elapsed });
    expect((await ask(gateway.url)).status).toBe(200);
    await settled(gateway);
    const first = contentOf(await ask(gateway.url));
    const reserve = jest.spyOn(gateway.ledger.gateway, 'reserve');
    const started = performance.now();
    for (let interval = 1; interval <= INTERVALS; interval++) {
      elapsed += 250;
      let left = CALLS;
      const loop = async (): Promise<void> => {
        while (left-- > 0) expect(contentOf(await ask(gateway.url))).toEqual(first);
      };
      await Promise.all(Array.from({ length: 8 }, loop));
      // A reserve whose answer is lost is sent again by the same id.
      expect(new Set(reserve.mock.calls.map(([{ id }]) => id)).size).toBe(interval);
    }
    const seconds = (performance.now() - started) / 1000;
    const refused = INTERVALS * CALLS + 1;
    await until(async () => (await counterOf(gateway, one)).refused >= refused);
    expect((await counterOf(gateway, one)).refused).toBe(refused);
    const rows = await gateway.ledger.operator.readRefusals(100);
    expect(rows.reduce((sum, { row }) => sum + row.count, 0)).toBe(refused);
    expect(gateway.logs.filter(({ refusal }) => refusal === 'BudgetSpent').length).toBeLessThanOrEqual(
      10 * (seconds + 2),
    );
  });

  test('is let in at once by a raised limit', async () => {
    const gateway = await gatewayWith({ budgets: [budget('daily', '0')] });
    expect((await ask(gateway.url)).status).toBe(429);
    const raised = { baseURL: env.upstream.url, budgets: [budget('daily', '25.00')], version: 2 };
    gateway.policy.enforce([resolved(handover(raised))]);
    expect((await ask(gateway.url)).status).toBe(200);
  });

  test('does not keep out a smaller call that fits', async () => {
    const gateway = await gatewayWith({ budgets: [budget('daily', '0.01')] });
    const large = message({ max_tokens: 2_000 });
    for (let call = 0; call < 3; call++) expect((await ask(gateway.url, { body: large })).status).toBe(429);
    expect((await ask(gateway.url)).status).toBe(200);
    expect((await ask(gateway.url, { body: large })).status).toBe(429);
  });

  test('does not keep out calls that may spend more, or are of another value', async () => {
    const perCustomer = budget('daily', '0.0015', { per: ['customer'], criticalExtraNano: (10n ** 9n) as never });
    const keys = [
      { name: 'api', priority: 'Normal', attributes: { customer: 'acme' } },
      { name: 'critical', priority: 'Critical', attributes: { customer: 'acme' } },
      { name: 'other', priority: 'Normal', attributes: { customer: 'other' } },
    ] as const;
    const names = { api: 'sk-tollgate-api', critical: 'sk-tollgate-critical', other: 'sk-tollgate-other' };
    const gateway = await gatewayWith({ budgets: [perCustomer], keys: names, rest: { keys } });
    const as = (key: string): Promise<Answer> => ask(gateway.url, { headers: { 'x-api-key': `sk-tollgate-${key}` } });
    expect((await as('api')).status).toBe(200);
    await settled(gateway, perCustomer);
    expect((await as('api')).status).toBe(429);
    expect([(await as('critical')).status, (await as('other')).status]).toEqual([200, 200]);
  });

  test('is told that callers share one limit, where each customer would have one but for the total', async () => {
    const perCustomer = budget('daily', '0.0015', { per: ['customer'] });
    const gateway = await gatewayWith({ budgets: [perCustomer] });
    const as = (customer: string): Promise<Answer> =>
      ask(gateway.url, { headers: { 'x-tollgate-customer': customer } });
    expect((await as('acme')).status).toBe(200);
    await settled(gateway, perCustomer);
    const refusal = await as('umbrella');
    expect(refusal.status).toBe(429);
    expect(errorOf(refusal)['message']).toMatch(
      /\(payments\/daily, any customer\).* Calls share one limit whatever customer they name, because the budget is not accepted: it lacks spec\.limit\.totalUsd\. Resets at/,
    );
  });

  test('that waits for calls in flight still gets its turn', async () => {
    const gateway = await gatewayWith({ budgets: [budget('daily', '0.0016')] });
    const slow = ask(gateway.url, { headers: standIn({ latencyMs: 300, usage: { output_tokens: 1 } }) });
    await until(async () => (await counterOf(gateway, budget('daily', '0.0016'))).committedNano > 0n);
    expect((await ask(gateway.url)).status).toBe(200);
    expect((await slow).status).toBe(200);
  });
});

describe('a call that is too large for what is left', () => {
  const large = message({ model: 'claude-sonnet-5-5', max_tokens: 64_000, stream: true });

  test('is told what would fit, and the budget stays as it is', async () => {
    const one = budget('daily', '1.00');
    const gateway = await gatewayWith({ budgets: [one] });
    const headers = standIn({ usage: { input_tokens: 10, output_tokens: 50_000 } });
    expect((await ask(gateway.url, { body: large, headers })).status).toBe(200);
    await settled(gateway);
    const refusal = await ask(gateway.url, { body: large });
    expect([refusal.status, refusal.headers['x-should-retry']]).toEqual([429, 'false']);
    const {
      type,
      message: sentence,
      details,
    } = errorOf(refusal) as ReturnType<typeof errorOf> & {
      details: Record<string, unknown>;
    };
    expect(type).toBe('budget_exceeded');
    expect(sentence).toMatch(
      /^Yearly budget of \$1\.00 cannot hold this call \(payments\/daily\), which may cost up to \$0\.65: lower max_tokens to \d+, or shorten the prompt\. \$0\.49 is left\. Current spend: \$0\.50\. Resets at/,
    );
    // No more would fit, and that does.
    const largest = details['largest_max_tokens'] as number;
    const asking = (max_tokens: number) => ({
      body: message({ model: 'claude-sonnet-5-5', max_tokens, stream: true }),
    });
    expect((await ask(gateway.url, asking(largest + 1))).status).toBe(429);
    const counter = await counterOf(gateway, one);
    const reading = { total: counter, values: [], valueCount: 0, exhaustedCount: 0 };
    const { now } = await gateway.ledger.operator.state();
    expect(budgetFigures(one, reading, now)).toMatchObject({
      state: 'OK',
      used: '51%',
      largestCallUsd: expect.stringMatching(/^0\.64/),
    });
    expect(exhausted(one, reading, now).reason).toBe('WithinLimit');
    expect((await ask(gateway.url, { body: message({ max_tokens: 100 }) })).status).toBe(200);
    await settled(gateway);
    expect((await ask(gateway.url, asking(largest - 1_000))).status).toBe(200);
  });
});

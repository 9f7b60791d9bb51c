import { expect, test } from '@jest/globals';
import { nano } from '../../../policy/core/money.ts';
import { ask, message } from '../gateway/harness.ts';
import { budget } from '../gateway/policies.ts';
import { counterOf, quiet, useGatewayProcesses } from './gateway-processes.ts';

const env = useGatewayProcesses();
const { books, installation } = env;

test('three bursts of a hundred calls on three gateways spend a budget to the last whole call', async () => {
  const pennies = budget('pennies', '0.50');
  const { ledger, start } = await installation({ budgets: [pennies] });
  const gateways = await Promise.all([start(), start(), start()]);
  // 250 × $2 and 1,750 × $10 a million: $0.018 a call.
  const headers = { 'x-stainless-stand-in': JSON.stringify({ usage: { input_tokens: 250, output_tokens: 1750 } }) };
  const body = message({ max_tokens: 1750, messages: [{ role: 'user', content: 'Hello. '.repeat(30) }] });
  const answers = await Promise.all(
    gateways.flatMap(({ url }) => Array.from({ length: 100 }, () => ask(url, { body, headers }))),
  );
  await quiet(ledger, pennies);
  expect(env.upstream.books().total).toMatchObject({ calls: 27, usd: '0.486000000' });
  expect((await counterOf(ledger, pennies)).total).toMatchObject({ spentNano: 486_000_000n, requests: 27 });
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(27);
  const refused = answers.filter(({ status }) => status !== 200);
  expect(new Set(refused.map(({ status }) => status))).toEqual(new Set([429]));
});

test('budgets that overlap hold together, whatever the calls cost', async () => {
  const budgets = [
    budget('workspace', '0.30'),
    budget('opus', '0.12', { scope: { models: ['claude-opus-*'] } }),
    budget('customers', '0.05', { per: ['customer'], totalNano: nano(200_000_000n) }),
  ];
  const organisation = budget('organisation', '0.28', {
    namespace: 'tollgate-system',
    period: { every: 'Year', timeZone: 'UTC' },
  });
  const { ledger, start } = await installation({ budgets, spanning: [organisation] });
  const gateways = await Promise.all([start(), start()]);
  const call = (_: unknown, index: number) => {
    const output = 1 + ((index * 7919) % 200);
    const model = index % 3 === 0 ? 'claude-opus-5-5' : 'claude-sonnet-5-5';
    const headers = {
      'x-tollgate-customer': `customer-${index % 5}`,
      'x-stainless-stand-in': JSON.stringify({ usage: { output_tokens: output }, latencyMs: index % 20 }),
    };
    return ask(gateways[index % 2]!.url, {
      body: message({ model, max_tokens: 200, stream: index % 2 === 0 }),
      headers,
    });
  };
  const answers = await Promise.all(Array.from({ length: 400 }, call));
  for (const one of [...budgets, organisation]) await quiet(ledger, one);
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 429]));
  const spent = await Promise.all([...budgets, organisation].map((one) => counterOf(ledger, one)));
  expect(spent[0]!.total.spentNano).toBe(books());
  expect(spent[3]!.total.spentNano).toBe(books());
  for (const [index, one] of [...budgets, organisation].entries()) {
    expect(spent[index]!.total.spentNano).toBeLessThanOrEqual(one.totalNano ?? one.limitNano);
  }
  for (const { spentNano } of spent[2]!.values) expect(spentNano).toBeLessThanOrEqual(50_000_000n);
  expect(spent[2]!.values).toHaveLength(5);
});

import { expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { scripts } from '../../../ledger/redis/scripts.ts';
import { nano, ZERO } from '../../../policy/core/money.ts';
import { budgetFiguresQuery } from '../../../policy/status/budget-figures.ts';
import { useGateways } from './fixture.ts';
import { type Answer, ask, errorOf, type Running } from './harness.ts';
import { budget } from './policies.ts';

const env = useGateways();
const { gatewayWith } = env;

const CUSTOMERS = 300;
const perCustomer = budget('customers', '5.00', { per: ['customer'], totalNano: nano(10n ** 12n) });
const keys = { api: 'sk-tollgate-api', acme: 'sk-tollgate-acme' };
const compiledKeys = [
  { name: 'api', priority: 'Normal', attributes: { feature: 'checkout' } },
  { name: 'acme', priority: 'Normal', attributes: { customer: 'customer 7' } },
] as const;

interface View {
  readonly budget: string;
  readonly spentUsd: string;
  readonly top: readonly { readonly values: readonly string[]; readonly spentUsd: string }[];
}

const read = (gateway: Running, key: string): Promise<Answer> =>
  ask(gateway.url, { method: 'GET', path: '/tollgate/v1/budgets', headers: { 'x-api-key': `sk-tollgate-${key}` } });

const viewIn = ({ text }: Answer): View => (JSON.parse(text) as { budgets: View[] }).budgets[0]!;

/** A gateway whose budget has a counter for each of many customers: customer n has spent n cents. */
async function withCustomers(): Promise<Running> {
  const gateway = await gatewayWith({ budgets: [perCustomer], keys, rest: { keys: compiledKeys } });
  const { operator } = gateway.ledger;
  const { counter } = budgetFiguresQuery(perCustomer, (await operator.state()).now);
  const nothing = { keepUntil: Date.now() + 3_600_000, presumedNano: ZERO, requests: 1 };
  const values = Array.from({ length: CUSTOMERS }, (_, n) => {
    return { ...nothing, counter: `${counter}#["customer ${n}"]`, spentNano: nano(10_000_000n * BigInt(n)) };
  });
  await operator.raiseCounters([{ ...nothing, counter, spentNano: nano(10n ** 11n) }, ...values]);
  return gateway;
}

test('a caller sees the hundred values with the highest spend, and one whose credential fixes its value that alone', async () => {
  const gateway = await withCustomers();
  const view = viewIn(await read(gateway, 'api'));
  expect([view.top.length, view.top[0], view.top[99]]).toEqual([
    100,
    { values: ['customer 299'], spentUsd: '2.99', limitUsd: '5.00', percentUsed: 60 },
    { values: ['customer 200'], spentUsd: '2.00', limitUsd: '5.00', percentUsed: 40 },
  ]);
  const own = { values: ['customer 7'], spentUsd: '0.07', limitUsd: '5.00', percentUsed: 2 };
  expect(viewIn(await read(gateway, 'acme')).top).toEqual([own]);
});

test('callers in a loop read the ledger once a second, with few counters a script, and are limited each', async () => {
  const gateway = await withCustomers();
  const redis = new Redis(env.redis.url);
  const monitor = await redis.monitor();
  let asked = 0;
  let counters = 0;
  const { promise: isSeen, resolve: seeLast } = Promise.withResolvers<void>();
  monitor.on('monitor', (_, [command = '', name = '', ...rest]: string[]) => {
    if (command.toLowerCase() === 'echo') seeLast();
    if (name === scripts.readCounters.sha) asked += 1;
    if (command.toLowerCase() === 'hmget' && name.includes(':counter:') && rest[0] === 's') counters += 1;
  });
  const started = performance.now();
  const answers = await Promise.all(Array.from({ length: 40 }, () => read(gateway, 'api')));
  const other = await read(gateway, 'acme');
  const seconds = Math.ceil((performance.now() - started) / 1000);
  // The monitor sees a command some time after its answer, but all in their order.
  await redis.echo('last');
  await isSeen;
  monitor.disconnect();
  redis.disconnect();
  const served = answers.filter(({ status }) => status === 200);
  const limited = answers.filter(({ status }) => status === 429);
  expect(served.length + limited.length).toBe(40);
  expect(served.length).toBeLessThanOrEqual(10 * (seconds + 1));
  for (const answer of limited) {
    expect([errorOf(answer).type, answer.headers['retry-after']]).toEqual(['rate_limit_error', '1']);
  }
  expect(other.status).toBe(200);
  expect(asked).toBeLessThanOrEqual(2 * (seconds + 1));
  expect(counters).toBeGreaterThan(100);
  expect(counters).toBeLessThanOrEqual(103 * (seconds + 1));
});

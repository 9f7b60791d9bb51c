/** Budgets that observe: alone, until their end, and not where the installation wants one that enforces. */

import { expect, test } from '@jest/globals';
import { until } from '../../support/until.ts';
import { counterOf, settled, useGateways } from './fixture.ts';
import { ask, errorOf } from './harness.ts';
import { budget } from './policies.ts';

const env = useGateways();
const { gatewayWith } = env;

/** Less than a second call may cost. */
const SMALL = '0.0017';
const observing = { mode: 'Observe' } as const;

test('a workspace whose only budget observes serves calls, counts them, and says which it would have refused', async () => {
  const pilot = { ...budget('pilot', SMALL), ...observing };
  const gateway = await gatewayWith({ budgets: [pilot] });
  for (let i = 0; i < 3; i++) {
    expect((await ask(gateway.url)).status).toBe(200);
    await settled(gateway, pilot);
  }
  const { requests, wouldRefuse, refused, spentNano } = await counterOf(gateway, pilot);
  expect({ requests, refused, spentNano }).toEqual({ requests: 3, refused: 0, spentNano: env.books() });
  expect(wouldRefuse).toBeGreaterThan(0);
});

test('a pilot ends at its instant by the ledger’s clock, with what it has counted, also in a gateway whose clock is late', async () => {
  const end = Date.now() + 3_000;
  const pilot = { ...budget('pilot', SMALL), ...observing, observeUntil: end };
  const late = await gatewayWith({ budgets: [pilot] }, { now: () => Date.now() - 60_000 });
  while (env.books() < pilot.limitNano) {
    expect((await ask(late.url)).status).toBe(200);
    await settled(late, pilot);
  }
  const before = env.books();
  await until(async () => (await late.ledger.operator.state()).now >= end);
  const answer = await ask(late.url);
  expect({ status: answer.status, ...errorOf(answer) }).toMatchObject({
    status: 429,
    type: 'budget_exceeded',
    budget: 'payments/pilot',
  });
  expect(env.books()).toBe(before);
});

test('where requireBudget is Enforcing, a budget that observes grants nothing', async () => {
  const pilot = { ...budget('pilot', '25.00'), ...observing };
  const gateway = await gatewayWith({ budgets: [pilot] }, { settings: { requireBudget: 'Enforcing' } });
  const answer = await ask(gateway.url);
  expect(errorOf(answer).message).toContain('Create a ClaudeBudget in mode Enforce');
  expect(env.received).toEqual([]);
});

test('where requireBudget is Off, calls without a budget are served and counted in the log', async () => {
  const gateway = await gatewayWith({ budgets: [] }, { settings: { requireBudget: 'Off' } });
  expect((await ask(gateway.url)).status).toBe(200);
  const [entry] = await until(async () => {
    const read = await gateway.ledger.operator.readUsage(10);
    return read.length > 0 && read;
  });
  expect(JSON.stringify(entry)).toContain(`"${env.books()}"`);
});

import { beforeEach, describe, expect, test } from '@jest/globals';
import type { CompiledBudget } from '../../../policy/core/compiled-policy.ts';
import { parseUsd } from '../../../policy/core/money.ts';
import { budgetFiguresQuery } from '../../../policy/status/budget-figures.ts';
import { counterOf, settled, useGateways } from './fixture.ts';
import { ask, errorOf, message, type Running } from './harness.ts';
import { budget } from './policies.ts';

const env = useGateways();

/** $2 for each run, and $5 for all of them together. */
const runs = (changes: Partial<CompiledBudget> = {}): CompiledBudget =>
  budget('runs', '2.00', { per: ['session'], totalNano: parseUsd('5.00'), ...changes });

/** As Claude Code writes it into every message. */
const inMessage = (id: string) => ({ user_id: `{"device_id":"0f","account_uuid":"","session_id":"${id}"}` });
const session = (id: string) => ({ 'x-claude-code-session-id': id });
const subagent = (id: string, agent: string) => ({ ...session(id), 'x-claude-code-agent-id': agent });

type Headers = Readonly<Record<string, string>>;

let gateway: Running;

/** Every call costs $0.50 and has a worst case a little above, so that three of them fit into $2. */
async function start(one = runs()): Promise<void> {
  gateway = await env.gatewayWith({ budgets: [one] });
  env.upstream.behave({ usage: { input_tokens: 0, output_tokens: 50_000 } });
}

const call = (headers: Headers, rest: object = {}) =>
  ask(gateway.url, { headers, body: message({ max_tokens: 50_000, ...rest }) });

/** One call after the other until one is refused. */
async function spend(headers: Headers, rest: object = {}) {
  for (let answered = 0; ; answered++) {
    const answer = await call(headers, rest);
    if (answer.status !== 200) return { answered, refusal: errorOf(answer).message };
    await settled(gateway, runs());
  }
}

/** What each value has spent, in dollars. */
async function spentBy(one = runs()): Promise<Record<string, number>> {
  const { now } = await gateway.ledger.operator.state();
  const [reading] = await gateway.ledger.operator.read([budgetFiguresQuery(one, now, { top: 10 })]);
  return Object.fromEntries(reading!.values.map(({ value, spentNano }) => [value, Number(spentNano) / 1e9]));
}

describe('a budget for each session', () => {
  beforeEach(() => start());

  test('stops one run, lets others go on, and holds the total', async () => {
    const one = await spend(session('one'));
    expect(one).toEqual({ answered: 3, refusal: expect.stringContaining('payments/runs') });
    expect((await spend(session('two'))).answered).toBe(3);
    expect((await spend(session('three'))).answered).toBe(3);
    expect((await spend(session('four'))).answered).toBe(0);
    const { spentNano } = await counterOf(gateway, runs());
    expect(spentNano).toBe(env.books());
    expect(spentNano).toBe(parseUsd('4.50'));
  });

  test('counts its subagents with it, also if they all start at once', async () => {
    const agents = Array.from({ length: 8 }, (_, n) => call(subagent('one', `a${n}`)));
    const statuses = (await Promise.all([...agents, call(session('two'))])).map(({ status }) => status);
    expect(statuses.pop()).toBe(200);
    expect(statuses.filter((status) => status === 200).length).toBeLessThanOrEqual(3);
    await settled(gateway, runs());
    const rest = await spend(subagent('one', 'late'));
    expect(rest.answered + statuses.filter((status) => status === 200).length).toBe(3);
    expect(await spentBy()).toEqual({ '["one"]': 1.5, '["two"]': 0.5 });
  });

  test('knows a session by the header or by the message, and by the header where both have one', async () => {
    await call(session('one'));
    await call({}, { metadata: inMessage('one') });
    await call(session('one'), { metadata: inMessage('two') });
    await settled(gateway, runs());
    expect(await spentBy()).toEqual({ '["one"]': 1.5 });
  });

  test('has one counter for all calls without a session, and for what cannot be one', async () => {
    await call({});
    await call(session('a b'));
    await call({}, { metadata: inMessage('x'.repeat(101)) });
    expect((await spend({})).answered).toBe(0);
    expect(await spentBy()).toEqual({ '[""]': 1.5 });
  });
});

test('a budget for each session is raised by no override, since callers name their session', async () => {
  await start(runs({ overrides: [{ values: ['one'], limitNano: parseUsd('100.00') }] }));
  expect((await spend(session('one'))).answered).toBe(3);
});

test('with the agent each subagent has a counter, and so has the main agent', async () => {
  const each = runs({ per: ['session', 'agent'] });
  await start(each);
  await call(session('one'));
  await call(subagent('one', 'a1'));
  await call(subagent('one', 'a2'));
  await call(subagent('one', 'a2'));
  await settled(gateway, each);
  expect(await spentBy(each)).toEqual({ '["one",""]': 0.5, '["one","a1"]': 0.5, '["one","a2"]': 1 });
});

test('without a total, which the operator does not accept, a session opens no counter', async () => {
  const { totalNano: _, ...open } = runs();
  await start(open);
  expect((await spend(session('one'))).answered).toBe(3);
  expect((await spend(session('two'))).answered).toBe(0);
});

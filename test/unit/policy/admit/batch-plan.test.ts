import { expect, test } from '@jest/globals';
import { BatchPlan } from '../../../../policy/admit/batch-plan.ts';
import { Caller } from '../../../../policy/admit/caller.ts';
import type { ResolvedWorkspace } from '../../../../policy/admit/resolved-workspace.ts';
import type { CompiledBudget } from '../../../../policy/core/compiled-policy.ts';
import { nano } from '../../../../policy/core/money.ts';
import { worstCost } from '../../../../policy/cost/worst-cost.ts';
import { readAll } from '../../../../policy/json/body-reading.ts';
import { parsePriceBook } from '../../../../policy/prices/price-book-file.ts';
import published from '../../../../policy/prices/prices.json' with { type: 'json' };
import { BatchReader } from '../../../../policy/request/batch-reader.ts';
import { budgetOf } from '../../../support/budget.ts';
import { bookOf } from '../../../support/prices.ts';
import { batchParams as params, facts as readFacts } from '../../../support/request-bodies.ts';
import { NOW } from '../compile/stored.ts';
import { workspaceOf } from './planned.ts';

const prices = parsePriceBook(published);

function planOf(
  requests: readonly object[],
  workspace: Partial<ResolvedWorkspace> = {},
  now = NOW,
): BatchPlan | string {
  const caller = new Caller(workspaceOf({ batches: 'Allow', prices, ...workspace }), {
    name: 'api',
    priority: 'Normal',
    attributes: {},
  });
  const plan = new BatchPlan(caller, {}, now, { requireBudget: 'Any' });
  const reader = new BatchReader((facts) => plan.add(facts));
  const list = requests.map((one, index) => ({ custom_id: `r-${index}`, params: one }));
  const refusal = readAll(reader.write(Buffer.from(JSON.stringify({ requests: list })))) ?? reader.end();
  return refusal === null ? plan : `${refusal.reason}: ${refusal.message}`;
}

test('checks every budget for the sum of the worst cases', () => {
  const requests = [params(), params({ model: 'claude-opus-5-5' }), params({ max_tokens: 7 })];
  const tolerant = budgetOf({ name: 'tolerant', toleranceNano: nano(5n), per: ['customer'], totalNano: nano(90n) });
  const plan = planOf(requests, { budgets: [budgetOf(), tolerant] }) as BatchPlan;
  const worst = requests.map((one, index) => {
    const facts = readFacts(one);
    const inputTokens = Buffer.byteLength(JSON.stringify({ custom_id: `r-${index}`, params: one }));
    return worstCost({ ...facts, inputTokens, batch: true }, prices, NOW);
  });
  const sum = worst.reduce((total, one) => total + one, 0n);
  expect(plan.highestNano).toBe(worst[1]);
  expect(plan.planned).toMatchObject({ edits: [], worstNano: sum });
  const [pool, values] = plan.planned.checks;
  expect(pool!.bound).toMatchObject({ capNano: 25_000_000_000n, roomNano: 25_000_000_000n - sum });
  expect(values!.bound.roomNano).toBe(25_000_000_005n - sum);
  expect(values!.total).toMatchObject({ capNano: 90n, roomNano: 95n - sum });
});

test('reserves at a price that rises within a day', () => {
  const now = Date.parse('2026-11-24T12:00:00Z');
  const worstAt = (outputs: Record<string, string>) =>
    (planOf([params()], { prices: bookOf(outputs) }, now) as BatchPlan).planned.worstNano;
  const plain = worstAt({ '2026-01-01': '10' });
  const highNano = worstAt({ '2026-01-01': '20' });
  expect(highNano).toBe(plain + 17_000_000n);
  expect(worstAt({ '2026-01-01': '10', '2026-11-25T12:00:00Z': '20' })).toBe(highNano);
  expect(worstAt({ '2026-01-01': '10', '2026-11-25T12:00:01Z': '20' })).toBe(plain);
  expect(worstAt({ '2026-01-01': '20', '2026-11-25T12:00:00Z': '10' })).toBe(highNano);
});

const opusOnly: CompiledBudget = budgetOf({ name: 'opus', scope: { models: ['claude-opus-*'] } });

test.each([
  ['ModelNotAllowed: requests[1]: Model "gpt-5" is not allowed', [params(), params({ model: 'gpt-5' })], {}],
  ['ModelUnknown: requests[0]: Model "claude-x" has no known price', [params({ model: 'claude-x' })], {}],
  ['NoBudget: requests[0]: No budget applies', [params()], { budgets: [] }],
  [
    'BatchExceedsGuards: requests[0]: It asks for more than guards.maxOutputTokens or guards.maxToolUses of the workspace allows, and Tollgate never changes a batch. Lower max_tokens or max_uses.',
    [params()],
    { guards: { maxOutputTokens: 100 } },
  ],
  [
    'BatchMixed: requests[1]: Other budgets apply to model "claude-opus-5-5" than to the first request of the batch. Send it in a batch of its own.',
    [params(), params({ model: 'claude-opus-5-5' })],
    { budgets: [budgetOf(), opusOnly] },
  ],
  [
    'RequestTooExpensive: requests[922]: The requests up to this one may cost more than any budget can hold. Lower max_tokens or send smaller batches.',
    Array.from({ length: 1_000 }, () => params({ max_tokens: 1_000_000_000 })),
    { prices: bookOf({ '2026-01-01': '10000' }) },
  ],
])('%s', (refusal, requests, workspace) => {
  expect(planOf(requests, workspace)).toContain(refusal);
});

test('keeps the unknown names of its requests by the models that may answer them, each with the highest bound', () => {
  const dear = params({ model: 'claude-opus-5-5' });
  const requests = [
    params({ dream: 1 }),
    params({ dream: 1, wish: 1 }),
    params(),
    { ...dear, wish: 1 },
    // Nothing bounds it, so no name is to blame for what it costs.
    params({ hunch: { url: 'https://example.com' } }),
  ];
  const guards = { unboundedRequestNano: nano(1n) };
  const plan = planOf(requests, { guards, budgets: [budgetOf({ toleranceNano: nano(1n) })] }) as BatchPlan;
  const [sonnet, opus, ...more] = plan.unknown;
  expect([sonnet!.names, opus!.names, more]).toEqual([['dream', 'wish'], ['wish'], []]);
  expect(opus!.boundNano).toBe(plan.highestNano);
  expect(sonnet!.boundNano).toBeLessThan(opus!.boundNano);
});

test('keeps a bounded number of unknown names', () => {
  const names = (from: number) => Object.fromEntries(Array.from({ length: 90 }, (_, n) => [`name_${from + n}`, 1]));
  const fallbacks = (n: number) => Array.from({ length: n % 20 }, () => ({ model: 'claude-haiku-5-5' }));
  const requests = Array.from({ length: 40 }, (_, n) => params({ ...names(n * 90), fallbacks: fallbacks(n) }));
  const { unknown } = planOf(requests) as BatchPlan;
  expect(unknown.length).toBeLessThanOrEqual(17);
  expect(Math.max(...unknown.map((group) => group.names.length))).toBe(100);
  expect(unknown.at(-1)!.models).toEqual([]);
});

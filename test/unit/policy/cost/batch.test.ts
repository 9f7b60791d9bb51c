import { describe, expect, test } from '@jest/globals';
import { BatchPlan } from '../../../../policy/admit/batch-plan.ts';
import { Caller } from '../../../../policy/admit/caller.ts';
import type { ResolvedWorkspace } from '../../../../policy/compile/resolved-workspace.ts';
import type { CompiledBudget } from '../../../../policy/core/compiled-policy.ts';
import { type BatchMeta, decodeBatchMeta, batchMetaOf, encodeBatchMeta } from '../../../../policy/cost/batch-meta.ts';
import { settleBatchLine, settleLostBatch } from '../../../../policy/cost/batch-result.ts';
import { worstCost } from '../../../../policy/cost/worst-cost.ts';
import { parsePriceBook } from '../../../../policy/prices/price-book-file.ts';
import published from '../../../../policy/prices/prices.json' with { type: 'json' };
import { BatchReader, MAX_BATCH_BYTES } from '../../../../policy/request/batch-reader.ts';
import type { RequestFacts } from '../../../../policy/request/request.ts';
import { budgetOf } from '../../../support/budget.ts';
import { readFacts } from '../../../support/facts.ts';
import { callRecord } from '../../../support/usage-records.ts';
import { NOW } from '../compile/stored.ts';

const prices = parsePriceBook(published);
const workspaceOf = (changes: Partial<ResolvedWorkspace> = {}): ResolvedWorkspace => ({
  namespace: 'payments',
  name: 'checkout',
  generation: 1,
  version: 1,
  baseURL: 'https://api.anthropic.com',
  suspend: false,
  keys: [],
  headers: {},
  models: { allow: ['claude-*'], unknown: 'Refuse' },
  guards: {},
  batches: 'Allow',
  refusal: { status: 429, message: '' },
  budgets: [budgetOf()],
  prices,
  upstreamKey: 'sk-ant',
  ...changes,
});
const params = (rest: Record<string, unknown> = {}) => ({
  model: 'claude-haiku-5-5',
  max_tokens: 3_400,
  messages: [{ role: 'user', content: 'Hello' }],
  ...rest,
});

/** The facts of a body's requests, or why it is refused. */
function read(body: unknown): RequestFacts[] | string {
  const facts: RequestFacts[] = [];
  const reader = new BatchReader((one) => (facts.push(one), null));
  const refusal = reader.write(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))) ?? reader.end();
  return refusal === null ? facts : `${refusal.reason}: ${refusal.message}`;
}

function planOf(
  requests: readonly object[],
  workspace: Partial<ResolvedWorkspace> = {},
  now = NOW,
): BatchPlan | string {
  const caller = new Caller(workspaceOf(workspace), { name: 'api', priority: 'Normal', attributes: {} });
  const plan = new BatchPlan(caller, {}, now, { requireBudget: true });
  const reader = new BatchReader((facts) => plan.add(facts));
  const list = requests.map((one, index) => ({ custom_id: `r-${index}`, params: one }));
  const refusal = reader.write(Buffer.from(JSON.stringify({ requests: list }))) ?? reader.end();
  return refusal === null ? plan : `${refusal.reason}: ${refusal.message}`;
}

test('a request is read as a call of its own, at half the price', () => {
  const request = { custom_id: 'a', params: params() };
  const [facts] = read({ requests: [request] }) as RequestFacts[];
  const alone = readFacts(params());
  const inputTokens = Buffer.byteLength(JSON.stringify(request));
  expect(facts).toEqual({ ...alone, inputTokens, maxTokensSpan: { start: 0, end: 0 }, batch: true });
  for (const output of [3_400, 3_401]) {
    const call = { ...alone, maxTokens: output, inputTokens: 1 };
    expect(worstCost({ ...call, batch: true }, prices, NOW)).toBe((worstCost(call, prices, NOW) + 1n) / 2n);
  }
});

test.each([
  ['BodyInvalid: requests must have at least one entry.', { requests: [] }],
  ['BodyInvalid: The body may have the field requests only, not model.', params()],
  ['BodyInvalid: requests[0]: custom_id must be a string.', { requests: [{ params: params() }] }],
  [
    'BodyInvalid: requests[0]: custom_id must have 1 to 64 letters, digits, dashes or underscores.',
    { requests: [{ custom_id: 'a/b', params: params() }] },
  ],
  ['BodyInvalid: requests[0]: params must be an object.', { requests: [{ custom_id: 'a' }] }],
  [
    'BodyInvalid: requests[1]: custom_id a is there twice.',
    {
      requests: [
        { custom_id: 'a', params: params() },
        { custom_id: 'a', params: params() },
      ],
    },
  ],
  [
    'BodyInvalid: requests[0]: The body has the key model twice in one object.',
    '{"requests":[{"custom_id":"a","params":{"model":"claude-haiku-5-5","model":"claude-opus-5-5"}}]}',
  ],
  [
    'BodyInvalid: requests[0]: stream must not be true in a batch.',
    { requests: [{ custom_id: 'a', params: params({ stream: true }) }] },
  ],
  [
    'Unsupported: requests[0]: speed fast in a batch is not supported by Tollgate, which cannot bound its cost yet. Leave it out.',
    { requests: [{ custom_id: 'a', params: params({ speed: 'fast' }) }] },
  ],
  [
    'Unsupported: requests[0]: code execution in a batch is not supported by Tollgate, which cannot bound its cost yet. Leave it out.',
    {
      requests: [
        { custom_id: 'a', params: params({ tools: [{ type: 'code_execution_20250825', name: 'code_execution' }] }) },
      ],
    },
  ],
  [
    'Unsupported: requests[0]: priority is not supported by Tollgate, which cannot bound its cost yet. Leave it out.',
    { requests: [{ custom_id: 'a', params: params(), priority: 1 }] },
  ],
  [
    'BatchTooLarge: The batch is larger than 256 MB or has more than 100,000 requests, the limits of the Message Batches API. Send several smaller batches.',
    { requests: Array.from({ length: 100_001 }, (_, i) => ({ custom_id: `${i}`, params: params() })) },
  ],
])('%s', (refusal, body) => {
  expect(read(body)).toBe(refusal);
});

test('a body over 256 MB is refused, whatever is in it', () => {
  const reader = new BatchReader(() => null);
  const space = Buffer.alloc(1024 * 1024, ' ');
  for (let read = 0; read < MAX_BATCH_BYTES; read += space.length) expect(reader.write(space)).toBeNull();
  expect(reader.write(space)).toMatchObject({ reason: 'BatchTooLarge' });
});

test('a batch asks every budget for the sum of its worst cases', () => {
  const requests = [params(), params({ model: 'claude-opus-5-5' }), params({ max_tokens: 7 })];
  const tolerant = budgetOf({ name: 'tolerant', toleranceNano: 5n, per: ['customer'], totalNano: 90n });
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

/** A book with one model, at these output prices from these instants on. */
function bookOf(outputs: Readonly<Record<string, string>>) {
  const rates = Object.entries(outputs).map(([from, output]) => ({
    from,
    input: '1',
    cacheWrite5m: '1',
    cacheWrite1h: '1',
    cacheRead: '1',
    output,
  }));
  const model = { id: 'claude-haiku-5-5', contextWindow: 200_000, maxOutputTokens: 64_000, geo: '1.1', rates };
  return parsePriceBook({ version: '1', tools: { webSearch: '0.01' }, models: [model] });
}

test('a price that is known to rise within a day is held already', () => {
  const now = Date.parse('2026-11-24T12:00:00Z');
  const worstAt = (outputs: Record<string, string>) =>
    (planOf([params()], { prices: bookOf(outputs) }, now) as BatchPlan).planned.worstNano;
  const plain = worstAt({ '2026-01-01': '10' });
  const dear = worstAt({ '2026-01-01': '20' });
  expect(dear).toBe(plain + 17_000_000n);
  expect(worstAt({ '2026-01-01': '10', '2026-11-25T12:00:00Z': '20' })).toBe(dear);
  expect(worstAt({ '2026-01-01': '10', '2026-11-25T12:00:01Z': '20' })).toBe(plain);
  expect(worstAt({ '2026-01-01': '20', '2026-11-25T12:00:00Z': '10' })).toBe(dear);
});

const opusOnly: CompiledBudget = budgetOf({ name: 'opus', scope: { models: ['claude-opus-*'] } });

test.each([
  ['ModelNotAllowed: requests[1]: Model "gpt-5" is not allowed', [params(), params({ model: 'gpt-5' })], {}],
  ['ModelUnknown: requests[0]: Model "claude-x" has no known price', [params({ model: 'claude-x' })], {}],
  ['NoBudget: requests[0]: No enforcing budget applies', [params()], { budgets: [] }],
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

describe('a line of results', () => {
  const at = Date.parse('2026-11-24T12:00:00Z');
  const endedAt = at + 3_600_000;
  const meta: BatchMeta = {
    baseURL: 'https://api.anthropic.com',
    worstNano: 1_000_000n,
    highestNano: 90_000n,
    model: 'claude-sonnet-5-5',
    asked: [],
    maxInferences: 1,
    at,
    record: callRecord(),
  };
  const place = { batch: 'msgbatch_1', call: 'call', index: 7, endedAt };
  const usage = { input_tokens: 100, output_tokens: 9, service_tier: 'batch' };
  const succeeded = (message: object) => JSON.stringify({ custom_id: 'a-1', result: { type: 'succeeded', message } });
  const message = { id: 'msg_1', model: 'claude-sonnet-5-5', content: [{}], usage };
  const costOf = (text: string, changes: Partial<BatchMeta> = {}, book = prices) =>
    settleBatchLine(text, { ...meta, ...changes }, book, place);

  test('has a record of its own, with what all of them have in common', () => {
    const { costNano, record, ...counted } = costOf(succeeded(message));
    expect(costNano).toBe((100n * 2_000n + 9n * 10_000n) / 2n);
    expect(counted).toMatchObject({
      tokens: { input: 100, output: 9, cacheRead: 0 },
      cache: { savedNano: 0n, surchargeNano: 0n },
      model: 'claude-sonnet-5-5',
    });
    expect(record).toMatchObject({
      id: 'call/batch/a-1',
      workspace: 'payments/checkout',
      key: 'api',
      timestamp: '2026-11-24T13:00:00.000Z',
      model: 'claude-sonnet-5-5',
      asked_model: 'claude-sonnet-5-5',
      input_tokens: 100,
      output_tokens: 9,
      cost_nano: String(costNano),
      estimated: false,
      ending: 'Answered',
      request_id: 'msg_1',
      duration_ms: 3_600_000,
    });
  });

  test('that did not succeed, or was declined before any content, costs nothing', () => {
    for (const type of ['errored', 'canceled', 'expired']) {
      const line = costOf(JSON.stringify({ custom_id: 'a', result: { type, message } }));
      expect([line.costNano, line.record['estimated'], line.record['input_tokens']]).toEqual([0n, false, null]);
    }
    const declined = { ...message, stop_reason: 'refusal', content: [] };
    expect(costOf(succeeded(declined)).costNano).toBe(0n);
    expect(costOf(succeeded({ ...declined, content: [{}] })).costNano).toBeGreaterThan(0n);
  });

  test('costs what the model that served costs, at the full price where it does not say that it is of a batch', () => {
    expect(costOf(succeeded({ ...message, model: 'claude-haiku-5-5' })).costNano).toBe((100n * 100n + 9n * 500n) / 2n);
    const plain = { ...message, usage: { ...usage, service_tier: 'standard' } };
    expect(costOf(succeeded(plain)).costNano).toBe(100n * 2_000n + 9n * 10_000n);
  });

  test('costs the dearer of the prices at which the batch was admitted and ended', () => {
    const haiku = succeeded({ ...message, model: 'claude-haiku-5-5', usage: { ...usage, input_tokens: 0 } });
    const rising = bookOf({ '2026-01-01': '10', '2026-11-24T12:30:00Z': '20' });
    const falling = bookOf({ '2026-01-01': '20', '2026-11-24T12:30:00Z': '10' });
    for (const book of [rising, falling]) expect(costOf(haiku, {}, book).costNano).toBe(90_000n);
  });

  test.each([
    ['no JSON', '{"custom_id":"a","result"'],
    ['null', 'null'],
    ['a type that is not known', JSON.stringify({ custom_id: 'a', result: { type: 'paused', message: null } })],
    ['no message', JSON.stringify({ custom_id: 'a', result: { type: 'succeeded' } })],
    ['no usage', succeeded({ ...message, usage: null })],
    ['a count that cannot be', succeeded({ ...message, usage: { ...usage, output_tokens: -1 } })],
    ['more than the model can read', succeeded({ ...message, usage: { ...usage, input_tokens: 3_000_000 } })],
  ])('with %s costs as much as the dearest request could', (_, text) => {
    const { costNano, record } = costOf(text);
    expect([costNano, record['estimated'], record['input_tokens']]).toEqual([90_000n, true, null]);
  });

  test('whose name is none is told from the others by its place', () => {
    expect(costOf('{}').record['id']).toBe('call/batch/#7');
    expect(costOf('{"custom_id":"a/b"}').record['id']).toBe('call/batch/#7');
  });

  test('may have sampled as often as its request allowed', () => {
    const twice = succeeded({ ...message, usage: { ...usage, input_tokens: 1_500_000 } });
    expect(costOf(twice, { maxInferences: 2 }).record['estimated']).toBe(false);
    expect(costOf(twice, { maxInferences: null }).record['estimated']).toBe(false);
    const searches = { ...usage, server_tool_use: { web_search_requests: Number.MAX_SAFE_INTEGER } };
    expect(costOf(succeeded({ ...message, usage: searches })).costNano).toBe(meta.highestNano);
  });

  test('what is left of a lost batch is booked whole', () => {
    const { costNano, record } = settleLostBatch(77n, meta, prices, place);
    expect(costNano).toBe(77n);
    expect(record).toMatchObject({ id: 'call/batch/#lost', cost_nano: '77', estimated: true, ending: 'Lost' });
  });

  test('what travels with a batch comes back as it was', () => {
    expect(decodeBatchMeta(encodeBatchMeta(meta))).toEqual(meta);
  });
});

test('of its requests a batch remembers what a line does not say', () => {
  const facts = (rest: Record<string, unknown> = {}) => readFacts(params(rest));
  const opus = { model: 'claude-opus-5-5' };
  const search = { type: 'web_search_20250305', name: 'web_search' };
  expect(batchMetaOf([facts(), facts()])).toEqual({ model: 'claude-haiku-5-5', asked: [], maxInferences: 1 });
  expect(batchMetaOf([facts(), facts(opus)])).toEqual({ model: null, asked: [], maxInferences: 1 });
  expect(batchMetaOf([facts({ fallbacks: [opus] }), facts(opus)])).toEqual({
    model: null,
    asked: ['claude-haiku-5-5', 'claude-opus-5-5'],
    maxInferences: 2,
  });
  expect(batchMetaOf([facts({ tools: [{ ...search, max_uses: 3 }] })]).maxInferences).toBeGreaterThan(3);
  expect(batchMetaOf([facts({ tools: [search] })]).maxInferences).toBeNull();
});

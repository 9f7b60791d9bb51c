import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseUsd } from '../../../../policy/core/money.ts';
import { billOf } from '../../../../policy/cost/bill.ts';
import { promptBound, worstCost } from '../../../../policy/cost/worst-cost.ts';
import { cacheEffect } from '../../../../policy/prices/cache-effect.ts';
import { parsePriceBook } from '../../../../policy/prices/price-book-file.ts';
import { highestRateAt, rateAt } from '../../../../policy/prices/price-book.ts';
import published from '../../../../policy/prices/prices.json' with { type: 'json' };
import { billedTokens, cost, isAbsurd, mergeDelta, readUsage } from '../../../../policy/prices/usage.ts';
import type { Usage } from '../../../../policy/prices/usage.ts';
import type { RequestFacts } from '../../../../policy/request/request.ts';
import type { ServerTool } from '../../../../policy/request/server-tools.ts';
import { factsOf } from '../../../support/facts.ts';
import vectors from '../data/usage.json' with { type: 'json' };

const book = parsePriceBook(published);
const NOW = Date.parse('2026-11-23T12:00:00Z');
const OPUS = 'claude-opus-5-5';
const usd = (usage: Usage, model = OPUS, at = NOW): bigint => cost(usage, model, book, at);

test.each(vectors)(
  '$name costs what Anthropic bills, to the nano-dollar, streamed or not',
  ({ model, start, delta, billedUsd }) => {
    const streamed = mergeDelta(readUsage(start), delta);
    expect(usd(streamed, model)).toBe(parseUsd(billedUsd));
    expect(isAbsurd(streamed, model, book, NOW)).toBe(false);
    const nonZero = Object.fromEntries(Object.entries(delta).filter(([, value]) => value !== 0));
    expect(usd(readUsage({ ...start, ...nonZero }), model)).toBe(parseUsd(billedUsd));
  },
);

describe('a stream', () => {
  const start = readUsage({
    input_tokens: 2679,
    cache_read_input_tokens: 50,
    cache_creation_input_tokens: 30,
    cache_creation: { ephemeral_5m_input_tokens: 10, ephemeral_1h_input_tokens: 20 },
    output_tokens: 3,
    speed: 'fast',
    inference_geo: 'us',
    service_tier: 'standard',
  });

  test('takes the newest output and the larger of each input count; the rest is as it began', () => {
    const end = [
      { input_tokens: 10_682, output_tokens: 500 },
      { output_tokens: 510, cache_read_input_tokens: null },
    ].reduce(mergeDelta, start);
    expect(end).toEqual({
      input: 10_682,
      cacheRead: 50,
      cacheWrite5m: 10,
      cacheWrite1h: 20,
      output: 510,
      iterations: [],
      webSearches: 0,
      codeExecutions: 0,
      fast: true,
      regional: true,
      batch: false,
      repriced: false,
      declined: false,
      absurd: false,
    });
  });

  test('prices cache writes that came later as the dearer kind there is', () => {
    expect(mergeDelta(start, { cache_creation_input_tokens: 100, output_tokens: 1 })).toMatchObject({
      cacheWrite5m: 10,
      cacheWrite1h: 90,
    });
    const fiveMinutes = readUsage({ input_tokens: 1, cache_creation_input_tokens: 7, output_tokens: 1 });
    expect(mergeDelta(fiveMinutes, { cache_creation_input_tokens: 9 })).toMatchObject({
      cacheWrite5m: 9,
      cacheWrite1h: 0,
      output: 1,
    });
  });
});

describe('what is billed', () => {
  const usage = readUsage({ input_tokens: 1000, output_tokens: 1000 });

  test('a prompt of exactly the limit is short, one token more makes all of it long', () => {
    const prompt = (cached: number): Usage =>
      readUsage({ input_tokens: 1, cache_read_input_tokens: cached, output_tokens: 0 });
    expect(usd(prompt(99_999), 'claude-haiku-5-5')).toBe(parseUsd('0.00100009'));
    expect(usd(prompt(100_000), 'claude-haiku-5-5')).toBe(parseUsd('0.0050005'));
  });

  test('the region costs more only on models that have the surcharge', () => {
    const regional = readUsage({ input_tokens: 1_000_000, output_tokens: 0, inference_geo: 'eu' });
    expect(usd(regional)).toBe(parseUsd('4.4'));
    expect(usd(regional, 'claude-haiku-4-5')).toBe(parseUsd('1'));
    expect(usd(readUsage({ input_tokens: 1_000_000, output_tokens: 0, inference_geo: 'not_available' }))).toBe(
      parseUsd('4'),
    );
  });

  test('each iteration at its own model, an attempt that declined at nothing', () => {
    const iterations = [
      { type: 'message', model: 'claude-fable-5-2', input_tokens: 1_000_000, output_tokens: 0 },
      { type: 'advisor_message', model: 'claude-fable-5-2', input_tokens: 1000, output_tokens: 100 },
      { type: 'fallback_message', model: OPUS, input_tokens: 1000, output_tokens: 1000 },
    ];
    expect(usd(mergeDelta(usage, { output_tokens: 1000, iterations }))).toBe(parseUsd('0.012') + parseUsd('0.024'));
  });

  const declining = { type: 'message', model: null, input_tokens: 1_000_000, output_tokens: 0 };
  const compacting = { type: 'compaction', input_tokens: 10_000, output_tokens: 100 };
  const advising = { type: 'advisor_message', model: 'claude-fable-5-2', input_tokens: 1000, output_tokens: 0 };

  test('of a refusal before any content only what came before it', () => {
    const refused = (iterations: object[]): Usage => ({ ...mergeDelta(usage, { iterations }), declined: true });
    expect(usd(refused([]))).toBe(0n);
    expect(usd(refused([declining]))).toBe(0n);
    const attempt = { type: 'message', model: 'claude-fable-5-2', input_tokens: 1000, output_tokens: 100 };
    expect(usd(refused([compacting, attempt, advising, declining]))).toBe(
      parseUsd('0.042') + parseUsd('0.012') + parseUsd('0.008'),
    );
  });

  test('an advisor that said nothing has read all the same', () => {
    expect(
      usd(mergeDelta(usage, { iterations: [{ ...declining, input_tokens: 1000, output_tokens: 1000 }, advising] })),
    ).toBe(parseUsd('0.024') + parseUsd('0.008'));
  });

  test('iterations without a model at the dearer of what was asked for and what served', () => {
    const iterations = [
      compacting,
      { type: 'fallback_message', model: 'claude-haiku-5-5', input_tokens: 1000, output_tokens: 1000 },
    ];
    const merged = mergeDelta(usage, { iterations });
    expect(cost(merged, 'claude-haiku-5-5', book, NOW, OPUS)).toBe(parseUsd('0.042') + parseUsd('0.0006'));
  });

  test('each sampling by its own length: two short prompts are no long one', () => {
    const sampling = { type: 'message', model: null, input_tokens: 60_000, output_tokens: 0 };
    const total = { input_tokens: 120_000, output_tokens: 0 };
    expect(usd(readUsage({ ...total, iterations: [sampling, sampling] }), 'claude-haiku-5-5')).toBe(parseUsd('0.012'));
    expect(usd(readUsage(total), 'claude-haiku-5-5')).toBe(parseUsd('0.06'));
  });

  test('an answer of a batch at half, its searches whole, and never where it claims to be fast as well', () => {
    const batch = { input_tokens: 1000, output_tokens: 1000, service_tier: 'batch' };
    expect(usd(readUsage(batch))).toBe(parseUsd('0.012'));
    expect(usd(readUsage({ ...batch, server_tool_use: { web_search_requests: 2 } }))).toBe(parseUsd('0.032'));
    expect(usd(readUsage({ ...batch, inference_geo: 'us', cache_read_input_tokens: 1_000 }))).toBe(parseUsd('0.01331'));
    expect(usd(readUsage({ ...batch, speed: 'fast' }))).toBe(parseUsd('0.048'));
    expect(usd(readUsage({ input_tokens: 3, output_tokens: 0, service_tier: 'batch' }), 'claude-haiku-4-5')).toBe(
      1500n,
    );
  });

  test('never less than the totals say, whatever the iterations say', () => {
    expect(usd(mergeDelta(usage, { iterations: [{ type: 'message', input_tokens: 1, output_tokens: 1 }] }))).toBe(
      parseUsd('0.024'),
    );
  });

  test('a model that the book does not know costs what the dearest does', () => {
    expect(usd(usage, 'claude-opus-9')).toBe(parseUsd('0.09'));
  });

  test('the price is that of the instant of the call', () => {
    const read = readUsage({ input_tokens: 0, cache_read_input_tokens: 1_000_000, output_tokens: 0 });
    expect(usd(read, 'claude-sonnet-5-5', Date.parse('2026-10-06T23:59:59Z'))).toBe(parseUsd('0.2'));
    expect(usd(read, 'claude-sonnet-5-5', Date.parse('2026-10-07T00:00:00Z'))).toBe(parseUsd('0.1'));
  });

  test('is rounded up once: the smallest call is not free, and two halves of a nano-dollar are one', () => {
    const tiny = parsePriceBook({
      ...published,
      models: [
        {
          id: 'tiny',
          contextWindow: 9,
          maxOutputTokens: 9,
          rates: [{ input: '0.0005', cacheWrite5m: '0', cacheWrite1h: '0', cacheRead: '0', output: '0.0005' }],
        },
      ],
    });
    expect(cost(readUsage({ input_tokens: 1, output_tokens: 0 }), 'tiny', tiny, NOW)).toBe(1n);
    expect(cost(readUsage({ input_tokens: 1, output_tokens: 1 }), 'tiny', tiny, NOW)).toBe(1n);
    expect(cost(readUsage({ input_tokens: 2, output_tokens: 1 }), 'tiny', tiny, NOW)).toBe(2n);
  });
});

describe('absurd usage', () => {
  test.each([
    [undefined],
    [null],
    ['many'],
    [[]],
    [{ input_tokens: -1, output_tokens: 1 }],
    [{ input_tokens: 1.5, output_tokens: 1 }],
    [{ input_tokens: '10', output_tokens: 1 }],
    [{ input_tokens: 1, output_tokens: 1e300 }],
    [{ input_tokens: 1, output_tokens: NaN }],
    [{ input_tokens: 1, output_tokens: 128_001 }],
    [{ input_tokens: 999_999, cache_read_input_tokens: 2, output_tokens: 1 }],
    [{ input_tokens: 1, output_tokens: 1, cache_creation: 'all' }],
    [{ input_tokens: 1, output_tokens: 1, cache_creation: { ephemeral_1h_input_tokens: -5 } }],
    [{ input_tokens: 1, output_tokens: 1, iterations: {} }],
    [{ input_tokens: 1, output_tokens: 1, iterations: [null] }],
    [{ input_tokens: 1, output_tokens: 1, iterations: [{ input_tokens: 2_000_000 }] }],
    [{ input_tokens: 1, output_tokens: 1, server_tool_use: { web_search_requests: -1 } }],
    [{ input_tokens: 1, output_tokens: 1, server_tool_use: { time_machine_requests: 1 } }],
    [{ input_tokens: 1, output_tokens: 1, server_tool_use: { code_execution_requests: -1 } }],
  ])('%j is told, and still has a price', (value) => {
    const usage = readUsage(value);
    expect(isAbsurd(usage, OPUS, book, NOW)).toBe(true);
    expect(usd(usage)).toBeGreaterThanOrEqual(0n);
  });

  test('stays absurd, whatever comes after', () => {
    const usage = [{ output_tokens: -1 }, { output_tokens: 5 }].reduce(
      mergeDelta,
      readUsage({ input_tokens: 1, output_tokens: 1 }),
    );
    expect(isAbsurd(usage, OPUS, book, NOW)).toBe(true);
  });

  test('the most that a model can do is not absurd', () => {
    expect(isAbsurd(readUsage({ input_tokens: 1_000_000, output_tokens: 128_000 }), OPUS, book, NOW)).toBe(false);
  });

  test('nothing that an upstream can say throws', () => {
    const names = [
      'input_tokens',
      'output_tokens',
      'cache_creation',
      'iterations',
      'server_tool_use',
      'speed',
      'inference_geo',
    ];
    const anything = fc.oneof(fc.anything(), fc.dictionary(fc.constantFrom(...names), fc.anything()));
    fc.assert(
      fc.property(anything, anything, (start, delta) => {
        expect(usd(mergeDelta(readUsage(start), delta))).toBeGreaterThanOrEqual(0n);
      }),
    );
  });
});

describe('a bill', () => {
  const usage = readUsage({ input_tokens: 1000, output_tokens: 1000 });
  const bill = (given: Usage, facts: Partial<RequestFacts> = {}) =>
    billOf(given, { facts: factsOf(facts), model: OPUS, book, at: NOW });
  const HOUR = 50_000_000n;

  test('is exact for what the usage says all about', () => {
    expect(bill(usage)).toEqual({ costNano: parseUsd('0.024'), estimated: false });
    expect(bill(readUsage({ input_tokens: -1 }))).toBeNull();
    // No counter holds as much, so nobody could book it.
    expect(bill(readUsage({ server_tool_use: { web_search_requests: Number.MAX_SAFE_INTEGER } }))).toBeNull();
  });

  test('of code that runs has an hour of a container, since nothing says how long it ran', () => {
    const ran = readUsage({ input_tokens: 1000, output_tokens: 1000, server_tool_use: { code_execution_requests: 2 } });
    expect(bill(usage, { codeExecution: 'Charged' })).toEqual({ costNano: parseUsd('0.024') + HOUR, estimated: true });
    expect(bill(ran)).toEqual({ costNano: parseUsd('0.024') + HOUR, estimated: true });
    expect(bill(ran, { codeExecution: 'Free' })).toEqual({ costNano: parseUsd('0.024'), estimated: false });
    expect(bill({ ...usage, declined: true }, { codeExecution: 'Charged' })).toEqual({
      costNano: 0n,
      estimated: false,
    });
  });

  test('of fetched pages and of searches for tools is their tokens', () => {
    const free = { web_fetch_requests: 3, tool_search_requests: 2 };
    const read = readUsage({ input_tokens: 1000, output_tokens: 1000, server_tool_use: free });
    expect(bill(read)).toEqual({ costNano: parseUsd('0.024'), estimated: false });
  });

  test.each([
    ['a credit was redeemed', { fallback_credit: { status: { type: 'redeemed' } } }, true],
    ['a credit had a status of the future', { fallback_credit: { status: { type: 'split' } } }, true],
    ['no credit was applied', { fallback_credit: { status: { type: 'not_applied', reason: 'expired' } } }, false],
    ['there is none', { fallback_credit: null }, false],
    ['a commitment paid for it', { service_tier: 'priority' }, true],
  ])('is an estimate at list price where %s: %j', (_, part, estimated) => {
    const start = { input_tokens: 1000, output_tokens: 1 };
    const streamed = mergeDelta(readUsage({ ...start, ...part }), { output_tokens: 1000, ...part });
    expect(bill(streamed)).toEqual({ costNano: parseUsd('0.024'), estimated });
    expect(bill(mergeDelta(readUsage(start), { output_tokens: 1000 }))).toEqual({
      costNano: parseUsd('0.024'),
      estimated: false,
    });
  });

  test('knows how often a prompt can be read: usage up to that many inferences is plausible, one more is not', () => {
    const read = (windows: number): Usage => readUsage({ input_tokens: windows * 1_000_000, output_tokens: 0 });
    const facts = { serverTools: [tool('WebSearch', 2)], fillsContext: true };
    expect([bill(read(3), facts), bill(read(4), facts)]).toEqual([
      { costNano: parseUsd('12'), estimated: false },
      null,
    ]);
    expect(bill(read(4), { unbounded: ['mcp_servers'] })).not.toBeNull();
  });
});

const tool = (kind: ServerTool['kind'], maxUses: number | null, changes: Partial<ServerTool> = {}): ServerTool => ({
  kind,
  index: 0,
  maxUses,
  inferencesPerUse: 1,
  advisor: null,
  maxUsesSpan: null,
  ...changes,
});

describe('the worst case', () => {
  const worst = (changes: Partial<RequestFacts>): bigint => worstCost(factsOf(changes), book, NOW);

  test('of a plain call is its input bound and its max_tokens at list price', () => {
    expect(worst({})).toBe(parseUsd('0.024'));
    expect(worst({ cacheWrite: 'FiveMinutes' })).toBe(parseUsd('0.025'));
    expect(worst({ cacheWrite: 'OneHour' })).toBe(parseUsd('0.028'));
    expect(worst({ fast: true, regional: true })).toBe(parseUsd('0.0528'));
    expect(worst({ maxTokens: 128_000, inputTokens: 0 })).toBe(parseUsd('2.56'));
    expect(worst({ batch: true })).toBe(parseUsd('0.012'));
  });

  test('covers standard speed too, where an administrator made it the dearer one', () => {
    const models = published.models.map((model) =>
      model.id === OPUS ? { ...model, rates: [{ ...model.rates[0], input: '36' }] } : model,
    );
    const dear = parsePriceBook({ ...published, models });
    expect(worstCost(factsOf({ maxTokens: 0, fast: true }), dear, NOW)).toBe(parseUsd('0.036'));
  });

  test('of tools that Anthropic runs is a full context window for each use and one more, and the searches', () => {
    const window = parseUsd('4');
    const search = { serverTools: [tool('WebSearch', 3)], fillsContext: true, maxTokens: 0 };
    expect(worst(search)).toBe(4n * window + parseUsd('0.03'));
    const both = { ...search, serverTools: [tool('WebSearch', 3, { inferencesPerUse: 2 }), tool('WebFetch', 1)] };
    expect(worst(both)).toBe(8n * window + parseUsd('0.03'));
    expect(worst({ ...search, maxTokens: 1000 })).toBe(4n * (window + parseUsd('0.02')) + parseUsd('0.03'));
    const advisor = { model: 'claude-fable-5-2', maxTokens: 1000 };
    expect(worst({ ...search, serverTools: [tool('Advisor', 2, { advisor })] })).toBe(
      3n * window + 2n * parseUsd('16.04'),
    );
    expect(worst({ codeExecution: 'Charged' })).toBe(parseUsd('0.024') + parseUsd('0.05'));
  });

  test('of what may be summed up first is another sampling, and of what fills the context a full one', () => {
    expect(worst({ fillsContext: true, maxTokens: 0 })).toBe(parseUsd('4'));
    expect(worst({ fillsContext: true, maxTokens: 0, inputTokens: 2_000_000 })).toBe(parseUsd('8'));
    expect(worst({ compacts: true, maxTokens: 0 })).toBe(parseUsd('8') + parseUsd('2.56'));
  });

  test('of fallbacks is every attempt at its own price, since each may be billed', () => {
    const fallbacks = [
      { model: 'claude-haiku-5-5', maxTokens: null, maxTokensSpan: { start: 0, end: 0 }, fast: false },
      { model: 'claude-fable-5-2', maxTokens: 500, maxTokensSpan: { start: 0, end: 0 }, fast: true },
    ];
    expect(worst({ fallbacks: fallbacks.slice(0, 1) })).toBe(parseUsd('0.024') + parseUsd('0.0006'));
    const searching = { serverTools: [tool('WebSearch', 3)], inputTokens: 0, maxTokens: 0 };
    expect(worst({ ...searching, fallbacks: fallbacks.slice(0, 1) })).toBe(2n * parseUsd('0.03'));
    // One that may be fast lets all of them be, at the dearest where the model has no such price.
    expect(worst({ fallbacks })).toBe(parseUsd('0.048') + parseUsd('0.096') + parseUsd('0.056'));
  });

  const models = [...book.models.keys(), 'claude-unknown-9'];
  const model = fc.constantFrom(...models);
  const uses = fc.nat({ max: 2 });
  const shape = fc.record({
    model,
    maxTokens: fc.nat({ max: 200_000 }),
    inputTokens: fc.nat({ max: 400_000 }),
    fillsContext: fc.boolean(),
    compacts: fc.boolean(),
    cacheWrite: fc.constantFrom('None' as const, 'FiveMinutes' as const, 'OneHour' as const),
    fast: fc.boolean(),
    regional: fc.boolean(),
    codeExecution: fc.constantFrom('None' as const, 'Free' as const, 'Charged' as const),
    serverTools: fc
      .tuple(fc.option(uses), fc.option(uses), fc.option(fc.tuple(uses, model)))
      .map(([searches, fetches, advice]) => [
        ...(searches === null ? [] : [tool('WebSearch', searches, { inferencesPerUse: 2 })]),
        ...(fetches === null ? [] : [tool('WebFetch', fetches)]),
        ...(advice === null ? [] : [tool('Advisor', advice[0], { advisor: { model: advice[1], maxTokens: null } })]),
      ]),
    fallbacks: fc.array(
      fc.record({
        model,
        maxTokens: fc.option(fc.nat({ max: 200_000 })),
        maxTokensSpan: fc.constant({ start: 0, end: 0 }),
        fast: fc.boolean(),
      }),
      { maxLength: 2 },
    ),
  });
  const part = fc.double({ min: 0, max: 1, noNaN: true });
  const dice = fc.infiniteStream(part);

  /** A usage as large as the request allows, or smaller by the dice. */
  function allowed(facts: RequestFacts, at: number, roll: () => number): { usage: Usage; served: string } {
    const rateOf = (name: string) => rateAt(book, name, at) ?? highestRateAt(book, at);
    const turns = facts.serverTools.reduce(
      (sum, { maxUses, inferencesPerUse }) => sum + maxUses! * inferencesPerUse,
      1,
    );
    const upTo = (most: number): number => Math.floor(most * Math.max(roll(), roll()));
    const tokens = (prompt: number, output: number, writes: RequestFacts['cacheWrite']): object => {
      const [read, hour, five] = [upTo(prompt), writes === 'OneHour' ? roll() : 0, writes === 'None' ? 0 : roll()];
      const long = Math.floor((prompt - read) * hour);
      const short = Math.floor((prompt - read - long) * five);
      return {
        cache_read_input_tokens: read,
        cache_creation_input_tokens: long + short,
        cache_creation: { ephemeral_5m_input_tokens: short, ephemeral_1h_input_tokens: long },
        input_tokens: prompt - read - long - short,
        output_tokens: output,
      };
    };
    const attempts = [{ model: facts.model, maxTokens: null }, ...facts.fallbacks];
    const iterations = attempts.flatMap(({ model: name, maxTokens }, i) => {
      const rate = rateOf(name);
      const [prompt, output] = [promptBound(facts, rate), Math.min(maxTokens ?? facts.maxTokens, rate.maxOutputTokens)];
      const message = () => ({
        type: i === 0 ? 'message' : 'fallback_message',
        model: i === 0 ? null : name,
        ...tokens(Math.min(prompt, rate.contextWindow), upTo(output), facts.cacheWrite),
      });
      const summary = () => ({
        type: 'compaction',
        model: name,
        ...tokens(Math.min(prompt, rate.contextWindow), upTo(rate.maxOutputTokens), facts.cacheWrite),
      });
      const advice = facts.serverTools.flatMap(({ advisor, maxUses }) =>
        Array.from({ length: advisor === null ? 0 : maxUses! }, () => {
          const { contextWindow, maxOutputTokens } = rateOf(advisor!.model);
          const used = tokens(contextWindow, upTo(maxOutputTokens), 'OneHour');
          return { type: 'advisor_message', model: advisor!.model, ...used };
        }),
      );
      const rounds = Array.from({ length: turns }, () => [...(facts.compacts ? [summary()] : []), message()]);
      return [...rounds.flat(), ...advice];
    });
    const searches = facts.serverTools.find(({ kind }) => kind === 'WebSearch')?.maxUses ?? 0;
    const usage = readUsage({
      input_tokens: 0,
      output_tokens: 0,
      iterations,
      server_tool_use: {
        web_search_requests: searches * attempts.length,
        code_execution_requests: facts.codeExecution === 'None' ? 0 : 3,
      },
      speed: [facts, ...facts.fallbacks].some(({ fast }) => fast) && roll() > 0.3 ? 'fast' : 'standard',
      inference_geo: facts.regional ? 'us' : 'global',
    });
    return { usage, served: attempts[0]!.model };
  }

  test('is never exceeded by a usage that the request allows', () => {
    const instant = fc.date({ min: new Date('2026-01-01'), max: new Date('2027-12-31'), noInvalidDate: true });
    fc.assert(
      fc.property(shape, instant, dice, (asked, when, rolls) => {
        const at = when.getTime();
        const facts = factsOf({
          ...asked,
          fillsContext: asked.fillsContext || asked.serverTools.length > 0,
        });
        const { usage, served } = allowed(facts, at, () => rolls.next().value);
        const bill = billOf(usage, { facts, model: served, book, at });
        expect(bill).not.toBeNull();
        expect(bill!.costNano <= worstCost(facts, book, at)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('what metrics say of a usage', () => {
  const plain = { input_tokens: 1_000, output_tokens: 200, cache_read_input_tokens: 50_000 };
  const written = { cache_creation: { ephemeral_5m_input_tokens: 400, ephemeral_1h_input_tokens: 80 } };

  test('the tokens are those that are charged for, of all inferences', () => {
    expect(billedTokens(readUsage({ ...plain, ...written, cache_creation_input_tokens: 480 }), OPUS)).toEqual({
      input: 1_000,
      output: 200,
      cacheRead: 50_000,
      cacheWrite5m: 400,
      cacheWrite1h: 80,
    });
    const compacted = { type: 'compaction', input_tokens: 9_000, output_tokens: 700 };
    const answered = { type: 'message', ...plain };
    const listed = readUsage({ ...plain, iterations: [compacted, answered] });
    expect(billedTokens(listed, OPUS)).toMatchObject({ input: 10_000, output: 900, cacheRead: 50_000 });
    expect(billedTokens({ ...readUsage(plain), declined: true }, OPUS)).toMatchObject({ input: 0, output: 0 });
  });

  test('the cache saves what its reads would have cost as input, and costs what its writes cost more', () => {
    const { standard } = rateAt(book, OPUS, NOW)!;
    const price = (one: Usage): bigint => usd(one);
    expect(cacheEffect(readUsage(plain), price)).toEqual({
      savedNano: (50_000n * (standard.input - standard.cacheRead)) / 1_000_000n,
      surchargeNano: 0n,
    });
    const writes = readUsage({ ...plain, ...written, cache_creation_input_tokens: 480 });
    const dearer = 400n * (standard.cacheWrite5m - standard.input) + 80n * (standard.cacheWrite1h - standard.input);
    expect(cacheEffect(writes, price).surchargeNano).toBe(dearer / 1_000_000n);
    const listed = readUsage({ ...plain, iterations: [{ type: 'message', ...plain }] });
    expect(cacheEffect(listed, price)).toEqual(cacheEffect(readUsage(plain), price));
  });
});

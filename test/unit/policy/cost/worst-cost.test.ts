import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseUsd } from '../../../../policy/core/money.ts';
import { billOf } from '../../../../policy/cost/bill.ts';
import { promptBound, worstCost } from '../../../../policy/cost/worst-cost.ts';
import { parsePriceBook } from '../../../../policy/prices/price-book-file.ts';
import { highestRateAt, rateAt } from '../../../../policy/prices/price-book.ts';
import published from '../../../../policy/prices/prices.json' with { type: 'json' };
import { readUsage, type Usage } from '../../../../policy/prices/usage.ts';
import type { RequestFacts } from '../../../../policy/request/request.ts';
import { factsOf, serverToolOf } from '../../../support/facts.ts';

const book = parsePriceBook(published);
const NOW = Date.parse('2026-11-23T12:00:00Z');
const OPUS = 'claude-opus-5-5';

describe('worstCost', () => {
  const worst = (changes: Partial<RequestFacts>): bigint => worstCost(factsOf(changes), book, NOW);

  test('is the input bound and max_tokens at list price for a plain call', () => {
    expect(worst({})).toBe(parseUsd('0.024'));
    expect(worst({ cacheWrite: 'FiveMinutes' })).toBe(parseUsd('0.025'));
    expect(worst({ cacheWrite: 'OneHour' })).toBe(parseUsd('0.028'));
    expect(worst({ fast: true, regional: true })).toBe(parseUsd('0.0528'));
    expect(worst({ maxTokens: 128_000, inputTokens: 0 })).toBe(parseUsd('2.56'));
    expect(worst({ batch: true })).toBe(parseUsd('0.012'));
  });

  test('is the thinking budget of output where that is larger, in each attempt', () => {
    expect(worst({ maxTokens: 1, thinkingBudget: 150_000, inputTokens: 0 })).toBe(parseUsd('3'));
    expect(worst({ maxTokens: 1, thinkingBudget: 150_000, inputTokens: 0, batch: true })).toBe(parseUsd('1.5'));
    expect(worst({ maxTokens: 2_000, thinkingBudget: 1_024, inputTokens: 0 })).toBe(parseUsd('0.04'));
    const fallback = { model: OPUS, maxTokens: 1, maxTokensSpan: { start: 0, end: 0 }, fast: false };
    const fallbacks = [{ ...fallback, thinkingBudget: 50_000 }];
    expect(worst({ maxTokens: 1_000, inputTokens: 0, fallbacks })).toBe(parseUsd('0.02') + parseUsd('1'));
  });

  test('covers standard speed too, if an administrator made it more expensive', () => {
    const models = published.models.map((model) =>
      model.id === OPUS ? { ...model, rates: [{ ...model.rates[0], input: '36' }] } : model,
    );
    const dear = parsePriceBook({ ...published, models });
    expect(worstCost(factsOf({ maxTokens: 0, fast: true }), dear, NOW)).toBe(parseUsd('0.036'));
  });

  test('is a full context window for each use of a server tool and one more, plus the searches', () => {
    const window = parseUsd('4');
    const search = { serverTools: [serverToolOf('WebSearch', 3)], fillsContext: true, maxTokens: 0 };
    expect(worst(search)).toBe(4n * window + parseUsd('0.03'));
    const both = {
      ...search,
      serverTools: [serverToolOf('WebSearch', 3, { inferencesPerUse: 2 }), serverToolOf('WebFetch', 1)],
    };
    expect(worst(both)).toBe(8n * window + parseUsd('0.03'));
    expect(worst({ ...search, maxTokens: 1000 })).toBe(4n * (window + parseUsd('0.02')) + parseUsd('0.03'));
    const advisor = { model: 'claude-fable-5-2', maxTokens: 1000 };
    expect(worst({ ...search, serverTools: [serverToolOf('Advisor', 2, { advisor })] })).toBe(
      3n * window + 2n * parseUsd('16.04'),
    );
    expect(worst({ codeExecution: 'Charged' })).toBe(parseUsd('0.024') + parseUsd('0.05'));
  });

  test('adds an inference for compaction, and a full one if the context is filled', () => {
    expect(worst({ fillsContext: true, maxTokens: 0 })).toBe(parseUsd('4'));
    expect(worst({ fillsContext: true, maxTokens: 0, inputTokens: 2_000_000 })).toBe(parseUsd('8'));
    expect(worst({ compacts: true, maxTokens: 0 })).toBe(parseUsd('8') + parseUsd('2.56'));
  });

  test('adds every fallback at its own price, because each may be billed', () => {
    const fallbacks = [
      {
        model: 'claude-haiku-5-5',
        maxTokens: null,
        maxTokensSpan: { start: 0, end: 0 },
        fast: false,
        thinkingBudget: null,
      },
      {
        model: 'claude-fable-5-2',
        maxTokens: 500,
        maxTokensSpan: { start: 0, end: 0 },
        fast: true,
        thinkingBudget: null,
      },
    ];
    expect(worst({ fallbacks: fallbacks.slice(0, 1) })).toBe(parseUsd('0.024') + parseUsd('0.0006'));
    const searching = { serverTools: [serverToolOf('WebSearch', 3)], inputTokens: 0, maxTokens: 0 };
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
    thinkingBudget: fc.option(fc.nat({ max: 200_000 })),
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
        ...(searches === null ? [] : [serverToolOf('WebSearch', searches, { inferencesPerUse: 2 })]),
        ...(fetches === null ? [] : [serverToolOf('WebFetch', fetches)]),
        ...(advice === null
          ? []
          : [serverToolOf('Advisor', advice[0], { advisor: { model: advice[1], maxTokens: null } })]),
      ]),
    fallbacks: fc.array(
      fc.record({
        model,
        maxTokens: fc.option(fc.nat({ max: 200_000 })),
        maxTokensSpan: fc.constant({ start: 0, end: 0 }),
        fast: fc.boolean(),
        thinkingBudget: fc.option(fc.nat({ max: 200_000 })),
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
    const { model: own, thinkingBudget: thoughts } = facts;
    const attempts = [{ model: own, maxTokens: null, thinkingBudget: thoughts }, ...facts.fallbacks];
    const iterations = attempts.flatMap(({ model: name, maxTokens, thinkingBudget }, i) => {
      const rate = rateOf(name);
      // Interleaved thinking goes on beyond max_tokens, up to its own budget.
      const most = Math.max(maxTokens ?? facts.maxTokens, thinkingBudget ?? 0);
      const [prompt, output] = [promptBound(facts, rate), Math.min(most, rate.maxOutputTokens)];
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
        const bill = billOf(usage, facts, served, book, at);
        expect(bill).not.toBeNull();
        expect(bill!.costNano <= worstCost(facts, book, at)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});

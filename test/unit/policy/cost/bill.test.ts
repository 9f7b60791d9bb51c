import { describe, expect, test } from '@jest/globals';
import { parseUsd } from '../../../../policy/core/money.ts';
import { billOf } from '../../../../policy/cost/bill.ts';
import { parsePriceBook } from '../../../../policy/prices/price-book-file.ts';
import published from '../../../../policy/prices/prices.json' with { type: 'json' };
import { readUsage, type Usage } from '../../../../policy/prices/usage.ts';
import type { RequestFacts } from '../../../../policy/request/request.ts';
import { factsOf, serverToolOf } from '../../../support/facts.ts';
import { streamedUsage } from '../../../support/streamed-usage.ts';

const book = parsePriceBook(published);
const NOW = Date.parse('2026-11-23T12:00:00Z');
const OPUS = 'claude-opus-5-5';

describe('billOf', () => {
  const usage = readUsage({ input_tokens: 1000, output_tokens: 1000 });
  const bill = (given: Usage, facts: Partial<RequestFacts> = {}) => billOf(given, factsOf(facts), OPUS, book, NOW);
  const HOUR = 50_000_000n;

  test('is exact if the usage covers everything', () => {
    expect(bill(usage)).toEqual({ costNano: parseUsd('0.024'), estimated: false });
    expect(bill(readUsage({ input_tokens: -1 }))).toBeNull();
    // No counter holds as much, so nobody could book it.
    expect(bill(readUsage({ server_tool_use: { web_search_requests: Number.MAX_SAFE_INTEGER } }))).toBeNull();
  });

  test('is an estimate if a model answered that the price book does not know', () => {
    const served = (model: string) => billOf(usage, factsOf({ model: OPUS }), model, book, NOW);
    expect(served(`${OPUS}-preview`)).toEqual({ costNano: parseUsd('0.024'), estimated: true });
    expect(served('claude-next')).toEqual({ costNano: parseUsd('0.09'), estimated: true });
    expect(served(`global.anthropic.${OPUS}-v1:0`)).toEqual({ costNano: parseUsd('0.024'), estimated: false });
    const advice = { type: 'advisor_message', model: 'claude-next', input_tokens: 1, output_tokens: 1 };
    expect(bill(readUsage({ input_tokens: 1000, output_tokens: 1000, iterations: [advice] }))?.estimated).toBe(true);
  });

  test('adds an hour of a container for code that ran, because no answer says how long', () => {
    const ran = readUsage({ input_tokens: 1000, output_tokens: 1000, server_tool_use: { code_execution_requests: 2 } });
    expect(bill(usage, { codeExecution: 'Charged' })).toEqual({ costNano: parseUsd('0.024') + HOUR, estimated: true });
    expect(bill(ran)).toEqual({ costNano: parseUsd('0.024') + HOUR, estimated: true });
    expect(bill(ran, { codeExecution: 'Free' })).toEqual({ costNano: parseUsd('0.024'), estimated: false });
    expect(bill({ ...usage, declined: true }, { codeExecution: 'Charged' })).toEqual({
      costNano: 0n,
      estimated: false,
    });
  });

  test('charges only tokens for fetched pages and for tool searches', () => {
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
    ['it has a count that nobody knows', { video_tokens: 7 }, true],
    ['the same in a field of its own', { video: { frames: 7 } }, true],
    ['the count is nothing', { video_tokens: 0, video: { frames: 0 }, note: 'x' }, false],
  ])('is an estimate at list price if %s: %j', (_, part, estimated) => {
    const start = { input_tokens: 1000, output_tokens: 1 };
    const streamed = streamedUsage({ ...start, ...part }, { output_tokens: 1000, ...part });
    expect(bill(streamed)).toEqual({ costNano: parseUsd('0.024'), estimated });
    expect(bill(streamedUsage(start, { output_tokens: 1000 }))).toEqual({
      costNano: parseUsd('0.024'),
      estimated: false,
    });
  });

  test('is what was reported, also where it is more than the request allows', () => {
    const read = (windows: number): Usage => readUsage({ input_tokens: windows * 1_000_000, output_tokens: 0 });
    const facts = { serverTools: [serverToolOf('WebSearch', 2)], fillsContext: true };
    expect(bill(read(4), facts)).toEqual({ costNano: parseUsd('16'), estimated: false });
  });
});

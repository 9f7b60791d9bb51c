import { describe, expect, test } from '@jest/globals';
import { nano } from '../../../../policy/core/money.ts';
import { type BatchMeta, decodeBatchMeta, batchMetaOf, encodeBatchMeta } from '../../../../policy/cost/batch-meta.ts';
import { settleBatchLine, settleLostBatch } from '../../../../policy/cost/batch-result.ts';
import { parsePriceBook } from '../../../../policy/prices/price-book-file.ts';
import published from '../../../../policy/prices/prices.json' with { type: 'json' };
import { bookOf } from '../../../support/prices.ts';
import { batchParams as params, facts as readFacts } from '../../../support/request-bodies.ts';
import { callRecord } from '../../../support/usage-records.ts';

const prices = parsePriceBook(published);

describe('a line of results', () => {
  const at = Date.parse('2026-11-24T12:00:00Z');
  const endedAt = at + 3_600_000;
  const meta: BatchMeta = {
    baseURL: 'https://api.anthropic.com',
    worstNano: nano(1_000_000n),
    highestNano: nano(90_000n),
    model: 'claude-sonnet-5-5',
    asked: [],
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

  test('has the unknown names of requests to its model, and says whether it cost more than was set aside for one', () => {
    const sonnet = { models: ['claude-sonnet-5-5'], names: ['dream'], boundNano: nano(145_000n) };
    const haiku = { models: ['claude-haiku-5-5', 'claude-opus-5-5'], names: ['wish'], boundNano: nano(7_249n) };
    const named = {
      model: null,
      unknown: [sonnet, haiku],
      record: { ...callRecord(), unknown: 'of the first request' },
    };
    const unknownOf = (text: string, changes: Partial<BatchMeta> = {}) => {
      const { unknown } = costOf(text, { ...named, ...changes }).record;
      return unknown === undefined ? null : (JSON.parse(unknown) as unknown);
    };
    const cost = (model: string) => succeeded({ ...message, model });
    expect(unknownOf(cost('claude-sonnet-5-5'))).toEqual({ names: ['dream'], exceeded: false });
    expect(unknownOf(cost('claude-sonnet-5-5'), { unknown: [{ ...sonnet, boundNano: nano(144_999n) }] })).toEqual({
      names: ['dream'],
      exceeded: true,
    });
    expect(unknownOf(cost('claude-haiku-5-5'))).toEqual({ names: ['wish'], exceeded: true });
    // Nobody asked for it: of several models no name is to blame, of a single one any may be.
    expect(unknownOf(cost('claude-fable-5'))).toBeNull();
    expect(unknownOf(cost('claude-fable-5'), { model: 'claude-sonnet-5-5', unknown: [sonnet] })).toEqual({
      names: ['dream'],
      exceeded: true,
    });
    // Of what was not reported nothing is known.
    expect(unknownOf('<html>')).toBeNull();
    expect(unknownOf(cost('claude-sonnet-5-5'), { unknown: [] })).toBeNull();
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
  ])('with %s costs as much as the dearest request could', (_, text) => {
    const { costNano, record } = costOf(text);
    expect([costNano, record['estimated'], record['input_tokens']]).toEqual([90_000n, true, null]);
    expect(record['ending']).toBe('Unreported');
  });

  test('whose name is none is told from the others by its place', () => {
    expect(costOf('{}').record['id']).toBe('call/batch/#7');
    expect(costOf('{"custom_id":"a/b"}').record['id']).toBe('call/batch/#7');
  });

  test('costs what is reported, also above the highest worst case, unless no counter could hold it', () => {
    const { costNano, record } = costOf(succeeded({ ...message, usage: { ...usage, input_tokens: 1_500_000 } }));
    expect(costNano).toBeGreaterThan(meta.highestNano);
    expect([record['estimated'], record['ending']]).toEqual([false, 'Answered']);
    const searches = { ...usage, server_tool_use: { web_search_requests: Number.MAX_SAFE_INTEGER } };
    expect(costOf(succeeded({ ...message, usage: searches })).costNano).toBe(meta.highestNano);
  });

  test('what is left of a lost batch is booked whole', () => {
    const { costNano, record } = settleLostBatch(nano(77n), meta, prices, place);
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
  expect(batchMetaOf([facts(), facts()])).toEqual({ requests: 2, model: 'claude-haiku-5-5', asked: [] });
  expect(batchMetaOf([facts(), facts(opus)])).toEqual({ requests: 2, model: null, asked: [] });
  expect(batchMetaOf([facts({ fallbacks: [opus] }), facts(opus)])).toEqual({
    requests: 2,
    model: null,
    asked: ['claude-haiku-5-5', 'claude-opus-5-5'],
  });
});

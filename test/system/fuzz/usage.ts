import assert from 'node:assert/strict';
import fc from 'fast-check';
import { StreamMeter } from '../../../gateway/forward/stream-meter.ts';
import { WholeMeter } from '../../../gateway/forward/whole-meter.ts';
import { MAX_CALL_NANO } from '../../../policy/core/money.ts';
import { billOf } from '../../../policy/cost/bill.ts';
import { parsePriceBook } from '../../../policy/prices/price-book-file.ts';
import published from '../../../policy/prices/prices.json' with { type: 'json' };
import { readUsage, type Usage } from '../../../policy/prices/usage.ts';
import { factsOf } from '../../support/facts.ts';
import { streamedUsage } from '../../support/streamed-usage.ts';
import { fuzzTarget } from './fuzz.ts';

const book = parsePriceBook(published);
const NOW = Date.parse('2026-11-23T12:00:00Z');
const NAMES = ['input_tokens', 'output_tokens', 'cache_read_input_tokens', 'cache_creation_input_tokens'] as const;

const COUNTS = fc.oneof(
  fc.nat(),
  fc.maxSafeNat(),
  fc.constantFrom(undefined, null, -1, 0.5, '12', 1e308, 2 ** 53, true, {}, [], '__proto__'),
);
const counts = fc.record(Object.fromEntries(NAMES.map((name) => [name, COUNTS])), { requiredKeys: [] });
const USAGES = fc
  .tuple(
    counts,
    fc.record(
      {
        cache_creation: fc.oneof(fc.record({ ephemeral_1h_input_tokens: COUNTS }), fc.jsonValue({ maxDepth: 1 })),
        iterations: fc.oneof(fc.array(counts, { maxLength: 5 }), fc.jsonValue({ maxDepth: 2 })),
        server_tool_use: fc.oneof(fc.dictionary(fc.constantFrom('web_search_requests', 'x'), COUNTS), fc.jsonValue()),
        service_tier: fc.jsonValue({ maxDepth: 1 }),
        speed: fc.constantFrom('fast', 'standard', 7),
        fallback_credit: fc.jsonValue({ maxDepth: 2 }),
      },
      { requiredKeys: [] },
    ),
  )
  .map(([own, more]): Readonly<Record<string, unknown>> => ({ ...own, ...more }));

/** Readable, and no bill is negative, or more than a counter holds; a count that is none makes it unreadable. */
function expectSound(usage: Usage, reported: readonly Readonly<Record<string, unknown>>[]): void {
  const bill = billOf(usage, factsOf({}), 'claude-opus-5-5', book, NOW);
  assert.ok(bill === null || (bill.costNano >= 0n && bill.costNano <= MAX_CALL_NANO));
  assert.ok(!usage.absurd || bill === null);
  const isCount = (value: unknown): boolean => value == null || (Number.isSafeInteger(value) && Number(value) >= 0);
  if (reported.some((one) => NAMES.some((name) => !isCount(one[name])))) assert.ok(usage.absurd);
}

const KINDS = fc.constantFrom('content_block_stop', 'message_delta', 'message_stop', 'ping', 'error', 'usage');

/** In whichever events of a stream the reports are, they are read alike. */
function expectRead(start: unknown, reports: readonly unknown[], kinds: readonly string[]): void {
  const meter = new StreamMeter(() => 0);
  const write = (data: unknown): void => meter.write(Buffer.from(`data: ${JSON.stringify(data)}\n\n`));
  write({ type: 'message_start', message: { usage: start } });
  for (const [i, report] of reports.entries()) write({ type: kinds[i], usage: report });
  const sent = JSON.parse(JSON.stringify([start, ...reports])) as readonly unknown[];
  const expected = streamedUsage(sent[0], ...sent.slice(1));
  const { usage: read, isFinal } = meter.end();
  if (read === null) assert.deepEqual([expected.absurd, isFinal], [true, false]);
  else assert.deepEqual(read, expected);
}

/** Whatever an upstream reports, it is priced or unreadable; later reports never make it cheaper; and its place in an answer is nothing. */
export const usage = fuzzTarget(
  'usage',
  fc.tuple(
    USAGES,
    fc.array(USAGES, { maxLength: 3 }),
    fc.jsonValue(),
    fc.integer({ min: 1, max: 64 }),
    fc.array(KINDS, { minLength: 3, maxLength: 3 }),
  ),
  ([start, deltas, content, size, kinds]) => {
    const begun = readUsage(start);
    expectSound(begun, [start]);
    const merged = streamedUsage(start, ...deltas);
    expectSound(merged, [start, ...deltas]);
    for (const name of ['input', 'cacheRead', 'webSearches', 'codeExecutions'] as const) {
      assert.ok(merged.absurd || merged[name] >= begun[name]);
    }
    expectRead(start, deltas, kinds);

    const meter = new WholeMeter('Answer', 'application/json');
    const bytes = Buffer.from(JSON.stringify({ content, usage: start, stop_reason: 'end_turn', after: content }));
    for (let at = 0; at < bytes.length; at += size) meter.write(bytes.subarray(at, at + size));
    assert.deepEqual(meter.end(true).usage, readUsage(JSON.parse(JSON.stringify(start))));
  },
);

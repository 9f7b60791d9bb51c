import { deflateSync } from 'node:zlib';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { worstCost } from '../../../../policy/cost/worst-cost.ts';
import { parsePriceBook } from '../../../../policy/prices/price-book-file.ts';
import { rateAt } from '../../../../policy/prices/price-book.ts';
import published from '../../../../policy/prices/prices.json' with { type: 'json' };
import { mediaOf } from '../../../fakes/upstream/media.ts';
import { answer } from '../../../fakes/upstream/message.ts';
import { charge } from '../../../fakes/upstream/prices.ts';
import { ascii, big, bytes, document, facts, image } from '../../../support/request-bodies.ts';

const book = parsePriceBook(published);
const NOW = Date.parse('2026-11-25');

const text = fc.record({ type: fc.constant('text'), text: fc.string({ unit: 'binary', maxLength: 200 }) });

/** A PNG with any number of headers, each with a size of its own. */
const side = fc.nat({ max: 5_000 });
const picture = fc
  .array(fc.tuple(side, side), { minLength: 1, maxLength: 3 })
  .map((sizes) =>
    ascii(
      '\x89PNG\r\n\x1a\n',
      ...sizes.flatMap(([width, height]) => [
        [0, 0, 0, 13],
        'IHDR',
        [0, 0, ...big(width), 0, 0, ...big(height), 8, 2, 0, 0, 0],
        [1, 2, 3, 4],
      ]),
      [0, 0, 0, 1],
      'IDATp',
      [0, 0, 0, 0, 0, 0, 0, 0],
      'IEND',
      [0, 0, 0, 0],
    ),
  )
  .map((data) => image(data));

/** A PDF of few pages in the open, and of more pages and text in its streams. */
const pdf = fc
  .record({ open: fc.nat({ max: 2 }), packed: fc.nat({ max: 20 }), words: fc.nat({ max: 40_000 }) })
  .map(({ open, packed, words }) => {
    const inner = `${'<</Type/Page>>'.repeat(packed)} BT (${'word '.repeat(words)}) Tj ET`;
    const stream = `<</Filter/FlateDecode>> stream\n${deflateSync(inner, { level: 1 }).toString('latin1')}endstream`;
    return document(ascii(`%PDF-1.7 ${'<</Type/Page>>'.repeat(open)} ${stream}`));
  });

const part = fc.oneof(text, picture, pdf);
const nested = fc.oneof(
  part,
  fc.array(part, { maxLength: 3 }).map((content) => ({ type: 'tool_result', tool_use_id: 'i', content })),
  pdf.map((content) => ({
    type: 'web_fetch_tool_result',
    tool_use_id: 'i',
    content: { type: 'web_fetch_result', url: 'u', content },
  })),
);

const request = fc.record(
  {
    model: fc.constantFrom('claude-opus-5-5', 'claude-sonnet-5-5', 'claude-haiku-5-5'),
    max_tokens: fc.nat({ max: 2_000 }),
    thinking: fc.record({ type: fc.constant('enabled'), budget_tokens: fc.integer({ min: 1_024, max: 40_000 }) }),
    speed: fc.constantFrom('standard', 'fast'),
    inference_geo: fc.constantFrom('us', 'global'),
    messages: fc.array(nested, { minLength: 1, maxLength: 6 }).map((content) => [{ role: 'user', content }]),
  },
  { requiredKeys: ['model', 'max_tokens', 'messages'] },
);

test('the stand-in for the API bills no body more than its worst case', () => {
  const said = { text: 'toll'.repeat(5_000) };
  fc.assert(
    fc.property(request, (body) => {
      const sent = bytes(body);
      const media = mediaOf(body);
      const read = sent.length - media.bytes + 4 * media.tokens;
      const { model, usage } = answer('msg_1', body, read, said, true);
      fc.pre(usage.input_tokens <= rateAt(book, model, NOW)!.contextWindow); // the API refuses a longer prompt
      expect(charge(model, usage) <= worstCost(facts(body), book, NOW)).toBe(true);
    }),
    { numRuns: 150 },
  );
});

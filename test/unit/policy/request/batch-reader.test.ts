import { expect, test } from '@jest/globals';
import { worstCost } from '../../../../policy/cost/worst-cost.ts';
import { readAll } from '../../../../policy/json/body-reading.ts';
import { parsePriceBook } from '../../../../policy/prices/price-book-file.ts';
import published from '../../../../policy/prices/prices.json' with { type: 'json' };
import { BatchReader, MAX_BATCH_BYTES } from '../../../../policy/request/batch-reader.ts';
import type { RequestFacts } from '../../../../policy/request/request.ts';
import { batchParams as params, facts as readFacts } from '../../../support/request-bodies.ts';
import { NOW } from '../compile/stored.ts';

const prices = parsePriceBook(published);

/** The facts of a body's requests, or why it is refused. */
function read(body: unknown): RequestFacts[] | string {
  const facts: RequestFacts[] = [];
  const reader = new BatchReader((one) => (facts.push(one), null));
  const refusal =
    readAll(reader.write(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)))) ?? reader.end();
  return refusal === null ? facts : `${refusal.reason}: ${refusal.message}`;
}

test('a request is read like a single call, at half the price', () => {
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
    'Unsupported: requests[0]: speed fast in a batch is not supported by Tollgate, which cannot bound its cost yet. Leave it out.',
    {
      requests: [{ custom_id: 'a', params: params({ fallbacks: [{ model: 'claude-opus-5-5', speed: 'fast' }] }) }],
    },
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
    'BodyInvalid: requests[64]: model: a batch may ask for at most 64 models.',
    {
      requests: Array.from({ length: 70 }, (_, i) => ({ custom_id: `${i}`, params: params({ model: `claude-${i}` }) })),
    },
  ],
  [
    'BatchTooLarge: The batch is larger than 256 MB or has more than 100,000 requests, the limits of the Message Batches API. Send several smaller batches.',
    { requests: Array.from({ length: 100_001 }, (_, i) => ({ custom_id: `${i}`, params: params() })) },
  ],
])('%s', (refusal, body) => {
  expect(read(body)).toBe(refusal);
});

test('a body over 256 MB is refused', () => {
  const reader = new BatchReader(() => null);
  const space = Buffer.alloc(1024 * 1024, ' ');
  for (let read = 0; read < MAX_BATCH_BYTES; read += space.length) expect(readAll(reader.write(space))).toBeNull();
  expect(readAll(reader.write(space))).toMatchObject({ reason: 'BatchTooLarge' });
});

test('what is unknown around and in a request is noted, with the betas of the batch', () => {
  const facts: RequestFacts[] = [];
  const reader = new BatchReader((one) => (facts.push(one), null), ['dreams-2027-01-01']);
  const body = { requests: [{ custom_id: 'a', params: params({ dream: 1 }), priority: 1 }] };
  readAll(reader.write(Buffer.from(JSON.stringify(body))));
  expect(facts[0]!.unknown.map(({ name, risk }) => [name, risk])).toEqual([
    ['anthropic-beta=dreams-2027-01-01', null],
    ['priority', 'Chooses'],
    ['dream', null],
  ]);
});

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { AnswerMeter } from '../../../gateway/forward/answer-meter.ts';
import type { Metered } from '../../../gateway/forward/meter.ts';
import { endingOf, isFree } from '../../../policy/cost/ending-cost.ts';
import { fuzzTarget } from './fuzz.ts';

const NAMES = fc.constantFrom(
  'message_start',
  'content_block_start',
  'content_block_delta',
  'message_delta',
  'message_stop',
  'content_block_stop',
  'error',
  'ping',
  'completion',
  '',
);
const COUNTS = fc.oneof(fc.nat(), fc.integer(), fc.double(), fc.constantFrom('7', null, 1e308, -1, []));
const USAGES = fc.oneof(
  fc.record({ input_tokens: COUNTS, output_tokens: COUNTS, cache_read_input_tokens: COUNTS }, { requiredKeys: [] }),
  fc.jsonValue({ maxDepth: 2 }),
);
const DATA = fc.record(
  {
    type: NAMES,
    message: fc.record({
      model: fc.oneof(fc.constant('claude-opus-5-5'), fc.jsonValue({ maxDepth: 1 })),
      usage: USAGES,
    }),
    usage: USAGES,
    delta: fc.oneof(
      fc.record({ text: fc.string(), stop_reason: fc.constantFrom('end_turn', 'refusal', null, 7) }),
      fc.jsonValue({ maxDepth: 1 }),
    ),
    content_block: fc.oneof(fc.record({ type: fc.constantFrom('text', 'thinking') }), fc.jsonValue({ maxDepth: 1 })),
    error: fc.oneof(fc.constant({ type: 'api_error', message: 'x' }), fc.jsonValue({ maxDepth: 2 })),
  },
  { requiredKeys: [] },
);
const LINE_ENDS = fc.constantFrom('\n', '\r', '\r\n');
const EVENTS = fc
  .tuple(
    NAMES,
    fc.oneof({ weight: 6, arbitrary: DATA.map((data) => JSON.stringify(data)) }, fc.constant('[DONE]'), fc.string()),
    LINE_ENDS,
  )
  .map(([name, data, end]) => `${name === '' ? '' : `event: ${name}${end}`}data: ${data}${end}${end}`);
/** What is the same of every answer. */
const SENT = { isSent: true, isStale: false, isCancelled: false, status: 200, milliseconds: 0 };
const TYPES = fc.constantFrom('text/event-stream', 'application/json', 'text/html', '');
/** Lines and data longer than anything is kept of. */
const LONG = fc
  .tuple(
    fc.constantFrom('event: message_delta\ndata: ', 'data: ', ': ', 'event: ', 'x'),
    fc.integer({ min: 260_000, max: 600_000 }),
  )
  .map(([begin, length]) => `${begin}${'['.repeat(length)}\n\n`);
const STREAMS = fc.array(
  fc.oneof({ weight: 12, arbitrary: EVENTS }, { weight: 2, arbitrary: fc.string() }, { weight: 1, arbitrary: LONG }),
  { maxLength: 12 },
);

function meter(chunks: Iterable<Buffer>, type: string): Metered {
  const one = new AnswerMeter({ 'content-type': type }, () => 0);
  for (const chunk of chunks) one.write(chunk);
  return one.end(true);
}

function* cut(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** Whatever an answer holds, whatever its content type and wherever it is cut, it is metered alike, and is never free. */
export const sse = fuzzTarget(
  'sse',
  fc.tuple(STREAMS, fc.integer({ min: 1, max: 70_000 }), fc.boolean(), TYPES),
  ([parts, size, isWhole, type]) => {
    const bytes = Buffer.from(parts.join(''));
    const whole = meter([bytes], type);
    // Bytes one by one only where they are few.
    assert.deepEqual(meter(cut(bytes, Math.max(size, Math.floor(bytes.length / 5_000))), type), whole);
    for (const usage of ['None', 'Started', 'Final', 'Unreadable'] as const) {
      const seen = { ...SENT, isWhole, ...whole, usage };
      assert.ok(!isFree(endingOf(seen)));
    }
    return !whole.isFinal || whole.usage !== null;
  },
);

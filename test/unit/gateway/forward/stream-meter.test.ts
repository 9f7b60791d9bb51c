import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { StreamMeter } from '../../../../gateway/forward/stream-meter.ts';

const events = [
  'event: message_start\ndata: {"type":"message_start","message":{"model":"claude-opus-5-5","usage":{"input_tokens":12,"output_tokens":1}}}\n\n',
  'event: ping\ndata: {"type":"ping"}\n\n',
  ': a comment\n\n',
  `event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"${'ü'.repeat(50)}"}}\n\n`,
  'event: message_delta\r\ndata: {"type":"message_delta","delta":{},"usage":{"output_tokens":7}}\r\n\r\n',
  'event: message_stop\ndata: {"type":"message_stop"}\n\n',
];

test('finds the same usage wherever the chunks are cut', () => {
  const bytes = Buffer.from(events.join(''));
  const whole = new StreamMeter(() => 0);
  whole.write(bytes);
  const expected = whole.end();
  const final = { isComplete: true, isFinal: true };
  expect(expected).toMatchObject({ model: 'claude-opus-5-5', ...final, usage: { input: 12, output: 7 } });
  expect([expected.textBytes, expected.unpricedBytes]).toEqual([100, 0]);
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length), { maxLength: 20 }), (cuts) => {
      const meter = new StreamMeter(() => 0);
      const edges = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
      for (const [index, edge] of edges.slice(1).entries()) meter.write(bytes.subarray(edges[index], edge));
      expect(meter.end()).toEqual(expected);
    }),
  );
});

test('reads on after an event with impossible contents, which must not block a call for ever', () => {
  const names = ['message_start', 'content_block_start', 'content_block_delta', 'message_delta', 'error', 'ping', ''];
  const fields = ['type', 'message', 'delta', 'usage', 'error', 'content_block', 'text', 'model', 'stop_reason'];
  const scalar = fc.constantFrom<unknown>(null, 7, 'text', true, []);
  const nested = fc.dictionary(fc.constantFrom(...fields), scalar);
  const data = fc.oneof(scalar, fc.dictionary(fc.constantFrom(...fields), fc.oneof(scalar, nested)));
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom(...names), data), { maxLength: 6 }), (odd) => {
      const meter = new StreamMeter(() => 0);
      for (const [name, value] of odd) meter.write(Buffer.from(`event: ${name}\ndata: ${JSON.stringify(value)}\n\n`));
      meter.write(Buffer.from(events.join('')));
      expect(meter.end()).toMatchObject({ model: 'claude-opus-5-5' });
    }),
  );
});

const [start = '', , , text = '', , stop = ''] = events;
const event = (type: string, rest: object) => `data: ${JSON.stringify({ type, ...rest })}\n\n`;
const delta = (output: number | null, reason: string | null = 'end_turn') =>
  event('message_delta', { delta: { stop_reason: reason }, usage: { output_tokens: output } });
const error = event('error', { error: { type: 'api_error', message: 'x' } });
const blockStop = event('content_block_stop', { index: 0 });
const DONE = 'data: [DONE]\n\n';

const meterOf = (...parts: string[]) => {
  const meter = new StreamMeter(() => 0);
  meter.write(Buffer.from(parts.join('')));
  return meter.end();
};

test('has no final usage without message_delta, and is not complete without message_stop or with an error', () => {
  const open = event('message_delta', { delta: {}, usage: { output_tokens: 7 } });
  expect(meterOf(start, stop)).toMatchObject({ isComplete: true, isFinal: false });
  expect(meterOf(start, open)).toMatchObject({ isComplete: false, isFinal: false, usage: { input: 12, output: 7 } });
  const failed = { isComplete: false, hasErrorEvent: true, hasContent: false, errorType: 'api_error' };
  expect(meterOf(start, error, stop)).toMatchObject({ ...failed, isFinal: false, usage: { input: 12 } });
});

describe('a usage is final', () => {
  const silent = event('message_delta', { delta: { stop_reason: 'end_turn' } });
  const reporting = (type: string) => event(type, { usage: { output_tokens: 7 } });

  test.each([
    ['with the reason for which the model stopped, although the stream broke then', [start, text, delta(7)], true],
    ['the same before an error', [start, text, delta(7), error], true],
    ['the same before another end than the API’s', [start, text, delta(7), DONE], true],
    ['without a reason, at the end of the stream', [start, text, delta(7, null), stop], true],
    ['the same where the end is not the API’s', [start, text, delta(7, null), DONE], true],
    ['where the reason comes after it', [start, text, delta(7, null), silent], true],
    ['where the reason comes before it', [start, text, silent, delta(7, null)], true],
    ['where a later report says nothing', [start, text, delta(7), delta(null, null)], true],
    ['in a ping', [start, text, reporting('ping'), silent], true],
    [
      'at the end of a block',
      [start, text, event('content_block_stop', { usage: { output_tokens: 7 } }), silent],
      true,
    ],
    ['in an event that nobody knows', [start, text, silent, reporting('message_usage')], true],
    [
      'in the last event',
      [start, text, silent, event('message_stop', { message: { usage: { output_tokens: 7 } } })],
      true,
    ],
    [
      'in a delta',
      [start, text, event('message_delta', { delta: { stop_reason: 'end_turn', usage: { output_tokens: 7 } } })],
      true,
    ],
    ['with the last piece of content', [start, reporting('content_block_delta'), blockStop, silent], true],
    ['in an error', [start, text, silent, event('error', { error: {}, usage: { output_tokens: 7 } })], true],
    ['not without a reason, if the stream breaks', [start, text, delta(7, null)], false],
    ['not without a reason, before an error', [start, text, delta(7, null), error], false],
    ['not if content follows', [start, delta(7), text], false],
    ['not if content follows and the stream ends well', [start, delta(7), text, stop], false],
    ['not if the reason was named before content', [start, silent, text, delta(7, null)], false],
  ])('%s', (_, parts, isFinal) => {
    expect(meterOf(...parts)).toMatchObject({ isFinal, usage: { output: 7, absurd: false } });
  });

  test('and its output never becomes less', () => {
    expect(meterOf(start, delta(70), delta(7), stop)).toMatchObject({ isFinal: true, usage: { output: 70 } });
  });

  test('and is all there is to know, wherever its fields come from', () => {
    const begun = (usage: unknown) => event('message_start', { message: { model: 'claude-opus-5-5', usage } });
    const all = event('message_delta', {
      delta: { stop_reason: 'end_turn' },
      usage: { input_tokens: 12, output_tokens: 7 },
    });
    for (const usage of [null, undefined, {}, { input_tokens: null }, { output_tokens: 1 }]) {
      expect(meterOf(begun(usage), text, all)).toMatchObject({
        isFinal: true,
        usage: { input: 12, output: 7, absurd: false },
      });
    }
    expect(meterOf(begun(null), text, delta(7), stop)).toMatchObject({ usage: { absurd: true } });
    expect(meterOf(begun(null), text, stop)).toMatchObject({ isFinal: false, usage: null });
    expect(meterOf(start, text, delta(null), stop)).toMatchObject({ isFinal: false });
  });

  test('and cannot be read where a second message begins, or where it is longer than is read', () => {
    expect(meterOf(start, text, start, delta(7), stop)).toMatchObject({ usage: { absurd: true } });
    const long = event('message_delta', { delta: { stop_reason: 'x'.repeat(300_000) }, usage: { output_tokens: 7 } });
    expect(meterOf(start, text, long, stop)).toMatchObject({ usage: { absurd: true } });
    const block = event('content_block_start', { content_block: { type: 'text', text: 'x'.repeat(300_000) } });
    const named = `event: content_block_start\n${block}`;
    expect(meterOf(start, named, delta(7), stop)).toMatchObject({ isFinal: true, usage: { absurd: false, output: 7 } });
  });
});

test('an event is what its data says, and what its name says where the data says nothing', () => {
  const generic = [start, text, delta(7)].join('').replaceAll(/^event: .*$/gm, 'event: message');
  expect(meterOf(generic)).toMatchObject({ isFinal: true, textBytes: 100, usage: { input: 12, output: 7 } });
  const bare = 'event: content_block_delta\ndata: {"delta":{"text":"four"}}\n\n';
  expect(meterOf(start, bare, 'event: message_stop\ndata: {}\n\n')).toMatchObject({ textBytes: 4, isComplete: true });
});

test('only an error in the form of the API is one, and a message that does not say its prompt is not nothing', () => {
  const own = event('error', { error: 'overloaded' });
  expect(meterOf(error)).toMatchObject({ hasErrorEvent: true, hasContent: false, usage: null });
  expect(meterOf(own)).toMatchObject({ hasErrorEvent: false, isComplete: false });
  expect(meterOf(event('message_start', { message: {} }), error)).toMatchObject({
    hasErrorEvent: true,
    hasContent: true,
  });
});

test('anything but pings, comments and errors may be content', () => {
  const hasContent = (sent: string) => meterOf(sent).hasContent;
  const quiet = [': hi\n\n', 'event: ping\ndata: {"type":"ping"}\n\n', 'data: {"type":"error"}\n\n', 'id: 1\n\n', ''];
  expect(quiet.map(hasContent)).toEqual(quiet.map(() => false));
  const odd = ['event: completion\ndata: {}\n\n', 'data: {"completion":"x"}\n\n', '<html>\n', 'x', 'data: x\n\n'];
  expect(odd.map(hasContent)).toEqual(odd.map(() => true));
});

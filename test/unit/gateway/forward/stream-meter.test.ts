import { expect, test } from '@jest/globals';
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
  expect(expected).toMatchObject({ model: 'claude-opus-5-5', complete: true, usage: { input: 12, output: 7 } });
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

test('has no final usage without message_delta, and is not complete without message_stop or with an error', () => {
  const meterOf = (...picked: string[]) => {
    const meter = new StreamMeter(() => 0);
    meter.write(Buffer.from(picked.join('')));
    return meter.end();
  };
  const [start = '', , , , delta = '', stop = ''] = events;
  expect(meterOf(start, stop)).toMatchObject({ complete: true, usage: null });
  expect(meterOf(start, delta)).toMatchObject({ complete: false, usage: { input: 12, output: 7 } });
  const error = 'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n';
  expect(meterOf(start, error, stop)).toMatchObject({ complete: false, usage: { input: 12 } });
});

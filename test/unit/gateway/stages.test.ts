import { describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { WaitQueue } from '../../../gateway/admission/wait-queue.ts';
import { EventScanner } from '../../../gateway/forward/sse.ts';
import { StreamMeter } from '../../../gateway/forward/stream-meter.ts';
import { headersDown } from '../../../gateway/http/headers.ts';
import { routeOf } from '../../../gateway/http/route.ts';
import { Upstreams } from '../../../gateway/http/upstreams.ts';
import { ActivePolicy } from '../../../gateway/policy/active-policy.ts';
import { handover, resolved, sha256 } from '../../system/gateway/policies.ts';

describe('routes', () => {
  test.each([
    ['POST', '/v1/messages', 'Messages', '/v1/messages'],
    ['POST', '/v1/messages?beta=true', 'Messages', '/v1/messages'],
    ['POST', '/teams/a/v1/messages', 'Messages', '/v1/messages'],
    ['POST', '/v1/messages/count_tokens', 'CountTokens', '/v1/messages/count_tokens'],
    ['POST', '/team/v1/messages/batches', 'CreateBatch', '/v1/messages/batches'],
    ['GET', '/v1/messages/batches?limit=2', 'ListBatches', '/v1/messages/batches'],
    ['GET', '/v1/messages/batches/a', 'Batch', '/v1/messages/batches/a'],
    ['DELETE', '/v1/messages/batches/a', 'Batch', '/v1/messages/batches/a'],
    ['GET', '/v1/messages/batches/a/results', 'Batch', '/v1/messages/batches/a/results'],
    ['POST', '/v1/messages/batches/a/cancel', 'Batch', '/v1/messages/batches/a/cancel'],
    ['GET', '/v1/models?limit=1000', 'Models', '/v1/models'],
    ['GET', '/v1/models/claude-opus-5-5', 'Models', '/v1/models/claude-opus-5-5'],
    ['GET', '/team/tollgate/v1/budgets', 'Budgets', '/tollgate/v1/budgets'],
    ['HEAD', '/', 'Probe', '/'],
    ['HEAD', '/api/hello', 'Probe', '/api/hello'],
    ['HEAD', '/team/', 'Probe', '/team/'],
  ])('%s %s', (method, url, endpoint, path) => {
    expect(routeOf(method, url)).toMatchObject({ endpoint, path });
  });

  test.each([
    ['GET', '/v1/messages'],
    ['POST', '/v1/models'],
    ['POST', '//v1/messages'],
    ['POST', '/v1//messages'],
    ['POST', '/v1/messages/'],
    ['POST', '/v1/messages/..'],
    ['POST', '/v1/x/../messages'],
    ['POST', '/./v1/messages'],
    ['POST', '/v1/%6dessages'],
    ['POST', '/v1%2fmessages'],
    ['POST', '/%2e%2e/v1/messages'],
    ['POST', '/v1/messages;x'],
    ['POST', '/v1\\messages'],
    ['POST', 'http://elsewhere/v1/messages'],
    ['DELETE', '/v1/messages/batches'],
    ['POST', '/v1/messages/batches/a'],
    ['GET', '/v1/messages/batches/a/cancel'],
    ['DELETE', '/v1/messages/batches/a/results'],
    ['GET', '/v1/messages/batches/a/b'],
    ['GET', '/v1/messages/batches/../models'],
    ['POST', '/v1/organizations/spend'],
    ['POST', '/v1/complete'],
    ['GET', '/v1/models/../messages'],
    ['GET', '/v1/models/..'],
    ['HEAD', '/v1/messages'],
    ['HEAD', '//'],
    ['OPTIONS', '*'],
  ])('%s %s is nothing', (method, url) => {
    expect(routeOf(method, url)).toBeNull();
  });
});

const events = [
  'event: message_start\ndata: {"type":"message_start","message":{"model":"claude-opus-5-5","usage":{"input_tokens":12,"output_tokens":1}}}\n\n',
  'event: ping\ndata: {"type":"ping"}\n\n',
  ': a comment\n\n',
  `event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"${'ü'.repeat(50)}"}}\n\n`,
  'event: message_delta\r\ndata: {"type":"message_delta","delta":{},"usage":{"output_tokens":7}}\r\n\r\n',
  'event: message_stop\ndata: {"type":"message_stop"}\n\n',
];

test('the headers of an answer hold no credential and lead nobody past the gateway', () => {
  const headers = {
    'content-type': 'application/json',
    connection: 'x-hop',
    'x-hop': '1',
    'x-api-key': 'sk-ant-upstream',
    authorization: 'Bearer sk-ant-upstream',
    'set-cookie': ['a=b'],
    location: 'https://api.anthropic.com/v1/messages',
    'alt-svc': 'h3="api.anthropic.com:443"',
    'x-tollgate-cost-usd': '0',
    'request-id': 'req_1',
  };
  expect(headersDown(headers)).toEqual(['content-type', 'application/json', 'request-id', 'req_1']);
});

test('workspaces with paths of their own at one origin share its connections', async () => {
  const upstreams = new Upstreams();
  const at = (baseURL: string) => upstreams.of(resolved(handover({ baseURL })).workspace);
  const [one, other, elsewhere] = [at('https://api.test/one/'), at('https://api.test'), at('https://b.test')];
  expect([one.prefix, other.prefix]).toEqual(['/one', '']);
  expect(one.pool).toBe(other.pool);
  expect(elsewhere.pool).not.toBe(one.pool);
  await upstreams.close();
});

test('a key that moves to another workspace is known there, whichever of the two is heard of first', () => {
  const named = (name: string, version: number, keys: Record<string, string>) =>
    resolved(handover({ baseURL: 'https://api.test', version, keys, rest: { name } }));
  const key = { api: 'sk-tollgate-api' };
  const before = [named('old', 1, key), named('new', 1, {})];
  const after = [named('old', 2, {}), named('new', 2, key)];
  for (const order of [after, after.toReversed()]) {
    const policy = new ActivePolicy();
    policy.enforce(before);
    policy.enforce(order);
    expect(policy.find(sha256(key.api))?.workspace).toMatchObject({ name: 'new', version: 2 });
  }
});

describe('the scanner of streams', () => {
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

  test('reads events without names and data in several lines', () => {
    const seen: [string, string][] = [];
    const scanner = new EventScanner(['b'], (event, data) => seen.push([event, data]));
    scanner.write(Buffer.from('data: {"one":1}\n\nevent:b\ndata: x\ndata: y\n\nevent: c\ndata: z\n\ndata: last'));
    scanner.end();
    expect(seen).toEqual([
      ['', '{"one":1}'],
      ['b', 'x\ny'],
      ['', 'last'],
    ]);
  });

  test('reads on whatever an event holds: one that cannot be must not keep a call for ever', () => {
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
    const failing = new EventScanner(['a'], () => {
      throw new Error('once');
    });
    expect(() => failing.write(Buffer.from('event: a\ndata: 1\n\n'))).toThrow('once');
    expect(() => failing.end()).not.toThrow();
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
});

describe('waiting', () => {
  const never = new AbortController().signal;

  test('serves first come, first served, head of line only, and wakes on a settle', async () => {
    jest.useFakeTimers();
    try {
      const waiting = new WaitQueue(64, Date.now);
      const tried: string[] = [];
      let room = 0;
      const join = (name: string) =>
        waiting.join('budget', 'counter', Date.now() + 10_000, never, () => {
          tried.push(name);
          return Promise.resolve(room-- > 0);
        });
      const both = Promise.all([join('first'), join('second')]);
      expect(waiting.isQueued('counter')).toBe(true);
      await jest.advanceTimersByTimeAsync(250);
      expect(tried).toEqual(['first', 'first']);
      room = 2;
      waiting.wake(['another', 'counter']);
      await jest.advanceTimersByTimeAsync(0);
      expect(tried).toEqual(['first', 'first', 'first', 'second']);
      expect(await both).toEqual([true, true]);
      expect(waiting.isQueued('counter')).toBe(false);
    } finally {
      jest.useRealTimers();
    }
  });

  test('ends at the deadline, when the caller leaves, and at once where the lines are full', async () => {
    jest.useFakeTimers();
    try {
      const waiting = new WaitQueue(2, Date.now);
      const leaving = new AbortController();
      const no = () => Promise.resolve(false);
      const late = waiting.join('budget', 'a', Date.now() + 1000, never, no);
      const gone = waiting.join('budget', 'b', Date.now() + 1000, leaving.signal, no);
      expect(await waiting.join('budget', 'a', Date.now() + 1000, never, no)).toBe(false);
      leaving.abort();
      expect(await gone).toBe(false);
      await jest.advanceTimersByTimeAsync(1000);
      expect(await late).toBe(false);
      expect([waiting.isQueued('a'), waiting.isQueued('b')]).toEqual([false, false]);
    } finally {
      jest.useRealTimers();
    }
  });
});

import { createServer, type OutgoingHttpHeaders, type Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { listen } from '../../../gateway/http/server.ts';
import { settled, streaming, useGateways } from './fixture.ts';
import { ask, message } from './harness.ts';

// Answers as they are met in the field, byte for byte: from compatible upstreams, from an overloaded API, and from what
// stands in front of it. Claude Sonnet 5.5 costs $2 and $10 for a million tokens.

const env = useGateways();

interface Reply {
  readonly status?: number;
  readonly headers?: OutgoingHttpHeaders;
  /** Each is a write of its own. */
  readonly parts: readonly (string | Buffer)[];
}

let reply: Reply;
let server: Server;
let baseURL: string;

beforeAll(async () => {
  server = createServer((req, res) => {
    req.resume();
    req.on('end', () => void write());
    const write = async (): Promise<void> => {
      res.writeHead(reply.status ?? 200, reply.headers);
      for (const [i, part] of reply.parts.entries()) {
        if (i > 0) await sleep(1);
        res.write(part);
      }
      res.end();
    };
  });
  baseURL = `http://127.0.0.1:${await listen(server, 0)}`;
});

afterAll(() => {
  server.close();
});

const event = (type: string, rest: object = {}): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...rest })}\n\n`;
const begun = (usage: unknown): string =>
  event('message_start', { message: { type: 'message', model: 'claude-sonnet-5-5', content: [], usage } });
const start = begun({ input_tokens: 10, output_tokens: 1 });
const text = [
  event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
  event('content_block_delta', { index: 0, delta: { type: 'text_delta', text: 'Hello there' } }),
  event('content_block_stop', { index: 0 }),
].join('');
const stopped = { stop_reason: 'end_turn', stop_sequence: null };
const end = event('message_delta', { delta: stopped, usage: { output_tokens: 5 } });
const stop = event('message_stop');
const error = event('error', { error: { type: 'overloaded_error', message: 'Overloaded' } });
const whole = JSON.stringify({
  type: 'message',
  model: 'claude-sonnet-5-5',
  content: [{ type: 'text', text: 'Hello there' }],
  stop_reason: 'end_turn',
  usage: { input_tokens: 10, output_tokens: 5 },
});

/** What ten tokens of input and five of output cost. Nano-dollars. */
const COST = 70_000n;
const PROMPT = 30_000n;
const stream = { 'content-type': 'text/event-stream' };
const json = { 'content-type': 'application/json' };
const streamed = (...parts: readonly (string | Buffer)[]): Reply => ({ headers: stream, parts });
const MARK = Buffer.from([0xef, 0xbb, 0xbf]);

const all = [start, text, end, stop].join('');
const bytewise = [...Buffer.from(all.replaceAll('\n', '\r\n'))].map((byte) => Buffer.from([byte]));
const dataLines = all.replaceAll(/"type":/g, '\ndata: "type":');

/** Answers to a call that asks for a stream or not; returns what is settled, and what is settled or presumed. Nano-dollars. */
async function answered(answer: Reply, isStream: boolean) {
  reply = answer;
  const gateway = await env.gatewayWith({ baseURL });
  const { status, text: received } = await ask(gateway.url, { body: isStream ? streaming : message() });
  const sent = Buffer.concat(answer.parts.map((part) => Buffer.from(part))).toString();
  expect([status, received]).toEqual([answer.status ?? 200, sent]);
  const { spentNano, certainNano } = await settled(gateway);
  return { spentNano, certainNano, logs: gateway.logs };
}

/** Its reply, whether a stream is asked for, what is settled, and the ending. */
test.each<[string, Reply, boolean, bigint, string]>([
  ['a stream without its last event', streamed(start, text, end), true, COST, 'Answered'],
  ['a stream that ends as others do', streamed(start, text, end, 'data: [DONE]\n\n'), true, COST, 'Answered'],
  ['an error behind the final usage', streamed(start, text, end, error), true, COST, 'Answered'],
  ['no empty line at the end', streamed((start + text + end).trimEnd()), true, COST, 'Answered'],
  ['returns as line ends', streamed(all.replaceAll('\n', '\r')), true, COST, 'Answered'],
  [
    'all kinds of line ends',
    streamed(start.replaceAll('\n', '\r'), text.replaceAll('\n', '\r\n'), end, stop),
    true,
    COST,
    'Answered',
  ],
  ['bytes one by one', streamed(...bytewise), true, COST, 'Answered'],
  [
    'a mark, comments and empty lines',
    streamed(MARK.subarray(0, 1), MARK.subarray(1), '\n\n: hi\n\n', all),
    true,
    COST,
    'Answered',
  ],
  ['data in several lines', streamed(dataLines), true, COST, 'Answered'],
  ['events without names', streamed(all.replaceAll(/event: .*\n/g, '')), true, COST, 'Answered'],
  [
    'fields without a space',
    streamed(all.replaceAll(': {', ':{').replaceAll('event: ', 'event:')),
    true,
    COST,
    'Answered',
  ],
  ['a stream that says that it is JSON', { headers: json, parts: [all] }, true, COST, 'Answered'],
  ['the same where no stream was asked for', { headers: json, parts: [all] }, false, COST, 'Answered'],
  ['a stream that does not say what it is', { parts: [start, text, end, stop] }, true, COST, 'Answered'],
  ['a message that says that it is a stream', { headers: stream, parts: ['\n', whole] }, true, COST, 'Answered'],
  ['a message with a mark', { headers: json, parts: [MARK, whole] }, false, COST, 'Answered'],
  [
    'usage only in the last event',
    streamed(
      begun(null),
      text,
      event('message_delta', { delta: stopped }),
      event('message_stop', { usage: { input_tokens: 10, output_tokens: 5 } }),
    ),
    true,
    COST,
    'Answered',
  ],
  [
    'usage in parts',
    streamed(begun({ output_tokens: null }), event('ping', { usage: { input_tokens: 10 } }), text, end, stop),
    true,
    COST,
    'Answered',
  ],
  [
    'usage at the end of a block',
    streamed(
      start,
      text.replace('"index":0}\n\n', '"index":0,"usage":{"output_tokens":5}}\n\n'),
      event('content_block_stop', { index: 0, usage: { output_tokens: 5 } }),
      event('message_delta', { delta: stopped, usage: null }),
      stop,
    ),
    true,
    COST,
    'Answered',
  ],
  [
    'usage in an event that nobody knows',
    streamed(
      start,
      text,
      event('message_delta', { delta: stopped }),
      event('message_usage', { usage: { output_tokens: 5 } }),
      stop,
    ),
    true,
    COST,
    'Answered',
  ],
  ['an error first', streamed(error), true, 0n, 'ErrorFirst'],
  ['an error behind message_start', streamed(start, error), true, PROMPT, 'ErrorFirst'],
  ['an error behind a ping', streamed(start, event('ping'), error), true, PROMPT, 'ErrorFirst'],
])('nothing stays presumed after %s', async (_name, answer, isStream, cost, ending) => {
  const { spentNano, certainNano, logs } = await answered(answer, isStream);
  expect([spentNano, certainNano]).toEqual([cost, cost]);
  expect(logs).toContainEqual(expect.objectContaining({ ending, estimated: cost === PROMPT }));
});

test.each<[string, Reply, boolean, string]>([
  [
    'an error of something else first',
    streamed('event: error\ndata: {"error":"overloaded"}\n\n'),
    true,

    'Broken',
  ],
  ['a message that does not say its prompt, and an error', streamed(begun(null), error), true, 'Broken'],
  [
    'a stream that says no output',
    streamed(start, text, event('message_delta', { delta: stopped, usage: { output_tokens: null } }), stop),
    true,

    'Unreported',
  ],
  [
    'a fraction of a token',
    streamed(start, text, event('message_delta', { delta: stopped, usage: { output_tokens: 5.5 } }), stop),
    true,

    'Unreported',
  ],
  [
    'writes to a cache without a price',
    {
      headers: json,
      parts: [whole.replace('"output_tokens"', '"cache_creation":{"ephemeral_24h_input_tokens":7},"output_tokens"')],
    },
    false,

    'Unreported',
  ],
  [
    'a page',
    { headers: { 'content-type': 'text/html' }, parts: ['<!doctype html><title>Sign in</title>'] },
    false,

    'Unreported',
  ],
  [
    'an error as an answer',
    { headers: json, parts: ['{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'] },
    false,

    'Unreported',
  ],
  [
    'the same where a stream was asked for',
    { headers: json, parts: ['{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'] },
    true,

    'Unreported',
  ],
  ['a message that is cut', { headers: json, parts: [whole.slice(0, 90)] }, false, 'Unreported'],
  ['nothing', { status: 204, parts: [] }, false, 'Unreported'],
  ['nothing, as a stream', { status: 204, parts: [] }, true, 'Unreported'],
])('nothing is spent, and the worst case is presumed, after %s', async (_name, answer, isStream, ending) => {
  const { spentNano, certainNano, logs } = await answered(answer, isStream);
  expect(spentNano).toBe(0n);
  expect(certainNano).toBeGreaterThanOrEqual(1_000_000n);
  expect(logs).toContainEqual(expect.objectContaining({ ending }));
});

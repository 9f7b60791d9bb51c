import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parseUsd } from '../../../policy/core/money.ts';
import type { Behaviour } from '../../fakes/upstream/behaviour.ts';
import { startUpstream, type Upstream } from '../../fakes/upstream/upstream.ts';
import { startRedis } from '../../support/redis.ts';
import { testSize } from '../../support/test-size.ts';
import { counterOf, settled } from '../gateway/fixture.ts';
import { type Running, startGateway } from '../gateway/harness.ts';
import { budget, handover } from '../gateway/policies.ts';
import { claudeCode } from './claude-code.ts';

// An overload of the API, as 20 clients with one budget of $25 meet it: in `make test` for seconds, with Anthropic's SDK
// and its retries; in `make test-long` for five minutes, with Claude Code.

const CLIENTS = 20;
const MILLISECONDS = testSize({ short: 5_000, long: 300_000 });
const isLong = testSize({ short: false, long: true });
const API_KEY = 'sk-tollgate-api';
const MODEL = 'claude-opus-5-5';
/** Claude Code asks for 128,000 tokens of output, of which a budget of this size has room for nine. */
const MAX_OUTPUT = 8_000;

/** What an overloaded API does, in turn. */
const OVERLOAD: readonly Behaviour[] = [
  { status: 529 },
  { breakAt: 'EventOnly' },
  { status: 529, retryAfter: 1 },
  { breakAt: 'EventFirst' },
  { status: 500 },
  { breakAt: 'EventOnly', error: { type: 'api_error', message: 'Internal server error' } },
];
/** One call in so many is reset before its answer, and these many at most. */
const RESET_EVERY = 30;
const MOST_RESETS = 10;

/** What a call may cost that was reset: its bytes at the price of a cache write for an hour, and all of its output. */
const OPUS = { write: 8_000n, output: 20_000n };

let redis: Awaited<ReturnType<typeof startRedis>>;
let upstream: Upstream;
let gateway: Running;
let isOverloaded = true;
/** The upstream's own books: what it may yet bill for the calls that it reset, and how many calls there were. */
let mayBeBilled = 0n;
let resets = 0;
let calls = 0;

function nextBehaviour(body: Buffer): Behaviour {
  if (!isOverloaded) return {};
  calls += 1;
  const { max_tokens: output, stream = false } = JSON.parse(body.toString()) as {
    max_tokens: number;
    stream?: boolean;
  };
  const behaviour = OVERLOAD[calls % OVERLOAD.length]!;
  // Only a stream has events: without one, as Claude Code asks after three streams that failed, an error is a status.
  const error = stream || behaviour.status !== undefined ? behaviour : { status: 529 };
  if (calls % RESET_EVERY !== 0 || resets === MOST_RESETS) return error;
  resets += 1;
  // The gateway's bound has a few hundred tokens for what the API adds to a prompt.
  mayBeBilled += BigInt(body.length + 5_000) * OPUS.write + BigInt(output) * OPUS.output;
  return { breakAt: 'Head' };
}

beforeAll(async () => {
  redis = await startRedis();
  upstream = await startUpstream({
    observe: ({ url, body }) => {
      if (/messages(\?|$)/.test(url)) upstream.behave(nextBehaviour(body));
    },
  });
  const rest = { guards: { maxOutputTokens: MAX_OUTPUT } };
  const given = handover({ baseURL: upstream.url, budgets: [budget('daily', '25.00')], rest });
  gateway = await startGateway({ redisUrl: redis.url, handover: given });
});

afterAll(async () => {
  await gateway.stop();
  await upstream.close();
  await redis.stop();
});

/** Makes one call as the client does, retries included; returns whether it got its answer. */
async function call(): Promise<boolean> {
  const baseURL = gateway.url;
  if (isLong) return !(await claudeCode({ baseURL, apiKey: API_KEY }, 'Say hello')).isError;
  const client = new Anthropic({ baseURL, apiKey: API_KEY });
  const messages = [{ role: 'user' as const, content: 'Say hello. '.repeat(4_000) }];
  const asked = client.messages.stream({ model: MODEL, max_tokens: 128_000, messages });
  return asked.finalMessage().then(
    () => true,
    () => false,
  );
}

async function everyClient(until: number): Promise<void> {
  const client = async (): Promise<void> => {
    do await call().catch(() => false);
    while (Date.now() < until);
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
}

test(
  'an overload leaves no more presumed than may be billed, and the budget is usable at once afterwards',
  async () => {
    await everyClient(Date.now() + MILLISECONDS);
    isOverloaded = false;
    const { spentNano, certainNano } = await settled(gateway);
    const presumed = certainNano - spentNano;
    expect(calls).toBeGreaterThan(CLIENTS);
    expect(resets).toBeGreaterThan(0);
    expect(presumed).toBeLessThanOrEqual(mayBeBilled);
    // Prompts that message_start reported: each is a few cents, though nothing was answered.
    expect(spentNano).toBeGreaterThanOrEqual(BigInt(upstream.books().total.nanoUsd));
    expect(spentNano + presumed).toBeLessThan(parseUsd('25.00'));
    const unresolved = gateway.logs.filter(({ ending }) => ending === 'Broken' || ending === 'ForeignStatus');
    expect(unresolved.length).toBeLessThanOrEqual(resets);

    const answered = await Promise.all(Array.from({ length: CLIENTS }, call));
    expect(answered).toEqual(answered.map(() => true));
    expect((await counterOf(gateway)).spentNano).toBeGreaterThan(spentNano);
  },
  MILLISECONDS + 300_000,
);

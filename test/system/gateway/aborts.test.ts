import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { StreamMeter } from '../../../gateway/forward/stream-meter.ts';
import { TokensPerByte, thinkingTokens } from '../../../gateway/forward/tokens-per-byte.ts';
import type { Settings } from '../../../policy/config/settings.ts';
import { readUsage } from '../../../policy/prices/usage.ts';
import { budgetFiguresQuery } from '../../../policy/status/budget-figures.ts';
import type { Behaviour } from '../../fakes/upstream/behaviour.ts';
import { until } from '../../support/until.ts';
import { standIn, streaming, useGateways } from './fixture.ts';
import { ask, message, type Running, type StartOptions } from './harness.ts';
import { budget, handover } from './policies.ts';

const env = useGateways();
const { books, running } = env;

const daily = budget('daily', '25.00');

function gatewayWith(settings: Partial<Settings>, options: Partial<StartOptions> = {}): Promise<Running> {
  return env.gatewayWith({}, { settings, ...options });
}

/** What is booked of the budget and what is presumed, once nothing is in flight. Nano-dollars. */
async function booked({ ledger }: Running, one = daily) {
  let counter = { spentNano: 0n, certainNano: 0n, committedNano: 1n, requests: 0 };
  await until(async () => {
    const { now } = await ledger.operator.state();
    counter = (await ledger.operator.read([budgetFiguresQuery(one, now)]))[0]!.total;
    return counter.committedNano === counter.certainNano && env.upstream.books().open === 0;
  });
  return { spent: counter.spentNano, presumed: counter.certainNano - counter.spentNano, requests: counter.requests };
}

const whole = message();
const searching = message({
  stream: true,
  tools: [{ type: 'web_search_20250305', name: 'web_search', max_uses: 1 }],
});
/** What a hundred tokens of output cost at most, and the least that a call of ours can cost at worst. */
const OUTPUT = 1_000_000n;

/** Asks, and leaves once the upstream has the call and `ms` have passed, in which what it wrote comes through. */
async function leave(gateway: Running, behaviour: Behaviour, body = streaming, ms = 50): Promise<void> {
  const leaving = new AbortController();
  const asked = ask(gateway.url, { body, headers: standIn(behaviour), signal: leaving.signal }).catch(() => null);
  await until(() => env.upstream.books().open === 1);
  // Many turns, however late: after one alone nothing may have been read that came in the meantime.
  for (let turn = 0; turn < 10; turn += 1) await sleep(ms / 10);
  leaving.abort();
  await asked;
}

/** Exactly what the upstream billed, or rather more where some of it is estimated. */
function expectBooked(spent: bigint, onAbort: Settings['onAbort']): void {
  expect(spent).toBeGreaterThanOrEqual(books());
  expect(spent).toBeLessThanOrEqual(onAbort === 'Drain' ? books() : (books() * 3n) / 2n);
}

/** Where a caller can leave a call that was sent. */
const PLACES = [
  ['before its stream has begun', streaming, { latencyMs: 400, paceMs: 100 }],
  ['in the middle of its stream', streaming, { chunks: 4, holdAfter: 2 }],
  ['after the last text of its stream', streaming, { chunks: 4, holdAfter: 4 }],
  ['before an answer that comes whole', whole, { latencyMs: 400 }],
  ['in the middle of a stream with tools of Anthropic’s own', searching, { latencyMs: 200, chunks: 4, paceMs: 50 }],
] as const;

describe.each(PLACES)('a caller that leaves %s', (_name, body, behaviour) => {
  // What says only at its end what it cost is read to its end.
  const isCut = body === streaming;

  test('under Cancel is settled as an upstream bills that stops, and nothing stays presumed', async () => {
    const gateway = await gatewayWith({ onAbort: 'Cancel' });
    await leave(gateway, { ...behaviour, abortBilling: 'Sent' }, body);
    const { spent, presumed, requests } = await booked(gateway);
    expect([presumed, requests]).toEqual([0n, 1]);
    expect(books()).toBeGreaterThan(0n);
    expect(env.upstream.books().total.aborted).toBe(isCut ? 1 : 0);
    expect(spent).toBeGreaterThanOrEqual(books());
    // Nothing is estimated of an answer that is read to its end.
    expect(spent).toBeLessThanOrEqual(isCut ? OUTPUT + 100_000n : books());
    const line = { ending: isCut ? 'Cancelled' : 'Answered', estimated: isCut };
    expect(gateway.logs.find((one) => 'cost_usd' in one)).toMatchObject(line);
  });

  test.each(['Sent', 'Full'] as const)('under Drain is booked exactly (%s)', async (abortBilling) => {
    const gateway = await gatewayWith({ onAbort: 'Drain' });
    await leave(gateway, { ...behaviour, abortBilling }, body);
    await sleep(50);
    env.upstream.release();
    expect(await booked(gateway)).toEqual({ spent: books(), presumed: 0n, requests: 1 });
    expect(env.upstream.books().total).toMatchObject({ aborted: 0, outputTokens: 40 });
    expect(gateway.logs.find((one) => 'cost_usd' in one)).toMatchObject({ ending: 'Answered', estimated: false });
  });
});

describe('a caller that leaves', () => {
  test('under Cancel costs more than is settled if the upstream bills on, which Drain is for', async () => {
    const gateway = await gatewayWith({ onAbort: 'Cancel' });
    await leave(gateway, { chunks: 10, holdAfter: 1, abortBilling: 'Full' });
    const { spent, presumed } = await booked(gateway);
    expect(presumed).toBe(0n);
    // Ten tokens of forty were seen.
    expect(books() - spent).toBeGreaterThan(OUTPUT / 10n);
  });

  test('under Cancel after it stopped reading pays for what the upstream wrote ahead', async () => {
    const gateway = await gatewayWith({ onAbort: 'Cancel' });
    await fetch(`${env.upstream.url}/behaviour`, {
      method: 'POST',
      body: JSON.stringify({ text: 'ab'.repeat(90_000), chunks: 90_000, usage: { output_tokens: 90_000 } }),
    });
    const body = message({ stream: true, max_tokens: 100_000 });
    const caller = connect(Number(new URL(gateway.url).port), '127.0.0.1');
    const headers = ['host: gateway', 'x-api-key: sk-tollgate-api', 'anthropic-version: 2023-06-01'];
    const head = ['POST /v1/messages HTTP/1.1', ...headers, `content-length: ${body.length}`, '', ''].join('\r\n');
    caller.write(head + body);
    // Nobody reads what comes: the upstream writes as much as there is room for on the way.
    caller.pause();
    await until(() => env.upstream.books().total.requests === 1);
    await sleep(2_000);
    caller.destroy();
    await until(() => env.upstream.books().total.requests === 1 && env.upstream.books().open === 0);
    await fetch(`${env.upstream.url}/behaviour`, { method: 'POST', body: '{}' });
    expect(await booked(gateway)).toEqual({ spent: books(), presumed: 0n, requests: 1 });
    expect(env.upstream.books().total).toMatchObject({ aborted: 0, outputTokens: 90_000 });
  });

  test('a stream that does not begin within ten seconds pays for its prompt, at its bound', async () => {
    const gateway = await gatewayWith({ onAbort: 'Cancel' });
    await leave(gateway, { latencyMs: 60_000 });
    const { spent, presumed } = await booked(gateway);
    expect(presumed).toBe(0n);
    expect(spent).toBe(BigInt(Buffer.byteLength(streaming)) * 2_000n);
  });

  test('an upstream that breaks before its stream begins leaves the rest presumed, as for any caller', async () => {
    const gateway = await gatewayWith({ onAbort: 'Cancel' });
    await leave(gateway, { latencyMs: 400, breakAt: 'Head' });
    const { spent, presumed } = await booked(gateway);
    expect(spent).toBe(0n);
    expect(presumed).toBeGreaterThan(OUTPUT);
  });

  test('an upstream that refuses costs nothing', async () => {
    for (const onAbort of ['Cancel', 'Drain'] as const) {
      const gateway = await gatewayWith({ onAbort });
      await leave(gateway, { latencyMs: 300, status: 529 });
      expect(await booked(gateway)).toEqual({ spent: 0n, presumed: 0n, requests: 0 });
    }
  });

  test('a gateway that shuts down settles as ever, both for callers that leave and for those that stay', async () => {
    for (const onAbort of ['Cancel', 'Drain'] as const) {
      const gateway = await gatewayWith({ onAbort }, { installation: `leaving-${onAbort}` });
      const other = await gatewayWith({ onAbort }, { installation: `leaving-${onAbort}` });
      const staying = ask(gateway.url, { body: streaming, headers: standIn({ holdAfter: 1 }) });
      await until(() => env.upstream.books().open === 1);
      const leaving = new AbortController();
      const asked = [streaming, whole].map((body) => {
        const headers = standIn({ holdAfter: 2, latencyMs: 300 });
        return ask(gateway.url, { body, headers, signal: leaving.signal }).catch(() => null);
      });
      await until(() => env.upstream.books().open === 3);
      const stopped = running.splice(running.indexOf(gateway), 1)[0]!.stop();
      leaving.abort();
      await Promise.all(asked);
      await until(() => env.upstream.books().open === (onAbort === 'Cancel' ? 1 : 2));
      env.upstream.release();
      expect((await staying).text).toContain('message_stop');
      await stopped;
      const { spent, presumed, requests } = await booked(other);
      expect([presumed, requests]).toEqual([0n, 3]);
      expectBooked(spent, onAbort);
      env.upstream.clearBooks();
    }
  });
});

describe.each(['Cancel', 'Drain'] as const)('an upstream that falls silent, under %s', (onAbort) => {
  test.each([
    ['before it answers', { latencyMs: 5_000 }, 504, false],
    ['in the middle of a stream', { chunks: 4, holdAfter: 2 }, 200, true],
  ])('%s is given up: what was seen is booked, the rest is presumed', async (_name, behaviour, status, isSeen) => {
    const gateway = await gatewayWith({ onAbort }, { upstreamTimeoutMs: 1_000 });
    const answer = await ask(gateway.url, { body: streaming, headers: standIn(behaviour) });
    expect([answer.status, answer.torn]).toEqual([status, isSeen]);
    const { spent, presumed } = await booked(gateway);
    expect(spent > 0n).toBe(isSeen);
    expect(spent).toBeGreaterThanOrEqual(books());
    expect(spent + presumed).toBeGreaterThan(OUTPUT);
  });
});

describe.each(['Cancel', 'Drain'] as const)('a thousand users who interrupt half of their calls', (onAbort) => {
  test(`leave a budget that goes on, under ${onAbort}`, async () => {
    // What two thousand calls cost. Were the half of the interrupted ones presumed at their worst, it would be spent.
    const shared = budget('shared', '1.20');
    const given = handover({ baseURL: env.upstream.url, budgets: [shared] });
    const gateway = await gatewayWith({ onAbort, waitersPerBudget: 2_000, waitSeconds: 30 }, { handover: given });
    const headers = standIn({
      latencyMs: 50,
      chunks: 4,
      paceMs: 20,
      abortBilling: onAbort === 'Drain' ? 'Full' : 'Sent',
    });
    const user = async (_: unknown, index: number) => {
      const body = index % 2 === 0 ? streaming : whole;
      await sleep(4 * index);
      const signal = AbortSignal.timeout(20 + ((index * 7919) % 400));
      await ask(gateway.url, { body, headers, signal }).catch(() => null);
      return (await ask(gateway.url, { body, headers })).status;
    };
    const patient = await Promise.all(Array.from({ length: 1_000 }, user));
    expect(new Set(patient)).toEqual(new Set([200]));
    const { spent, presumed } = await booked(gateway, shared);
    expect(presumed).toBe(0n);
    expect(spent).toBeLessThanOrEqual(shared.limitNano);
    expectBooked(spent, onAbort);
    expect((await ask(gateway.url)).status).toBe(200);
    const { aborted } = env.upstream.books().total;
    expect(aborted > 0).toBe(onAbort === 'Cancel');
  });
});

describe('the output of a stream that was cut', () => {
  test('is estimated to the token once enough was learned, and never beyond the worst case', async () => {
    const gateway = await gatewayWith({ onAbort: 'Cancel' });
    await leave(gateway, { chunks: 4, holdAfter: 2 });
    const cautious = (await booked(gateway)).spent - books();
    expect(cautious).toBeGreaterThan(0n);
    for (let n = 0; n < 25; n++) await ask(gateway.url, { body: streaming });
    const before = (await booked(gateway)).spent - books();
    await leave(gateway, { chunks: 4, holdAfter: 2 });
    // And the sixteen tokens at $10 a million that may have been on their way.
    expect((await booked(gateway)).spent - books()).toBe(before + 160_000n);
    await leave(gateway, { chunks: 4, holdAfter: 4, text: 'x'.repeat(4_000) });
    const { spent, presumed } = await booked(gateway);
    expect(presumed).toBe(0n);
    expect(spent).toBeLessThan(books() + 2n * OUTPUT);
  });

  test('counts thinking that is not shown by the time it takes, whether or not it came to an end', () => {
    let now = 0;
    const event = (type: string, rest: object) => Buffer.from(`data: ${JSON.stringify({ type, ...rest })}\n\n`);
    const begin = (type: string) => event('content_block_start', { content_block: { type } });
    const piece = (delta: object) => event('content_block_delta', { delta });
    const meterOf = (...events: Buffer[]) => {
      const meter = new StreamMeter(() => now);
      for (const one of events) {
        meter.write(one);
        now += 1_000;
      }
      return meter.end().hiddenMs;
    };
    expect(meterOf(begin('thinking'))).toBe(1_000);
    expect(meterOf(begin('thinking'), piece({ type: 'signature_delta', signature: 'c2ln' }), begin('text'))).toBe(
      2_000,
    );
    expect(meterOf(begin('thinking'), piece({ type: 'thinking_delta', thinking: 'Hm.' }), begin('text'))).toBe(0);
    expect(meterOf(begin('text'), piece({ type: 'text_delta', text: 'toll' }))).toBe(0);
    expect(thinkingTokens(1_500)).toBe(150);
  });

  test('is learned for each model separately, from many answers, and kept on the high side', () => {
    const densities = new TokensPerByte();
    const learn = (model: string, output: number, textBytes: number, hiddenMs = 0) =>
      densities.learn(model, { usage: readUsage({ input_tokens: 1, output_tokens: output }), textBytes, hiddenMs });
    for (let n = 0; n < 19; n++) learn('plain', 300, 1000);
    expect(densities.of('plain')).toBe(0.5);
    learn('plain', 300, 1000);
    expect(densities.of('plain')).toBeCloseTo(0.3);
    expect(densities.of('other')).toBe(0.5);
    for (let n = 0; n < 100; n++) learn('uneven', n % 2 === 0 ? 300 : 2300, 1000);
    expect(densities.of('uneven')).toBeGreaterThan(2.3);
    for (let n = 0; n < 100; n++) learn('thinking', 2300, 1000, 20_000);
    expect(densities.of('thinking')).toBeCloseTo(0.3);
    for (let n = 0; n < 100; n++) learn('sparse', 10, 1000);
    expect(densities.of('sparse')).toBe(0.2);
    for (let n = 0; n < 400; n++) learn('plain', 400, 1000);
    expect(densities.of('plain')).toBeCloseTo(0.4);
  });
});

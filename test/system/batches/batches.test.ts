import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { request } from 'undici';
import { budget, Installation } from '../../../bench/installation.ts';
import { scrape } from '../../../hack/run/scrape.ts';
import { connectLedger, type RedisLedger } from '../../../ledger/redis/connect-ledger.ts';
import { parseUsd } from '../../../policy/core/money.ts';
import type { Behaviour } from '../../fakes/upstream/behaviour.ts';
import { testSize } from '../../support/test-size.ts';
import { until } from '../../support/until.ts';

const REQUESTS = testSize({ short: 3_000, long: 10_000 });
/** The body of 10,000 requests has nearly the 256 MB that the API takes. */
const PROMPT = 'words '.repeat(4_350);
const MB = 1024 * 1024;
const TEAM = 'batches';

const directory = mkdtempSync(join(tmpdir(), 'tollgate-batches-'));
let installation: Installation;
let ledger: RedisLedger;

beforeAll(async () => {
  installation = await Installation.start(1, { directory, settings: { batchPollSeconds: 1 } });
  ledger = connectLedger({ url: installation.redisUrl, installation: 'tollgate', epoch: () => null });
});

afterAll(async () => {
  ledger?.close();
  await Installation.stop(directory);
  rmSync(directory, { recursive: true, force: true });
});

/** The body as a stream, since it is too large to be kept whole. */
function* body(): Generator<string> {
  yield '{"requests":[';
  for (let i = 0; i < REQUESTS; i++) {
    const usage = { input_tokens: 5_000 + i, output_tokens: i % 97 };
    const behaviour: Behaviour = i % 10 === 9 ? { outcome: 'errored' } : { usage };
    const params = {
      model: i % 2 === 0 ? 'claude-sonnet-5-5' : 'claude-haiku-5-5',
      max_tokens: 100,
      messages: [{ role: 'user', content: PROMPT }],
      metadata: { user_id: `stand-in:${JSON.stringify(behaviour)}` },
    };
    yield `${i === 0 ? '' : ','}${JSON.stringify({ custom_id: `request-${i}`, params })}`;
  }
  yield ']}';
}

async function residentBytes(url: string): Promise<number> {
  const text = await scrape(url);
  return Number(/^process_resident_memory_bytes (\S+)$/m.exec(text)![1]);
}

/** Measures the memory of the gateway until the returned function is called, which gives the peak. */
function watched(url: string): () => Promise<number> {
  const over = new AbortController();
  let most = 0;
  const watching = (async () => {
    while (!over.signal.aborted) {
      most = Math.max(most, await residentBytes(url));
      await sleep(50);
    }
  })();
  return async () => {
    over.abort();
    await watching;
    return most;
  };
}

/** Kills processes and starts them again. */
async function killed(...names: readonly string[]): Promise<void> {
  for (const name of names) process.kill(installation.pid(name), 'SIGKILL');
  for (const name of names) await installation.revive(name);
}

const booked = async (): Promise<number> => (await ledger.operator.openBatches())[0]?.settledLines ?? REQUESTS;

test('a large batch is settled once at half price, though gateway and operators are killed midway', async () => {
  const { apiKey, upstreamKey } = await installation.team(TEAM, budget(TEAM, 'yearly', 'limit: { usd: "1000" }'));
  const allow = JSON.stringify({ spec: { batches: { mode: 'Allow' } } });
  await installation.kubectl('patch', 'cw', 'app', '-n', TEAM, '--type=merge', '-p', allow);
  await installation.kubectl('wait', '--for=condition=Programmed', '--timeout=30s', '-n', TEAM, 'cw/app');
  const behaviour: Behaviour = { batchMs: null, paceMs: 50 };
  await fetch(`${installation.upstream}/behaviour`, { method: 'POST', body: JSON.stringify(behaviour) });
  const [gateway = ''] = installation.gateways;

  const mostBytes = watched(gateway);
  const created = await request(`${gateway}/v1/messages/batches`, {
    method: 'POST',
    headers: { 'x-api-key': apiKey, 'anthropic-version': '2023-06-01', 'content-type': 'application/json' },
    body: Readable.from(body()),
    headersTimeout: 120_000,
  });
  const batch = (await created.body.json()) as { id: string };
  expect(batch).toMatchObject({ type: 'message_batch', request_counts: { processing: REQUESTS } });
  expect((await mostBytes()) / MB).toBeLessThanOrEqual(300);

  await killed('tollgate-gateway-1');
  await installation.release();
  await until(async () => (await booked()) >= REQUESTS / 2, 60_000);
  // The leading operator is one of them, and reads results at this moment.
  await killed('tollgate-operator-1', 'tollgate-operator-2', 'tollgate-gateway-1');
  await until(async () => (await ledger.operator.openBatches()).length === 0, 90_000);
  const owed = await installation.owed({ namespace: TEAM, upstreamKey, apiKey });
  expect(owed.calls).toBe((REQUESTS * 9) / 10);
  const status = await until(async () => {
    const { status } = await installation.budget(TEAM, 'yearly');
    return status?.requests === REQUESTS && Number(status.reservedUsd) === 0 && status;
  });
  expect(parseUsd(status.spentUsd ?? '0')).toBe(owed.nano);
  expect(Number(status.presumedUsd)).toBe(0);

  const client = new Anthropic({ baseURL: gateway, apiKey });
  await until(async () => (await client.messages.batches.retrieve(batch.id)).processing_status === 'ended', 30_000);
  let lines = 0;
  for await (const { result } of await client.messages.batches.results(batch.id))
    lines += Number(result.type !== 'canceled');
  expect(lines).toBe(REQUESTS);
}, 300_000);

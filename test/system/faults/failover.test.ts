import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Redis as Client } from 'ioredis';
import { waitFor } from '../../../bench/installation.ts';
import { MessagesClient } from '../../../bench/messages-client.ts';
import type { Redis } from '../../../hack/services/redis.ts';
import { type Sentinel, startSentinel } from '../../../hack/services/sentinel.ts';
import { formatUsd, parseUsd, nano as toNano } from '../../../policy/core/money.ts';
import { TestSystem } from './test-system.ts';

const LIMIT = '0.80';
const STREAMS = 10;
let sentinel: Sentinel;
let system: TestSystem;
const figures: string[] = [];

beforeAll(async () => {
  sentinel = await startSentinel(mkdtempSync(join(tmpdir(), 'tollgate-failover-')));
  system = await TestSystem.open(sentinel.url);
});

afterAll(async () => {
  await system?.close();
  await sentinel?.stop();
  process.stderr.write(`${figures.join('\n')}\n`);
});

test('the master is killed twice under load: never over the cap, and no spend is lost', async () => {
  const one = await system.spender('failover', LIMIT);
  for (let n = 1; n <= 2; n += 1) {
    await system.answered(one, 60 * n);
    const ms = await sentinel.failOver();
    const requests = (await one.owed()).requests;
    const back = await system.resumption(one, requests);
    figures.push(
      `failover ${n}: Sentinel took ${(ms / 1000).toFixed(1)} s, then calls were back after ${(back.ms / 1000).toFixed(1)} s (${back.states.join(', ')})`,
    );
    expect(back.early).toBe(0);
    await one.load.hold(() => sentinel.heal());
  }
  await system.spent(one);
  const { spentNano, certainNano } = await one.counter();
  const { nano } = await one.owed();
  expect(nano).toBeLessThanOrEqual(parseUsd(LIMIT));
  expect(certainNano).toBeGreaterThanOrEqual(nano);
  expect(spentNano).toBe(nano);
});

/** Cuts the replicas off, as a network would, and lets the master take writes that none of them has. */
async function isolate(master: Redis, replicas: readonly Redis[]): Promise<void> {
  for (const { url } of replicas) await once(url, (client) => client.config('SET', 'masterauth', 'cut-off'));
  await once(master.url, async (client) => {
    await client.config('SET', 'min-replicas-to-write', '0');
    await client.call('CLIENT', 'KILL', 'TYPE', 'replica');
  });
}

async function rejoin(replicas: readonly Redis[]): Promise<void> {
  for (const { url, password } of replicas) await once(url, (client) => client.config('SET', 'masterauth', password));
}

async function once(url: string, what: (client: Client) => Promise<unknown>): Promise<void> {
  const client = new Client(url);
  await what(client).finally(() => client.disconnect());
}

test('the residual: only what no replica has and no living gateway knows is lost', async () => {
  const one = await system.spender('residual', LIMIT);
  await one.load.stop();
  await system.quiet(one);
  const [gateway = ''] = system.installation.gateways;
  const caller = new MessagesClient(gateway, one.team.apiKey, STREAMS);
  const master = await sentinel.master();
  const replicas = sentinel.servers().filter(({ port }) => port !== master.port);
  const quiet = await one.counter();
  const before = await one.owed();

  await isolate(master, replicas);
  const behaviour = { holdAfter: 1, abortBilling: 'Full', usage: { output_tokens: 200 } } as const;
  const streams = Array.from({ length: STREAMS }, () =>
    caller.send({ stream: true, behaviour }).catch(() => undefined),
  );
  await waitFor(async () => (await one.owed()).requests === before.requests + STREAMS, 60_000);
  const { committedNano } = await one.counter();
  process.kill(system.installation.pid('tollgate-gateway-1'), 'SIGKILL');
  await sentinel.failOver();
  await rejoin(replicas);
  await Promise.all(streams);
  await caller.close();

  await system.installation.revive('tollgate-gateway-1');
  await system.recovered();
  const after = await one.counter();
  const billed = (await one.owed()).nano - before.nano;
  figures.push(
    `the residual: ${STREAMS} calls held $${formatUsd(toNano(committedNano - quiet.committedNano))} of which no trace is left; the upstream billed $${formatUsd(toNano(billed))} for them`,
  );
  // Exactly these, and so no more than what was reserved for them.
  expect(after.certainNano).toBe(quiet.certainNano);
  expect(billed).toBeGreaterThan(0n);
  expect(billed).toBeLessThanOrEqual(committedNano - quiet.committedNano);
});

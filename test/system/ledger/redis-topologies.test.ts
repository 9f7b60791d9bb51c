import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { Redis as Client } from 'ioredis';
import { freePort } from '../../../hack/services/ports.ts';
import { startRedisCluster } from '../../../hack/services/redis-cluster.ts';
import { startSentinel } from '../../../hack/services/sentinel.ts';
import { LedgerUnreachable } from '../../../ledger/ledger.ts';
import { connectLedger, type RedisLedger } from '../../../ledger/redis/connect-ledger.ts';
import { keyPrefix } from '../../../ledger/redis/keys.ts';
import { nano } from '../../../policy/core/money.ts';
import { writeCertificate } from '../../support/certificate.ts';
import { startProxy } from '../../support/proxy.ts';
import { startRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const folder = () => mkdtempSync(join(tmpdir(), 'tollgate-topologies-'));

/** A ledger with one gateway that has sent a heartbeat. */
async function opened(url: string, ca?: string): Promise<RedisLedger> {
  const ledger = connectLedger({ url, ca, installation: 'topologies', epoch: () => 'first' });
  await insist(() => ledger.operator.establish('first'));
  ledger.gateway.begin(randomUUID());
  await insist(() => ledger.gateway.beat({ pod: 'gateway-1', shards: {} }));
  return ledger;
}

/** Repeats `attempt` until it succeeds, for at most 30 s. Only `LedgerUnreachable` is repeated. */
async function insist(attempt: () => Promise<unknown>): Promise<void> {
  const since = performance.now();
  for (;;) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (!(error instanceof LedgerUnreachable) || performance.now() - since > 30_000) throw error;
      await sleep(20);
    }
  }
}

/** Sends heartbeats until the ledger admits again, on another server. */
async function recovered(ledger: RedisLedger): Promise<void> {
  await until(async () => (await ledger.gateway.beat({ pod: 'gateway-1', shards: {} })).kind === 'alive', 10_000);
}

/** Waits until a replica has all data of a server: it acknowledges writes in order. */
async function replicated({ url }: { readonly url: string }): Promise<void> {
  const client = new Client(url);
  await client.set(`${keyPrefix('topologies')}:replicated`, '');
  expect(await client.wait(1, 20_000)).toBeGreaterThan(0);
  client.disconnect();
}

const COUNTER = 'payments/daily/Day/UTC/0';

/** Reserves and settles one call of `nano` nano-dollars. */
async function call(ledger: RedisLedger, amount = 1_000_000n): Promise<void> {
  const { now } = await ledger.operator.state();
  const id = randomUUID();
  const bound = { capNano: nano(10n ** 12n), roomNano: nano(10n ** 12n - amount), gapRoomNano: nano(0n) };
  const period = { start: 0, end: now + 3_600_000 };
  const check = {
    budget: 'payments/daily',
    counter: COUNTER,
    value: null,
    ...period,
    mode: 'Enforce',
    bound,
    total: null,
  } as const;
  const { kind } = await ledger.gateway.reserve({
    id,
    workspace: 'payments/app',
    version: 1,
    worstNano: nano(amount),
    gapNano: nano(0n),
    from: 0,
    until: period.end,
    checks: [check],
  });
  expect(kind).toBe('admitted');
  await ledger.gateway.settle({ id, costNano: nano(amount), presumedNano: nano(0n), record: { id } });
}

/** The ledger answers again, and has lost nothing of the call before. */
async function goesOn(ledger: RedisLedger): Promise<void> {
  await insist(() => ledger.operator.state());
  await call(ledger);
  expect(await spent(ledger)).toBe(2_000_000n);
}

async function spent(ledger: RedisLedger): Promise<bigint> {
  const [reading] = await ledger.operator.read([{ counter: COUNTER, per: false, top: 0, also: [] }]);
  return reading!.total.spentNano;
}

describe('the ledger works through', () => {
  test('three Sentinels, and finds the new master that they name', async () => {
    const sentinel = await startSentinel(folder());
    const ledger = await opened(sentinel.url);
    await call(ledger);
    expect(await spent(ledger)).toBe(1_000_000n);
    await replicated(await sentinel.master());
    await sentinel.failOver();
    await insist(() => ledger.operator.establish('first'));
    expect(await spent(ledger)).toBe(1_000_000n);

    // Without a replica the new master refuses writes: that is unreachable, not an error of a script.
    for (const server of sentinel.servers()) if (server.port !== (await sentinel.master()).port) await server.kill();
    const refused = await until(() =>
      ledger.operator.establish('first').then(
        () => undefined,
        (error: unknown) => error,
      ),
    );
    expect(refused).toBeInstanceOf(LedgerUnreachable);
    expect(refused).toHaveProperty('message', expect.stringContaining('NOREPLICAS'));
    ledger.close();
    await sentinel.stop();
  });

  test('a cluster of three masters, one of which has all its keys', async () => {
    const cluster = await startRedisCluster(folder());
    const ledger = await opened(cluster.url);
    for (let n = 0; n < 20; n += 1) await call(ledger);
    expect(await spent(ledger)).toBe(20_000_000n);
    expect((await ledger.operator.gateways()).map(({ pod }) => pod)).toEqual(['gateway-1']);
    await replicated(await cluster.masterOf(keyPrefix('topologies')));
    await cluster.failOver(keyPrefix('topologies'));
    await insist(() => ledger.operator.establish('first'));
    expect(await spent(ledger)).toBe(20_000_000n);
    ledger.close();
    await cluster.stop();
  });

  test('TLS, with a certificate of its own', async () => {
    const directory = folder();
    const { certificate, key } = writeCertificate(directory);
    const port = await freePort();
    const files = [`tls-cert-file ${certificate}`, `tls-key-file ${key}`, `tls-ca-cert-file ${certificate}`];
    const redis = await startRedis({ directory, configuration: [`tls-port ${port}`, 'tls-auth-clients no', ...files] });
    const url = `rediss://:${redis.password}@127.0.0.1:${port}`;
    const stranger = connectLedger({ url, installation: 'topologies', epoch: () => 'first' });
    const ledger = await opened(url, readFileSync(certificate, 'utf8'));
    await call(ledger);
    expect(await spent(ledger)).toBe(1_000_000n);
    await expect(stranger.operator.state()).rejects.toThrow(LedgerUnreachable);
    stranger.close();
    ledger.close();
    await redis.stop();
  });

  test('one address behind which another server becomes the master while connections stay open', async () => {
    const first = await startRedis();
    const replica = [`replicaof 127.0.0.1 ${first.port}`, `masterauth ${first.password}`, 'repl-diskless-sync-delay 0'];
    const second = await startRedis({ password: first.password, configuration: replica });
    const address = await startProxy(first.port);
    const ledger = await opened(first.url.replace(`:${first.port}`, `:${address.port}`));
    await call(ledger);
    await replicated(first);

    const [one, other] = [new Client(first.url), new Client(second.url)];
    await other.replicaof('NO', 'ONE');
    address.lead(second.port);
    await one.config('SET', 'masterauth', first.password);
    await one.replicaof('127.0.0.1', `${second.port}`);
    await insist(() => ledger.operator.establish('first'));
    await recovered(ledger);
    await call(ledger);
    expect(await spent(ledger)).toBe(2_000_000n);
    await replicated(second);

    // The second server is cut off: nobody can tell it that it is not the master any more.
    await one.replicaof('NO', 'ONE');
    await other.config('SET', 'min-replicas-to-write', '1');
    address.lead(first.port);
    await insist(() => ledger.operator.establish('first'));
    await recovered(ledger);
    await call(ledger);
    expect(await spent(ledger)).toBe(3_000_000n);
    one.disconnect();
    other.disconnect();
    ledger.close();
    await address.stop();
    await Promise.all([first.stop(), second.stop()]);
  });

  test('a host that vanishes without closing its connection', async () => {
    const redis = await startRedis();
    const proxy = await startProxy(redis.port);
    const ledger = await opened(redis.url.replace(`:${redis.port}`, `:${proxy.port}`));
    await call(ledger);
    proxy.vanish();
    await expect(call(ledger)).rejects.toThrow(LedgerUnreachable);
    await goesOn(ledger);
    ledger.close();
    await proxy.stop();
    await redis.stop();
  });

  test('a slow network, and reports a silent one as unreachable', async () => {
    const redis = await startRedis();
    const proxy = await startProxy(redis.port);
    const ledger = await opened(redis.url.replace(`:${redis.port}`, `:${proxy.port}`));
    proxy.delay(100);
    await call(ledger);
    proxy.delay(0);
    proxy.silence('answers');
    await expect(call(ledger)).rejects.toThrow(LedgerUnreachable);
    await proxy.mend();
    await goesOn(ledger);
    ledger.close();
    await proxy.stop();
    await redis.stop();
  });
});

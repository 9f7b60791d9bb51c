import { once } from 'node:events';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { scrape } from '../../../hack/run/scrape.ts';
import { freePort } from '../../../hack/services/ports.ts';
import { cluster } from '../../support/cluster.ts';
import { startProxy } from '../../support/proxy.ts';
import { until } from '../../support/until.ts';
import { ask, errorOf, message } from '../gateway/harness.ts';
import { budget } from '../gateway/policies.ts';
import { counterOf, isReady, quiet, useGatewayProcesses } from './gateway-processes.ts';

const env = useGatewayProcesses();
const { books, installation } = env;

test('a gateway that is killed with fifty open streams leaves nothing unaccounted', async () => {
  const daily = budget('daily', '0.07');
  const { ledger, start } = await installation({ budgets: [daily] });
  const { url, child } = await start();
  const headers = { 'x-stainless-stand-in': JSON.stringify({ holdAfter: 1 }) };
  const asked = Array.from({ length: 50 }, () =>
    ask(url, { body: message({ stream: true }), headers }).catch(() => null),
  );
  await until(() => env.upstream.books().open === 50);
  child.kill('SIGKILL');
  await Promise.all(asked);
  const next = await start();
  await quiet(ledger, daily, 30_000);
  const { total } = await counterOf(ledger, daily);
  expect((await ledger.operator.state()).presumedCount).toBe(50);
  expect(total.certainNano).toBeGreaterThanOrEqual(books());
  expect(total.certainNano).toBeLessThanOrEqual(70_000_000n);
  // What is presumed cannot be spent again.
  const answers = await Promise.all(Array.from({ length: 60 }, () => ask(next.url)));
  expect(answers.filter(({ status }) => status === 200).length).toBeLessThan(60);
  await quiet(ledger, daily);
  expect((await counterOf(ledger, daily)).total.certainNano).toBeLessThanOrEqual(70_000_000n);
});

test('three gateways go on without Redis, one of them killed and restarted, and every call is settled exactly once', async () => {
  const proxy = await startProxy(env.redis.port);
  const way = env.redis.url.replace(`:${env.redis.port}`, `:${proxy.port}`);
  const daily = budget('daily', '25.00');
  const { ledger, launch } = await installation({ budgets: [daily] }, { ledgerLoss: 'Open', waitSeconds: 1 }, way);
  const gateways = await Promise.all(['one', 'two', 'three'].map((pod) => launch(pod)));
  await Promise.all(gateways.map(({ url }) => isReady(url)));
  const loads = gateways.map(({ url }) => loadOn(url));
  await sleep(500);
  await proxy.cut();
  await sleep(2_500);
  await until(() => loads[0]!.answered() > 20);
  const whole = await loads[0]!.stop();
  // Four streams of which the killed gateway alone knows, each with ten tokens of output when it dies.
  const body = message({ stream: true });
  const headers = { 'x-stainless-stand-in': JSON.stringify({ holdAfter: 1 }) };
  const held = Array.from({ length: 4 }, () => ask(gateways[0]!.url, { body, headers }).catch(() => null));
  await until(async () => (await metricOf(gateways[0]!.url, 'tollgate_upstream_calls')) === 4);
  await sleep(500); // what it has answered is on its disk
  gateways[0]!.child.kill('SIGKILL');
  await Promise.all(held);
  const seen = 4n * (BigInt(Math.ceil(body.length / 4)) * 2_000n + 10n * 10_000n);
  gateways[0] = await launch('one');
  loads[0] = loadOn(gateways[0].url);
  await sleep(2_500);
  await proxy.mend();
  await Promise.all(gateways.map(({ url }) => isReady(url)));
  await sleep(500);
  await until(() => loads.every((load) => load.answered() > 20));
  const counts = await Promise.all(loads.map((load) => load.stop()));
  for (const { url } of gateways)
    await until(async () => (await metricOf(url, 'tollgate_write_ahead_log_calls')) === 0);
  await quiet(ledger, daily, 30_000);
  const { total } = await counterOf(ledger, daily);
  expect(total.requests).toBe(counts.reduce((sum, count) => sum + count, whole));
  expect(total.spentNano).toBe(books() - seen);
  expect((await ledger.operator.state()).presumedCount).toBe(4);
  expect(total.certainNano - total.spentNano).toBeGreaterThan(seen);
  await proxy.stop();
});

/** Calls as long as it is let, four at a time, streams and whole answers; `stop` resolves to how many were answered. */
function loadOn(url: string): { answered: () => number; stop: () => Promise<number> } {
  const stopped = new AbortController();
  let answered = 0;
  const caller = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      const { status } = await ask(url, { body: message({ stream: answered % 2 === 0 }) });
      if (status === 200) answered += 1;
      else await sleep(50);
    }
  };
  const callers = Promise.all(Array.from({ length: 4 }, caller));
  return {
    answered: () => answered,
    stop: async () => {
      stopped.abort();
      await callers;
      return answered;
    },
  };
}

async function metricOf(url: string, name: string): Promise<number> {
  const text = await scrape(url);
  return Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)![1]);
}

test('an edit is enforced at once, half an edit never, and without the API server the last one stays in force', async () => {
  const { start, apply } = await installation({ budgets: [budget('daily', '25.00')] });
  const proxy = await proxyOf(cluster().kubeconfig);
  const { url, child } = await start(proxy.kubeconfig);
  expect((await ask(url)).status).toBe(200);
  await apply({ budgets: [budget('daily', '0')] });
  await until(async () => (await ask(url)).status === 429);
  await apply({ budgets: [budget('daily', '1.00')] });
  await until(async () => (await ask(url)).status === 200);
  proxy.cut();
  await apply({ budgets: [budget('daily', '0')], keys: { api: 'sk-tollgate-other' } });
  expect((await ask(url)).status).toBe(200);
  await proxy.mend();
  await until(async () => (await ask(url)).status === 401);
  expect(errorOf(await ask(url, { headers: { 'x-api-key': 'sk-tollgate-other' } })).type).toBe('budget_exceeded');
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
  proxy.cut();
});

/** A way to the API server that can be cut. */
async function proxyOf(kubeconfig: string) {
  const config = readFileSync(kubeconfig, 'utf8');
  const server = /https:\/\/127\.0\.0\.1:(\d+)/.exec(config)![1]!;
  const sockets = new Set<Socket>();
  let proxy: Server;
  const port = await freePort();
  const open = async (): Promise<void> => {
    proxy = createServer((near) => {
      const far = connect(Number(server), '127.0.0.1');
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(from);
        from
          .on('error', () => to.destroy())
          .on('close', () => to.destroy())
          .pipe(to);
      }
    });
    proxy.listen(port, '127.0.0.1');
    await once(proxy, 'listening');
  };
  await open();
  const file = join(mkdtempSync(join(tmpdir(), 'tollgate-proxy-')), 'kubeconfig');
  writeFileSync(file, config.replaceAll(`127.0.0.1:${server}`, `127.0.0.1:${port}`));
  return {
    kubeconfig: file,
    cut: () => {
      proxy.close();
      for (const socket of sockets) socket.destroy();
    },
    mend: open,
  };
}

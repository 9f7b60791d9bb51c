import { once } from 'node:events';
import { Agent } from 'node:http';
import { expect, test } from '@jest/globals';
import { until } from '../../support/until.ts';
import { type Answer, ask, message } from '../gateway/harness.ts';
import { budget } from '../gateway/policies.ts';
import { counterOf, useGatewayProcesses } from './gateway-processes.ts';

const env = useGatewayProcesses();
const { books, installation } = env;

test('a gateway that is replaced under load fails no call and cuts no stream', async () => {
  const { start, ledger } = await installation({ budgets: [budget('daily', '25.00')] }, {}, env.redis.url, {
    TOLLGATE_SHUTDOWN_DELAY_SECONDS: '3',
  });
  const { url, child } = await start();
  const headers = { 'x-stainless-stand-in': JSON.stringify({ holdAfter: 1 }) };
  const streams = new Agent({ keepAlive: true });
  const held = Array.from({ length: 20 }, () => ask(url, { body: message({ stream: true }), headers, agent: streams }));
  await until(() => env.upstream.books().open === 20);
  const pool = new Agent({ keepAlive: true });
  const answers: Answer[] = [];
  const over = new AbortController();
  const caller = async (): Promise<void> => {
    while (!over.signal.aborted) answers.push(await ask(url, { agent: pool }));
  };
  const callers = Promise.all(Array.from({ length: 4 }, caller));
  await until(() => answers.length > 20);
  expect(answers.at(-1)!.headers['connection']).toBe('keep-alive');
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await until(() => answers.at(-1)!.headers['connection'] === 'close');
  const ready = await ask(url, { method: 'GET', path: '/readyz' });
  expect([ready.status, ready.text]).toEqual([503, 'the gateway is shutting down\n']);
  // As of a kubelet that was restarted meanwhile.
  child.kill('SIGTERM');
  // Calls still come, on connections old and new, until the whole cluster has heard that the Pod goes.
  const before = answers.length;
  await until(() => answers.length > before + 20);
  over.abort();
  await callers;
  expect(answers.filter(({ status, torn }) => status !== 200 || torn)).toEqual([]);
  await until(() =>
    ask(url).then(
      () => false,
      ({ code }: NodeJS.ErrnoException) => code === 'ECONNREFUSED',
    ),
  );
  env.upstream.release();
  for (const stream of await Promise.all(held)) expect(stream.text).toContain('message_stop');
  // Their connections are good for as long as callers were told.
  const late = await ask(url, { agent: streams });
  expect([late.status, late.headers['connection']]).toEqual([200, 'close']);
  expect(await ended).toEqual([0, null]);
  pool.destroy();
  expect((await counterOf(ledger, budget('daily', '25.00'))).total.spentNano).toBe(books());
});

import { createServer, type IncomingMessage, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { listen } from '../../../gateway/http/server.ts';
import { scrape } from '../../../hack/run/scrape.ts';
import { until } from '../../support/until.ts';
import { counterOf, settled, standIn, streaming, useGateways } from './fixture.ts';
import { ask, errorOf, message } from './harness.ts';

const { books, gatewayWith } = useGateways();

describe('an upstream', () => {
  const WORST = 1_000_000n;

  test.each([400, 429, 500, 529])('that answers %d is passed on verbatim, and nothing is booked', async (status) => {
    const gateway = await gatewayWith();
    const answer = await ask(gateway.url, {
      headers: standIn({ status, retryAfter: 7, error: { type: 'overloaded_error', message: 'Overloaded' } }),
    });
    expect(answer.status).toBe(status);
    expect(answer.headers['retry-after']).toBe('7');
    expect(JSON.parse(answer.text)).toMatchObject({
      type: 'error',
      error: { type: 'overloaded_error', message: 'Overloaded' },
    });
    expect(await settled(gateway)).toMatchObject({ spentNano: 0n, committedNano: 0n, requests: 0 });
    const error = { ending: 'ErrorStatus', status, error_type: 'overloaded_error' };
    expect(gateway.logs).toContainEqual(expect.objectContaining({ ...error, cost_usd: 0 }));
    await until(async () => (await gateway.ledger.operator.readUsage(10)).length === 1);
    const [entry] = await gateway.ledger.operator.readUsage(10);
    expect(entry).toMatchObject({ record: { ...error, state: 'final', cost_nano: '0' }, counters: [] });
  });

  test('that cannot be reached costs nothing', async () => {
    const gateway = await gatewayWith({ baseURL: 'http://127.0.0.1:1' });
    const answer = await ask(gateway.url);
    expect([answer.status, errorOf(answer).type]).toEqual([502, 'api_error']);
    expect(await settled(gateway)).toMatchObject({ spentNano: 0n, committedNano: 0n });
    expect(gateway.logs).toContainEqual(expect.objectContaining({ ending: 'NeverSent', cost_usd: 0 }));
  });

  test.each([
    ['Head', 502, false],
    ['Start', 200, true],
    ['Middle', 200, true],
    ['Event', 200, false],
    ['Cut', 200, false],
  ] as const)('whose stream breaks (%s) is booked as seen, the rest is presumed', async (breakAt, status, torn) => {
    const gateway = await gatewayWith();
    const answer = await ask(gateway.url, { body: streaming, headers: standIn({ breakAt, chunks: 10 }) });
    expect([answer.status, answer.torn]).toEqual([status, torn]);
    const counter = await settled(gateway);
    const seen = breakAt !== 'Head' && breakAt !== 'Start';
    expect(counter.spentNano > 0n).toBe(seen);
    expect(counter.spentNano).toBeGreaterThanOrEqual(books());
    expect(counter.certainNano).toBeGreaterThanOrEqual(WORST);
    const [entry] = await gateway.ledger.operator.readUsage(10);
    expect(entry?.record['error_type']).toBe(breakAt === 'Event' ? 'overloaded_error' : null);
  });

  test.each([
    ['no usage', { usage: null }],
    ['negative usage', { usage: { output_tokens: -5 } }],
    ['usage that is no number', { usage: { input_tokens: '12' } }],
  ])('that reports %s leaves the worst case presumed, until somebody says what it cost', async (_name, behaviour) => {
    const gateway = await gatewayWith();
    for (const body of [message(), streaming]) {
      const before = await counterOf(gateway);
      expect((await ask(gateway.url, { body, headers: standIn(behaviour) })).status).toBe(200);
      await until(async () => (await counterOf(gateway)).certainNano > before.certainNano);
      const counter = await settled(gateway);
      expect(counter.certainNano - before.certainNano).toBeGreaterThanOrEqual(WORST);
      expect(counter.spentNano).toBe(0n);
    }
    const lines = gateway.logs.filter((line) => 'cost_usd' in line);
    const unreported = { ending: 'Unreported', cost_usd: 0, estimated: true };
    expect(lines).toMatchObject([unreported, unreported]);
  });

  test('that charges more than its rules say is settled exactly and counted', async () => {
    const gateway = await gatewayWith();
    await ask(gateway.url, { headers: standIn({ usage: { output_tokens: 5000 } }) });
    const counter = await settled(gateway);
    expect(counter.spentNano).toBe(books());
    const metrics = await scrape(gateway.url);
    expect(Number(/^tollgate_overshoot_usd_total\{.*\} (.*)$/m.exec(metrics)![1])).toBeGreaterThan(0.04);
  });

  test('that writes faster than the caller reads is held back', async () => {
    const piece = Buffer.from(`event: content_block_delta\ndata: {"text":"${'x'.repeat(65_000)}"}\n\n`);
    const PIECES = 1000;
    let written = 0;
    const source = createServer((req, res) => {
      req.resume();
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      const go = (): void => {
        while (written < PIECES) {
          written += 1;
          if (!res.write(piece)) return void res.once('drain', go);
        }
        res.end();
      };
      go();
    });
    const port = await listen(source, 0);
    const gateway = await gatewayWith({ baseURL: `http://127.0.0.1:${port}` });
    const answer = await new Promise<IncomingMessage>((resolve) => {
      const headers = { 'x-api-key': 'sk-tollgate-api' };
      request(`${gateway.url}/v1/messages`, { method: 'POST', headers }, resolve).end(streaming);
    });
    let before = -1;
    await until(async () => {
      const steady = written === before;
      before = written;
      await sleep(100);
      return steady;
    });
    expect(written).toBeLessThan(PIECES / 2);
    let read = 0;
    for await (const chunk of answer) read += (chunk as Buffer).length;
    expect(read).toBe(PIECES * piece.length);
    source.close();
  });
});

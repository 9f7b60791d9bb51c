import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type APIError } from '@anthropic-ai/sdk';
import { describe, expect, test } from '@jest/globals';
import type { CompiledWorkspace } from '../../../policy/core/compiled-policy.ts';
import { batchGateways, BATCHES_PATH, item, poller, recordsOf, sdk } from './batch-fixture.ts';
import { counterOf, useGateways } from './fixture.ts';
import { ask, errorOf } from './harness.ts';
import { budget, type WorkspaceOptions } from './policies.ts';

const env = useGateways();
const { books } = env;
const bodyFolder = mkdtempSync(join(tmpdir(), 'tollgate-bodies-'));
const gateway = batchGateways(env, bodyFolder);
const daily = budget('daily', '25.00');

describe('a batch', () => {
  test('reserves half of its worst case, is settled from its results at half price, and reads as without a gateway', async () => {
    env.upstream.behave({ batchMs: null });
    const here = await gateway();
    const client = sdk(here);
    const usage = { input_tokens: 11, output_tokens: 3 };
    const requests = [
      item('one', { usage }),
      item('two', { outcome: 'errored' }),
      item('three', { usage: { ...usage, cache_read_input_tokens: 5 } }, { model: 'claude-haiku-5-5' }),
      item('four', { outcome: 'expired' }),
    ];
    const batch = await client.messages.batches.create({ requests });
    expect(batch).toMatchObject({ processing_status: 'in_progress', results_url: null });
    const held = await counterOf(here);
    const bytes = requests.map((one) => BigInt(Buffer.byteLength(JSON.stringify(one))));
    const worst = [bytes[0]! * 2000n + 1_000_000n, bytes[1]! * 2000n + 1_000_000n, bytes[2]! * 100n + 50_000n];
    worst.push(bytes[3]! * 2000n + 1_000_000n);
    const half = worst.reduce((sum, one) => sum + (one + 1n) / 2n, 0n);
    expect(held).toMatchObject({ spentNano: 0n, certainNano: 0n, committedNano: half, requests: 0 });
    expect(await client.messages.batches.retrieve(batch.id)).toEqual(batch);
    await expect(client.messages.batches.delete(batch.id)).rejects.toMatchObject({ status: 409 });
    const operator = poller(here);
    expect(await operator.look()).toEqual([]);
    expect(operator.batches.backlog.open).toBe(1);
    expect(operator.batches.backlog.oldestSeconds).toBeGreaterThan(0);
    env.upstream.release();
    expect((await client.messages.batches.retrieve(batch.id)).results_url).toBe(`${BATCHES_PATH}/${batch.id}/results`);
    expect(await operator.look()).toEqual([]);
    expect([operator.settled, operator.bookedNano]).toEqual([[batch.id], books()]);
    expect(await counterOf(here)).toMatchObject({
      spentNano: books(),
      certainNano: books(),
      committedNano: books(),
      requests: 4,
    });
    // (11 × 2,000 + 3 × 10,000) / 2 and (11 × 100 + 5 × 10 + 3 × 500) / 2.
    expect(books()).toBe(26_000n + 1_325n);
    const lines = [];
    for await (const line of await client.messages.batches.results(batch.id)) lines.push(line);
    expect(lines.map(({ custom_id: id, result }) => `${id} ${result.type}`)).toEqual([
      'one succeeded',
      'two errored',
      'three succeeded',
      'four expired',
    ]);
    expect(await client.messages.batches.delete(batch.id)).toEqual({ id: batch.id, type: 'message_batch_deleted' });
    await expect(client.messages.batches.retrieve(batch.id)).rejects.toMatchObject({ status: 404 });
    expect((await operator.look()).concat(operator.batches.backlog.open)).toEqual([0]);
  });

  test('leaves a record for each request', async () => {
    const here = await gateway();
    const requests = [item('a', { usage: { input_tokens: 8, output_tokens: 2 } }), item('b', { outcome: 'canceled' })];
    const { id } = await sdk(here).messages.batches.create(
      { requests },
      { headers: { 'x-tollgate-customer': 'acme' } },
    );
    await poller(here).look();
    const records = (await recordsOf(here)).filter((record) => record['state'] === 'final');
    const call = here.logs.find(({ ending }) => ending === 'Batch')!['id'] as string;
    const common = { workspace: 'payments/checkout', key: 'api', feature: 'checkout', customer: 'acme', stream: false };
    expect(records).toMatchObject([
      {
        ...common,
        id: `${call}/batch/a`,
        model: 'claude-sonnet-5-5',
        asked_model: 'claude-sonnet-5-5',
        input_tokens: 8,
        output_tokens: 2,
        cost_nano: '18000',
        estimated: false,
        ending: 'Answered',
      },
      { ...common, id: `${call}/batch/b`, input_tokens: null, cost_nano: '0', estimated: false, ending: 'Canceled' },
    ]);
    expect(id).toMatch(/^msgbatch_/);
  });

  test('that is canceled gives back the requests that were not begun', async () => {
    env.upstream.behave({ batchMs: null });
    const here = await gateway();
    const client = sdk(here);
    const { id } = await client.messages.batches.create({ requests: [item('a'), item('b'), item('c'), item('d')] });
    expect((await client.messages.batches.cancel(id)).processing_status).toBe('canceling');
    env.upstream.release();
    expect(await poller(here).look()).toEqual([]);
    expect(env.upstream.books().total.calls).toBe(2);
    expect(await counterOf(here)).toMatchObject({ spentNano: books(), committedNano: books(), requests: 4 });
  });

  test.each<[string, Partial<CompiledWorkspace>]>([
    ['another workspace', { name: 'billing' }],
    ['a workspace that was made again under its name', { uid: 'uid-of-another' }],
    ['a workspace of a namespace that was made again', { namespaceUid: 'uid-of-another' }],
  ])('belongs to its workspace alone and not to %s, although all share an upstream key', async (_, rest) => {
    const installation = `t-${randomUUID()}`;
    const here = await gateway({}, { installation });
    const other = await gateway({ rest, keys: { api: 'sk-tollgate-billing' } }, { installation });
    const [mine, theirs] = [sdk(here), sdk(other, 'sk-tollgate-billing')];
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) {
      ids.unshift((await mine.messages.batches.create({ requests: [item('a')] })).id);
      await theirs.messages.batches.create({ requests: [item('a')] });
    }
    const found = [];
    for await (const { id, results_url: url } of mine.messages.batches.list({ limit: 2 })) {
      found.push(id);
      expect(url).toBe(`${BATCHES_PATH}/${id}/results`);
    }
    expect(found).toEqual(ids);
    const page = await mine.messages.batches.list({ limit: 2, before_id: ids[3]! });
    expect([page.data.map(({ id }) => id), page.has_more, page.first_id]).toEqual([ids.slice(1, 3), true, ids[1]]);
    const calls: (() => Promise<unknown>)[] = [
      () => theirs.messages.batches.retrieve(ids[0]!),
      () => theirs.messages.batches.cancel(ids[0]!),
      () => theirs.messages.batches.delete(ids[0]!),
      () => theirs.messages.batches.results(ids[0]!),
      () => theirs.messages.batches.retrieve('msgbatch_none'),
      async () => theirs.messages.batches.list({ after_id: ids[0]! }),
    ];
    for (const call of calls) {
      const error = await call().catch((thrown: unknown) => thrown as APIError);
      expect(error).toMatchObject({ status: 404, error: { error: { type: 'not_found_error' } } });
    }
    const results = await ask(other.url, {
      method: 'GET',
      path: `${BATCHES_PATH}/${ids[0]}/results`,
      headers: { 'x-api-key': 'sk-tollgate-billing' },
    });
    expect([results.status, errorOf(results).message]).toEqual([
      404,
      `The workspace payments/${rest.name ?? 'checkout'} has no batch "${ids[0]}".`,
    ]);
  });
});

describe('a refused batch is never sent and reserves nothing', () => {
  const opus = { model: 'claude-opus-5-5' };
  const opusOnly = budget('opus', '25.00', { scope: { models: ['claude-opus-*'] } });

  test.each<[string, number, Partial<WorkspaceOptions>, unknown]>([
    ['does not allow Message Batches', 400, { rest: { batches: 'Refuse' } }, { requests: [item('a')] }],
    ['requests[1]: Model "gpt" is not allowed', 400, {}, { requests: [item('a'), item('b', {}, { model: 'gpt' })] }],
    ['requests[1]: custom_id a is there twice', 400, {}, { requests: [item('a'), item('a')] }],
    ['requests[1]: messages must be a list', 400, {}, { requests: [item('a'), { custom_id: 'b', params: opus }] }],
    ['must be JSON of the form', 400, {}, '{"requests":['],
    ['may have the field requests only, not model', 400, {}, opus],
    [
      'requests[1]: Other budgets apply to model "claude-opus-5-5"',
      400,
      { budgets: [daily, opusOnly] },
      { requests: [item('a'), item('b', {}, opus)] },
    ],
    [
      'requests[0]: It asks for more than',
      400,
      { rest: { batches: 'Allow', guards: { maxOutputTokens: 99 } } },
      { requests: [item('a')] },
    ],
    [
      'Yearly budget of $0.001000 cannot hold this call',
      429,
      { budgets: [budget('daily', '0.001')] },
      { requests: [item('a'), item('b')] },
    ],
  ])('%s', async (sentence, status, workspace, body) => {
    const here = await gateway(workspace);
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const answer = await ask(here.url, { path: BATCHES_PATH, body: text });
    expect([answer.status, answer.headers['x-should-retry']]).toEqual([status, 'false']);
    expect(errorOf(answer).message).toContain(sentence);
    expect((await counterOf(here)).committedNano).toBe(0n);
    expect((await poller(here).look()).length + env.upstream.books().total.calls).toBe(0);
  });

  test('by its headers before it is read', async () => {
    const here = await gateway();
    const zipped = await ask(here.url, { path: BATCHES_PATH, headers: { 'content-encoding': 'gzip' }, body: 'x' });
    expect(zipped.status).toBe(415);
    const { port } = new URL(here.url);
    const long = request({ port, path: BATCHES_PATH, method: 'POST', headers: { 'x-api-key': 'sk-tollgate-api' } });
    long.setHeader('content-length', 256 * 1024 * 1024 + 1);
    long.flushHeaders();
    const [answer] = (await once(long, 'response')) as [{ statusCode: number }];
    expect(answer.statusCode).toBe(413);
    long.on('error', () => undefined).destroy();
  });
});

import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { BatchSettler } from '../../../operator/batches/batch-settler.ts';
import { type Received, startUpstream, type Upstream } from '../../fakes/upstream/upstream.ts';
import { BATCHES_PATH, batchGateways, item, poller, PRICE_BOOK, recordsOf, sdk } from './batch-fixture.ts';
import { counterOf, useGateways } from './fixture.ts';
import { ask, errorOf, type Running } from './harness.ts';
import { budget, type Handover, handover, resolved } from './policies.ts';

const env = useGateways();
const gateway = batchGateways(env, mkdtempSync(join(tmpdir(), 'tollgate-bodies-')));
const HOUR = 3_600_000;

/** What the other upstream received. */
const receivedElsewhere: Received[] = [];
let elsewhere: Upstream;

beforeAll(async () => {
  elsewhere = await startUpstream({ observe: (request) => receivedElsewhere.push(request) });
});

afterEach(() => {
  receivedElsewhere.length = 0;
});

afterAll(() => elsewhere.close());

/** The workspace with another upstream, or another key of the same one. */
function moved(baseURL: string, upstreamKey: string, version: number): Handover {
  const given = { budgets: [budget('daily', '25.00')], version, rest: { batches: 'Allow' as const } };
  const { credentials, ...rest } = handover({ baseURL, ...given });
  return { ...rest, credentials: { ...credentials, upstreamKey } };
}

/** Moves a gateway's workspace, and returns what the operator reads for its batches then. */
function move({ policy }: Running, baseURL: string, apiKey: string, version: number) {
  policy.enforce([resolved(moved(baseURL, apiKey, version))]);
  return { baseURL, apiKey, headers: {}, prices: PRICE_BOOK };
}

const keysOf = (received: readonly Received[]) => new Set(received.map(({ headers }) => headers['x-api-key']));

type Settings = ConstructorParameters<typeof BatchSettler>[0]['settings'];

async function movedBatch(settings: Settings = { presumedHold: 'PeriodEnd' }) {
  env.upstream.behave({ batchMs: null });
  const here = await gateway();
  const { id } = await sdk(here).messages.batches.create({ requests: [item('a'), item('b')] });
  const held = (await counterOf(here)).committedNano;
  let credentials = move(here, elsewhere.url, 'sk-ant-elsewhere', 2);
  env.upstream.release();
  const operator = poller(here, { credentials: () => credentials, settings });
  return { here, id, held, operator, become: (next: typeof credentials) => (credentials = next) };
}

describe('a workspace that changes its upstream while it has a batch', () => {
  test('sends the new key to the new upstream only, and settles the batch once the old one is back', async () => {
    const { here, id, held, operator, become } = await movedBatch();
    env.received.length = 0;
    for (let turn = 0; turn < 3; turn += 1) expect(await operator.look()).toEqual([]);
    expect(env.received).toEqual([]);
    expect(receivedElsewhere).toEqual([]);
    expect(operator.elsewhere).toEqual([[id, env.upstream.url]]);
    expect(operator.batches.backlog).toMatchObject({ open: 1, elsewhere: 1 });
    expect(await counterOf(here)).toMatchObject({ spentNano: 0n, committedNano: held });

    // Back at the old upstream, under another spelling of its address.
    become(move(here, `${env.upstream.url}/`, 'sk-ant-upstream', 3));
    operator.at += HOUR;
    expect(await operator.look()).toEqual([]);
    expect(operator.settled).toEqual([id]);
    expect(operator.batches.backlog.elsewhere).toBe(0);
    expect(await counterOf(here)).toMatchObject({ spentNano: env.books(), committedNano: env.books() });
    expect(keysOf(env.received)).toEqual(new Set(['sk-ant-upstream']));
    expect(receivedElsewhere).toEqual([]);
  });

  test('and its callers are told that the upstream does not have it', async () => {
    const { here, id } = await movedBatch();
    env.received.length = 0;
    for (const [method, part] of [
      ['GET', ''],
      ['POST', '/cancel'],
    ] as const) {
      const answer = await ask(here.url, { method, path: `${BATCHES_PATH}/${id}${part}`, body: '' });
      expect(answer.status).toBe(404);
      expect(errorOf(answer).message).toContain('created while the workspace had another upstream');
    }
    expect((await ask(here.url, { method: 'GET', path: `${BATCHES_PATH}/${id}/results` })).status).toBe(404);
    expect(env.received).toEqual([]);
    expect(keysOf(receivedElsewhere)).toEqual(new Set(['sk-ant-elsewhere']));
  });

  test.each(['Book', 'Release'] as const)('gives its money up once a person says %s', async (how) => {
    const { here, id, held, operator, become } = await movedBatch();
    await operator.look();
    expect(await operator.batches.resolve([id, 'msgbatch_of_nobody'], how)).toEqual({ resolved: [id], followed: [] });
    // An operator that dies before it has removed the annotation does it again.
    expect(await operator.batches.resolve([id], how)).toEqual({ resolved: [], followed: [] });
    const spentNano = how === 'Book' ? held : 0n;
    expect(await counterOf(here)).toMatchObject({ spentNano, certainNano: spentNano, committedNano: spentNano });
    expect([operator.lost, operator.released]).toEqual(how === 'Book' ? [[id], []] : [[], [id]]);
    const records = (await recordsOf(here)).filter((record) => record['id']?.toString().endsWith('/batch'));
    expect(records.at(-1)).toMatchObject({ state: 'released' });
    become(move(here, env.upstream.url, 'sk-ant-upstream', 3));
    expect(await operator.look()).toEqual([]);
    expect(operator.batches.backlog).toMatchObject({ open: 0, elsewhere: 0 });
  });

  test('and has it back keeps its batch, whatever a person says', async () => {
    const { here, id, held, operator, become } = await movedBatch();
    await operator.look();
    become(move(here, env.upstream.url, 'sk-ant-upstream', 3));
    expect(await operator.batches.resolve([id], 'Release')).toEqual({ resolved: [], followed: [id] });
    expect(await counterOf(here)).toMatchObject({ spentNano: 0n, committedNano: held });
    become({ ...move(here, env.upstream.url, 'sk-ant-upstream', 4), apiKey: null as never });
    expect(await operator.batches.resolve([id], 'Release')).toEqual({ resolved: [id], followed: [] });
  });

  test.each<[string, Settings['presumedHold'], number]>([
    ['29 days', 'PeriodEnd', 29 * 24 * HOUR],
    ['presumedHold', 48 * HOUR, 48 * HOUR],
    ['a day and an hour, in which it may still run', HOUR, 25 * HOUR],
  ])('holds its worst case for %s, and then it is booked', async (_, presumedHold, ms) => {
    const { here, id, held, operator } = await movedBatch({ presumedHold });
    operator.at += ms - HOUR;
    await operator.look();
    expect(await counterOf(here)).toMatchObject({ spentNano: 0n, committedNano: held });
    operator.at += HOUR;
    await operator.look();
    expect(operator.lost).toEqual([id]);
    expect(await counterOf(here)).toMatchObject({ spentNano: held, committedNano: held });
  });
});

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { request } from 'undici';
import { budget, Installation, type Team } from '../../../bench/installation.ts';
import type { Behaviour } from '../../fakes/upstream/behaviour.ts';
import { until } from '../../support/until.ts';

// A name that nobody knows goes at the highest bound. Once a call with it cost more than that, no gateway takes it from anybody.

const directory = mkdtempSync(join(tmpdir(), 'tollgate-names-'));
let installation: Installation;
let first: Team;
let second: Team;

beforeAll(async () => {
  installation = await Installation.start(2, { directory, settings: { batchPollSeconds: 1 } });
  const team = async (name: string) =>
    installation.team(name, budget(name, 'yearly', 'limit: { usd: "100000" }, period: { every: Year }'));
  [first, second] = [await team('first'), await team('second')];
  const allow = JSON.stringify({ spec: { batches: { mode: 'Allow' } } });
  await installation.kubectl('patch', 'cw', 'app', '-n', 'first', '--type=merge', '-p', allow);
  await installation.kubectl('wait', '--for=condition=Programmed', '--timeout=60s', '-n', 'first', 'cw/app');
});

afterAll(async () => {
  await Installation.stop(directory);
  rmSync(directory, { recursive: true, force: true });
});

/** More than the model can write, and than any of its bounds holds. */
const BEYOND: Behaviour = { usage: { output_tokens: 10_000_000 } };

function paramsOf(more: object, behaviour: Behaviour = {}): object {
  const messages = [{ role: 'user', content: 'Hello' }];
  const metadata = { user_id: `stand-in:${JSON.stringify(behaviour)}` };
  return { model: 'claude-sonnet-5-5', max_tokens: 100, messages, metadata, ...more };
}

async function post(gateway: number, team: Team, body: object, path = '/v1/messages') {
  const answer = await request(`${installation.gateways[gateway]}${path}`, {
    method: 'POST',
    headers: { 'x-api-key': team.apiKey, 'anthropic-version': '2023-06-01', 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: answer.statusCode, text: await answer.body.text() };
}

/** The answers of both gateways to a call of each team with this name. */
const answers = (name: string) =>
  Promise.all([first, second].flatMap((team) => [0, 1].map((gateway) => post(gateway, team, paramsOf({ [name]: 1 })))));

const statuses = async (name: string) => (await answers(name)).map(({ status }) => status);

async function refusedEverywhere(name: string): Promise<void> {
  await until(async () => (await statuses(name)).every((status) => status === 400));
  for (const { text } of await answers(name)) expect(text).toContain(name);
}

test('of a call: it is refused in every gateway and workspace, until a person lists it as harmless', async () => {
  expect(await statuses('dream')).toEqual([200, 200, 200, 200]);
  expect((await post(0, first, paramsOf({ dream: 1 }, BEYOND))).status).toBe(200);
  await refusedEverywhere('dream');
  expect(await statuses('wish')).toEqual([200, 200, 200, 200]);

  const shipped = JSON.parse(readFileSync('policy/names/names.json', 'utf8')) as { harmless: string[] };
  const list = { ...shipped, harmless: [...shipped.harmless, 'dream'] };
  const metadata = { name: 'tollgate-names', namespace: 'tollgate-system' };
  const data = { 'names.json': JSON.stringify(list) };
  await installation.apply(JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data }));
  await until(async () => (await statuses('dream')).every((status) => status === 200));
}, 120_000);

test('of a result of a Message Batch, and none of the names whose results cost what was set aside', async () => {
  const requests = [
    { custom_id: 'a', params: paramsOf({ vision: 1 }, BEYOND) },
    { custom_id: 'b', params: paramsOf({ hunch: 1, model: 'claude-haiku-5-5' }) },
    { custom_id: 'c', params: paramsOf({}) },
  ];
  expect((await post(0, first, { requests }, '/v1/messages/batches')).status).toBe(200);
  await refusedEverywhere('vision');
  const again = await post(1, first, { requests }, '/v1/messages/batches');
  expect([again.status, again.text]).toEqual([400, expect.stringContaining('vision')]);
  expect(await statuses('hunch')).toEqual([200, 200, 200, 200]);
}, 120_000);

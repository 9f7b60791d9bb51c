import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import type { CompiledModels, CompiledWorkspace } from '../../../policy/core/compiled-policy.ts';
import { BATCHES_PATH, batchGateways, item } from './batch-fixture.ts';
import { useGateways } from './fixture.ts';
import { ask, errorOf, message, type Running } from './harness.ts';
import { budget, handover, resolved } from './policies.ts';

const env = useGateways();
const gatewayWith = batchGateways(env, mkdtempSync(join(tmpdir(), 'tollgate-bodies-')));

const HAIKU = 'claude-haiku-5-5';
const SONNET = 'claude-sonnet-5-5';
const OPUS = 'claude-opus-5-5';

const models: CompiledModels = {
  allow: ['claude-*'],
  unknown: 'Refuse',
  restrictions: [
    { name: 'nightly', match: { keys: ['nightly'] }, allow: ['claude-haiku-*', SONNET] },
    { name: 'interns', match: { users: ['intern_*'] }, allow: ['claude-haiku-*'] },
  ],
};
const keys = { api: 'sk-tollgate-api', nightly: 'sk-tollgate-nightly', ada: 'sk-tollgate-ada' };
const INTERN = { 'x-user': 'intern_1' };
const ADA = { 'x-user': 'ada' };
const NIGHTLY = { 'x-api-key': keys.nightly, ...ADA };

let gateway: Running;

/** Of the workspace: who calls, and what they may call. */
const rest = (): Partial<CompiledWorkspace> => ({
  models,
  headers: { user: 'x-user' },
  keys: Object.keys(keys).map((name) => ({
    name,
    priority: 'Normal',
    attributes: name === 'ada' ? { user: 'ada' } : {},
  })),
});

beforeEach(async () => {
  gateway = await gatewayWith({ keys, rest: rest() });
});

type Headers = Readonly<Record<string, string>>;

const call = (model: string, headers: Headers, rest: object = {}) =>
  ask(gateway.url, { headers, body: message({ model, ...rest }) });

describe('a call', () => {
  test.each<[string, number, string, Headers]>([
    ['of another user may use every model', 200, OPUS, ADA],
    ['of a restricted user may use what is left', 200, HAIKU, INTERN],
    ['of a restricted user may use it by its dated name', 200, 'claude-haiku-4-5-20251001', INTERN],
    ['of a restricted user may use no other', 400, SONNET, INTERN],
    ['that names no user is restricted', 400, SONNET, {}],
    ['by a key that fixes another user is not, whatever it claims', 200, OPUS, { 'x-api-key': keys.ada, ...INTERN }],
    ['by a restricted key may use what is left', 200, SONNET, NIGHTLY],
    ['by a restricted key may use no other', 400, OPUS, NIGHTLY],
    ['that meets two restrictions keeps to both', 400, SONNET, { ...NIGHTLY, ...INTERN }],
  ])('%s: %p', async (_name, status, model, headers) => {
    expect((await call(model, headers)).status).toBe(status);
    expect(env.received).toHaveLength(status === 200 ? 1 : 0);
  });

  test('is refused with the restriction, what it allows, and the way out', async () => {
    const refused = await call(OPUS, INTERN);
    expect([refused.status, refused.headers['x-should-retry'], errorOf(refused)]).toMatchObject([
      400,
      'false',
      {
        type: 'policy_blocked',
        message: `Model "${OPUS}" is not allowed for this call in payments/checkout: restriction interns (spec.models.restrictions) matches it and allows only claude-haiku-*. Ask for a model of GET /v1/models.`,
      },
    ]);
    expect(errorOf(await call(OPUS, {})).message).toContain('It matches because the call lacks x-user: send that');
  });

  test('may name no other model as a fallback', async () => {
    const fallbacks = [{ model: SONNET }];
    const beta = { 'anthropic-beta': 'server-side-fallback-2026-06-01' };
    expect(errorOf(await call(HAIKU, { ...INTERN, ...beta }, { fallbacks })).message).toContain('restriction interns');
    expect((await call(HAIKU, { ...ADA, ...beta }, { fallbacks })).status).toBe(200);
  });

  test('keeps to an edit of the restrictions at once', async () => {
    expect((await call(SONNET, ADA)).status).toBe(200);
    const restrictions = [{ name: 'all', match: { keys: ['*'] }, allow: [HAIKU] }];
    const edited = { ...rest(), models: { ...models, restrictions } };
    const budgets = [budget('daily', '25.00')];
    gateway.policy.enforce([
      resolved(handover({ baseURL: gateway.upstreamURL, budgets, keys, rest: edited, version: 2 })),
    ]);
    expect(errorOf(await call(SONNET, ADA)).message).toContain('restriction all');
    expect((await call(HAIKU, ADA)).status).toBe(200);
  });
});

test('count_tokens counts for models that the caller may use', async () => {
  const count = (model: string, headers: Headers) =>
    ask(gateway.url, { path: '/v1/messages/count_tokens', headers, body: message({ model, max_tokens: undefined }) });
  expect((await count(HAIKU, INTERN)).status).toBe(200);
  expect(errorOf(await count(SONNET, INTERN)).message).toContain('restriction interns');
  expect((await count(SONNET, {})).status).toBe(400);
  expect((await count(SONNET, ADA)).status).toBe(200);
  expect((await count(OPUS, NIGHTLY)).status).toBe(400);
});

test('the list of models has those that the caller may use', async () => {
  const listed = async (headers: Headers) => {
    const { text } = await ask(gateway.url, { method: 'GET', path: '/v1/models?limit=1000', headers });
    return (JSON.parse(text) as { data: { id: string }[] }).data.map(({ id }) => id);
  };
  const all = await listed(ADA);
  expect(all).toEqual(expect.arrayContaining([HAIKU, SONNET, OPUS]));
  const haikus = all.filter((id) => id.startsWith('claude-haiku-'));
  expect(await listed(INTERN)).toEqual(haikus);
  expect(await listed({})).toEqual(haikus);
  expect(await listed(NIGHTLY)).toEqual(all.filter((id) => haikus.includes(id) || id === SONNET));

  const one = (id: string, headers: Headers) => ask(gateway.url, { method: 'GET', path: `/v1/models/${id}`, headers });
  expect((await one(HAIKU, INTERN)).status).toBe(200);
  const hidden = await one(OPUS, INTERN);
  expect([hidden.status, errorOf(hidden).message]).toEqual([404, expect.stringContaining('restriction interns')]);
});

test('each request of a batch keeps to the restrictions', async () => {
  const create = (headers: Headers, ...asked: string[]) => {
    const requests = asked.map((model, i) => item(`r${i}`, {}, { model }));
    return ask(gateway.url, { path: BATCHES_PATH, headers, body: JSON.stringify({ requests }) });
  };
  const refused = await create(INTERN, HAIKU, SONNET);
  expect([refused.status, errorOf(refused).message]).toEqual([
    400,
    expect.stringMatching(
      /^requests\[1\]: Model "claude-sonnet-5-5" is not allowed for this call .* restriction interns/,
    ),
  ]);
  expect((await create({}, SONNET)).status).toBe(400);
  expect((await create(NIGHTLY, SONNET, OPUS)).status).toBe(400);
  expect((await create(INTERN, HAIKU)).status).toBe(200);
  expect((await create(ADA, HAIKU, SONNET)).status).toBe(200);
});

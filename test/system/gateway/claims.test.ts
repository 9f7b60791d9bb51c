import { expect, test } from '@jest/globals';
import { readEntry } from '../../../log/call-row.ts';
import type { CompiledWorkspace } from '../../../policy/core/compiled-policy.ts';
import { settled, useGateways } from './fixture.ts';
import { ask, errorOf, message, type Running } from './harness.ts';

const env = useGateways();

const headers = { user: 'x-user', department: 'x-department', project: 'x-project' };
const keys = [{ name: 'api', priority: 'Normal' as const, attributes: { feature: 'checkout', project: 'apollo' } }];
const CLAUDE_CODE = '{"device_id":"0f","account_uuid":"","session_id":"00000000-0000-4000-8000-000000000000"}';

/** What the usage log will say of the only call of a gateway. */
async function logged(gateway: Running) {
  await settled(gateway);
  const [entry] = await gateway.ledger.operator.readUsage(10);
  return { end_user: null, department: null, ...readEntry(entry!).row!.values };
}

async function called(workspace: Partial<CompiledWorkspace>, sent: Readonly<Record<string, string>>, rest = {}) {
  const gateway = await env.gatewayWith({ rest: workspace });
  const answer = await ask(gateway.url, { headers: sent, body: message(rest) });
  expect(answer.status).toBe(200);
  return logged(gateway);
}

const claims = { 'x-user': 'ada', 'x-department': 'search', 'x-project': 'gemini', 'x-tollgate-feature': 'chat' };

test('a caller sets the attributes whose headers the workspace lists, and none of them goes upstream', async () => {
  const open = [{ ...keys[0]!, attributes: { feature: 'checkout' } }];
  expect(await called({ headers, keys: open }, claims)).toMatchObject({
    end_user: 'ada',
    department: 'search',
    feature: 'checkout',
    tags: { project: 'gemini' },
  });
  expect(Object.keys(env.received[0]!.headers).filter((name) => name in claims)).toEqual([]);
});

test('what the credential fixes, a header or a message does not change', async () => {
  const attributes = { user: 'grace', department: 'payments', project: 'apollo' };
  const workspace = { headers, metadataUser: 'Claim' as const, keys: [{ ...keys[0]!, attributes }] };
  const found = await called(workspace, claims, { metadata: { user_id: 'mallory' } });
  expect(found).toMatchObject({ end_user: 'grace', department: 'payments', tags: { project: 'apollo' } });
});

test('a header that the workspace does not list sets nothing', async () => {
  const found = await called({ headers: {}, keys }, claims, { metadata: { user_id: 'ada' } });
  expect(found).toMatchObject({ end_user: null, department: null, tags: { project: 'apollo' } });
});

test.each<[string, Record<string, string>, string, string | null]>([
  ['is the user, in one spelling', {}, 'Mu\u0308ller', 'M\u00fcller'],
  ['yields to the header', { 'x-user': 'ada' }, 'mallory', 'ada'],
  ['of Claude Code names no user', {}, CLAUDE_CODE, null],
  ['that is empty is none', {}, '', null],
])('metadata.user_id %s', async (_, sent, user, expected) => {
  const found = await called({ headers, metadataUser: 'Claim' }, sent, { metadata: { user_id: user } });
  expect(found).toMatchObject({ end_user: expected });
});

test.each<[string, string]>([
  ['257 bytes', 'a'.repeat(257)],
  ['10,000 bytes', 'a'.repeat(10_000)],
  ['a bidi override', 'a\u202eb'],
  ['a control', 'a\u0007b'],
])('metadata.user_id with %s is refused, and only where it counts', async (_, user) => {
  const body = message({ metadata: { user_id: user } });
  const claiming = await env.gatewayWith({ rest: { metadataUser: 'Claim' } });
  const refused = await ask(claiming.url, { body });
  expect([refused.status, errorOf(refused).message]).toEqual([400, expect.stringContaining('metadata.user_id')]);
  expect(env.received).toEqual([]);
  const ignoring = await env.gatewayWith();
  expect((await ask(ignoring.url, { body })).status).toBe(200);
});

test('a restriction of users holds for a call that does not name one in its message', async () => {
  const models = {
    allow: ['claude-*'],
    unknown: 'Refuse' as const,
    restrictions: [{ name: 'interns', match: { users: ['intern_*'] }, allow: ['claude-haiku-*'] }],
  };
  const gateway = await env.gatewayWith({ rest: { models, headers: {}, metadataUser: 'Claim' } });
  const named = (user_id: string) => ask(gateway.url, { body: message({ metadata: { user_id } }) });
  expect((await named('ada')).status).toBe(200);
  expect((await named('intern_1')).status).toBe(400);
  const silent = await ask(gateway.url);
  expect([silent.status, errorOf(silent).message]).toEqual([400, expect.stringContaining('lacks metadata.user_id')]);
});

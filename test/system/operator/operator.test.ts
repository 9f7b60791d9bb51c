import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { nano } from '../../../policy/core/money.ts';
import { budget, condition, conditionOf, Reader, text, workspace } from '../../support/resources.ts';
import { until } from '../../support/until.ts';
import { install, type Installation, NAMESPACE, type Shards, SimulatedGateway } from './harness.ts';

const KEY = '  keys: [{ name: api, secretName: checkout-claude }]';

let here: Installation;
let read: Reader;
let shards: Shards;
let gateway: SimulatedGateway;

beforeAll(async () => {
  here = await install();
  read = new Reader(here);
  ({ shards } = read);
  await here.startOperator('operator-1');
  gateway = new SimulatedGateway(here.redis().url, 'gateway-1', shards);
  gateway.start();
});

afterAll(async () => {
  await gateway?.stop();
  await here?.stop();
});

describe('keys', () => {
  test('a key is a Secret ready for envFrom, and is deleted with its workspace', async () => {
    const ns = await here.tenant();
    await here.apply(workspace(ns, 'checkout', KEY));
    const made = await until(() => read.secret(ns, 'checkout-claude'));
    expect(made.type).toBe('tollgate.dev/key');
    expect(made.metadata.labels).toMatchObject({ 'tollgate.dev/workspace': 'checkout' });
    expect(text(made, 'ANTHROPIC_API_KEY')).toMatch(/^sk-tollgate-[\w-]{43}$/);
    expect(text(made, 'ANTHROPIC_BASE_URL')).toBe('http://gateway.test:8080');
    await until(() => read.isKnown(ns, text(made, 'ANTHROPIC_API_KEY')));
    const { status } = await condition(() => read.workspace(ns), 'Ready', 'False NoBudget');
    expect(status).toMatchObject({ keyCount: 1, keys: [{ name: 'api', secretName: 'checkout-claude' }] });
    await read.event(ns, 'KeyIssued');

    await here.kubectl('delete', 'claudeworkspace', 'checkout', '-n', ns);
    await until(async () => !(await read.isKnown(ns, text(made, 'ANTHROPIC_API_KEY'))));
    await until(async () => (await read.secret(ns, 'checkout-claude')) === undefined);
  });

  test('a key whose Secret is deleted or damaged is replaced, and the old one is revoked', async () => {
    const ns = await here.tenant();
    await here.apply(workspace(ns, 'checkout', KEY));
    const first = await read.key(ns);
    await until(() => read.isKnown(ns, first));
    await here.kubectl('delete', 'secret', 'checkout-claude', '-n', ns);
    const second = await read.key(ns);
    expect(second).not.toBe(first);
    await until(() => read.isKnown(ns, second));
    expect(await read.isKnown(ns, first)).toBe(false);

    const spoil = JSON.stringify({ stringData: { ANTHROPIC_API_KEY: 'sk-tollgate-short', ANTHROPIC_BASE_URL: 'x' } });
    await here.kubectl('patch', 'secret', 'checkout-claude', '-n', ns, '--type=merge', '-p', spoil);
    const third = await until(async () => {
      const secret = await read.secret(ns, 'checkout-claude');
      return /^sk-tollgate-[\w-]{43}$/.test(text(secret, 'ANTHROPIC_API_KEY')) && secret;
    });
    expect(text(third, 'ANTHROPIC_API_KEY')).not.toBe(second);
    expect(text(third, 'ANTHROPIC_BASE_URL')).toBe('http://gateway.test:8080');
    await until(() => read.isKnown(ns, text(third, 'ANTHROPIC_API_KEY')));
  });

  test('a copy of a key in another workspace is replaced and never valid there', async () => {
    const ns = await here.tenant();
    const other = await here.tenant();
    await here.apply(workspace(ns, 'checkout', KEY));
    const original = await read.key(ns);
    await until(() => read.isKnown(ns, original));
    await sleep(1_100); // ages have whole seconds
    await here.apply(workspace(other, 'checkout', KEY));
    await until(() => read.secret(other, 'checkout-claude'));
    const copy = JSON.stringify({ stringData: { ANTHROPIC_API_KEY: original } });
    await here.kubectl('patch', 'secret', 'checkout-claude', '-n', other, '--type=merge', '-p', copy);
    const replaced = await until(async () => {
      const key = text(await read.secret(other, 'checkout-claude'), 'ANTHROPIC_API_KEY');
      return key !== original && key;
    });
    await until(() => read.isKnown(other, replaced));
    expect(await read.isKnown(other, original)).toBe(false);
    expect(await read.isKnown(ns, original)).toBe(true);
  });

  test('a key that the workspace no longer names is revoked', async () => {
    const ns = await here.tenant();
    await here.apply(workspace(ns, 'checkout', KEY));
    const key = await read.key(ns);
    await until(() => read.isKnown(ns, key));
    await here.apply(workspace(ns, 'checkout', '  keys: [{ name: api, secretName: renamed }]'));
    const renamed = await read.key(ns, 'renamed');
    await until(async () => (await read.secret(ns, 'checkout-claude')) === undefined);
    await until(() => read.isKnown(ns, renamed));
    expect(await read.isKnown(ns, key)).toBe(false);
  });

  test('a Secret that Tollgate did not make is never changed', async () => {
    const ns = await here.tenant();
    await here.kubectl('create', 'secret', 'generic', 'checkout-claude', '-n', ns, '--from-literal=mine=1');
    const before = await read.secret(ns, 'checkout-claude');
    await here.apply(workspace(ns, 'checkout', KEY));
    await condition(() => read.workspace(ns), 'Accepted', 'False SecretConflict');
    expect(await read.secret(ns, 'checkout-claude')).toEqual(before);
    await here.kubectl('delete', 'secret', 'checkout-claude', '-n', ns);
    await condition(() => read.workspace(ns), 'Accepted', 'True Accepted');
  });

  test('of two workspaces that name one Secret the older gets it, unless the younger has it already', async () => {
    const ns = await here.tenant();
    await here.apply(workspace(ns, 'checkout', '  keys: [{ name: api, secretName: own }]'));
    await until(() => read.secret(ns, 'own'));
    await sleep(1_100); // ages have whole seconds
    await here.apply(workspace(ns, 'younger', KEY));
    const youngerKey = await read.key(ns);
    await until(() => read.isKnown(ns, youngerKey, 'younger'));
    await here.apply(workspace(ns, 'checkout', KEY));
    await condition(() => read.workspace(ns), 'Accepted', 'False SecretConflict');
    expect(await read.key(ns)).toBe(youngerKey);
    expect(await read.isKnown(ns, youngerKey, 'younger')).toBe(true);
    await condition(() => read.workspace(ns, 'younger'), 'Accepted', 'True Accepted');
    await sleep(1_100);
    await here.apply(workspace(ns, 'youngest', KEY));
    await condition(() => read.workspace(ns, 'youngest'), 'Accepted', 'False SecretConflict');

    await here.kubectl('delete', 'claudeworkspace', 'younger', '-n', ns);
    await condition(() => read.workspace(ns), 'Accepted', 'True Accepted');
    expect(conditionOf(await read.workspace(ns, 'youngest'), 'Accepted')).toBe('False SecretConflict');
    const olderKey = await until(async () => {
      const key = await read.key(ns);
      return key !== youngerKey && (await read.isKnown(ns, key)) && key;
    });
    expect(olderKey).toMatch(/^sk-tollgate-/);
  });
});

describe('policy', () => {
  test('after a rejected edit the last accepted generation and its keys stay in force', async () => {
    const ns = await here.tenant();
    const ref = `${ns}/checkout`;
    await here.apply(workspace(ns, 'checkout', KEY) + budget(ns));
    await condition(() => read.budget(ns), 'Ready', 'True Ready');
    const before = (await shards.policy(ref)).workspaces.get(ref);
    const key = text(await read.secret(ns, 'checkout-claude'), 'ANTHROPIC_API_KEY');

    await here.apply(`
apiVersion: tollgate.dev/v1alpha1
kind: ClaudeWorkspace
metadata: { name: checkout, namespace: ${ns} }
spec:
  upstream: { baseURL: "https://elsewhere.example", apiKeySecretRef: { name: anthropic } }
  keys: []
`);
    const rejected = await condition(() => read.workspace(ns), 'Accepted', 'False UpstreamNotAllowed');
    expect(conditionOf(rejected, 'Ready')).toBe('False NotAccepted');
    expect((await shards.policy(ref)).workspaces.get(ref)).toEqual(before);
    expect(await read.isKnown(ns, key)).toBe(true);
    expect(text(await read.secret(ns, 'checkout-claude'), 'ANTHROPIC_API_KEY')).toBe(key);
    await read.event(ns, 'PolicyRejected');
    expect(conditionOf(await read.budget(ns), 'Ready')).toBe('True Ready');

    await here.apply(workspace(ns));
    await condition(() => read.workspace(ns), 'Accepted', 'True Accepted');
    await until(async () => (await read.secret(ns, 'checkout-claude')) === undefined);
    await until(async () => !(await read.isKnown(ns, key)));
  });

  test('each mistake has its condition, and is accepted once it is corrected', async () => {
    const ns = await here.tenant();
    await here.kubectl('delete', 'secret', 'anthropic', '-n', ns);
    await here.apply(workspace(ns) + budget(ns) + budget(ns, 'lost', '1.00', 'workspaceRef: { name: nobody }'));
    await condition(() => read.workspace(ns), 'Accepted', 'False SecretNotFound');
    await condition(() => read.budget(ns), 'Programmed', 'False WorkspaceNotAccepted');
    await condition(() => read.budget(ns, 'lost'), 'Accepted', 'False WorkspaceNotFound');
    await here.apply(budget(ns, 'spanning', '1.00', 'namespaceSelector: {}'));
    await condition(() => read.budget(ns, 'spanning'), 'Accepted', 'False SpanningNotAllowed');

    await here.kubectl('create', 'secret', 'generic', 'anthropic', '-n', ns, '--from-literal=api-key=sk-ant-x');
    await condition(() => read.workspace(ns), 'Accepted', 'False SecretTypeWrong');
    await here.kubectl('delete', 'secret', 'anthropic', '-n', ns);
    const type = '--type=tollgate.dev/upstream-key';
    await here.kubectl('create', 'secret', 'generic', 'anthropic', '-n', ns, type, '--from-literal=other=sk-ant-x');
    await condition(() => read.workspace(ns), 'Accepted', 'False SecretKeyMissing');
    const right = JSON.stringify({ stringData: { 'api-key': 'sk-ant-x' } });
    await here.kubectl('patch', 'secret', 'anthropic', '-n', ns, '--type=merge', '-p', right);
    await condition(() => read.workspace(ns), 'Ready', 'True Ready');
    await condition(() => read.budget(ns), 'Ready', 'True Ready');

    await here.kubectl('delete', 'secret', 'anthropic', '-n', ns);
    await condition(() => read.workspace(ns), 'Accepted', 'False SecretNotFound');
    const entry = await until(async () => {
      const found = (await shards.keys(`${ns}/checkout`)).credentials.get(`${ns}/checkout`);
      return found?.credentials.upstreamKey === null && found;
    });
    expect(entry.credentials.upstreamSecret.name).toBe('anthropic');
  });

  test('a spanning budget applies by the current labels of namespaces', async () => {
    const team = `t${Date.now()}`;
    const [one, two] = [await here.tenant({ team }), await here.tenant()];
    await here.apply(workspace(one) + workspace(two));
    const selector = `namespaceSelector: { matchLabels: { team: ${team} } }`;
    await here.apply(budget(NAMESPACE, 'company', '1000.00', selector));
    const governs = async (namespace: string) =>
      (await read.workspace(namespace)).status?.budgets?.includes(`${NAMESPACE}/company`) === true;
    await until(() => governs(one));
    expect(await governs(two)).toBe(false);
    const first = await condition(() => read.budget(NAMESPACE, 'company'), 'Ready', 'True Ready');
    expect(first.status?.workspace).toBe('1 workspace');
    await here.kubectl('label', 'namespace', two, `team=${team}`);
    await until(() => governs(two));
    await until(async () => (await read.budget(NAMESPACE, 'company')).status?.workspace === '2 workspaces');
    await here.kubectl('label', 'namespace', one, 'team-');
    await until(async () => !(await governs(one)));
    const shared = await shards.shared();
    expect([...shared.budgets.values()].map(({ name }) => name)).toContain('company');
    await here.kubectl('delete', 'claudebudget', 'company', '-n', NAMESPACE);
    await until(async () => !(await governs(two)));
    await until(async () => [...(await shards.shared()).budgets.values()].every(({ name }) => name !== 'company'));
  });

  test('Programmed is True once the fence is raised and every gateway enforces the edit', async () => {
    const ns = await here.tenant();
    const ref = `${ns}/checkout`;
    const second = new SimulatedGateway(here.redis().url, 'gateway-2', shards);
    second.start();
    try {
      await here.apply(workspace(ns) + budget(ns));
      await condition(() => read.budget(ns), 'Programmed', 'True Programmed');
      const before = (await shards.policy(ref)).workspaces.get(ref)!;
      second.isLagging = true;
      await here.apply(budget(ns, 'daily', '20.00'));
      const pending = await condition(() => read.budget(ns), 'Programmed', 'False Pending');
      expect(conditionOf(pending, 'Ready')).toBe('False NotProgrammed');
      await until(async () => JSON.stringify((await read.budget(ns)).status?.conditions).includes('gateway-2'));
      const after = (await shards.policy(ref)).workspaces.get(ref)!;
      expect(after.version).toBeGreaterThan(before.version);
      expect(after.budgets[0]?.limitNano).toBe(20_000_000_000n);
      expect((await gateway.ledger.operator.fences()).get(ref)).toBe(after.version);
      second.isLagging = false;
      await condition(() => read.budget(ns), 'Programmed', 'True Programmed');
    } finally {
      await second.stop();
    }
  });

  test('UpstreamAccepted is False while a gateway reports that the upstream refuses the key, and names its Secret', async () => {
    const ns = await here.tenant();
    await here.apply(workspace(ns) + budget(ns));
    await condition(() => read.workspace(ns), 'UpstreamAccepted', 'True UpstreamAccepted');
    gateway.refusedKeys = [{ workspace: `${ns}/checkout`, status: 401 }];
    const refused = await condition(() => read.workspace(ns), 'UpstreamAccepted', 'False UpstreamKeyRefused');
    const { message } = refused.status!.conditions!.find(({ type }) => type === 'UpstreamAccepted')!;
    expect(message).toContain('The upstream answered 401 to the upstream key');
    expect(message).toContain('Secret anthropic, key api-key.');
    await read.event(ns, 'UpstreamKeyRefused');
    gateway.refusedKeys = [];
    await condition(() => read.workspace(ns), 'UpstreamAccepted', 'True UpstreamAccepted');
    await read.event(ns, 'UpstreamKeyAccepted');
  });

  test('a deleted budget or workspace is removed from the shards, and no policy that had it is admitted again', async () => {
    const ns = await here.tenant();
    const ref = `${ns}/checkout`;
    await here.apply(workspace(ns) + budget(ns));
    await condition(() => read.budget(ns), 'Ready', 'True Ready');
    const before = (await shards.policy(ref)).workspaces.get(ref)!;
    await here.kubectl('delete', 'claudebudget', 'daily', '-n', ns);
    await condition(() => read.workspace(ns), 'Ready', 'False NoBudget');
    const after = (await shards.policy(ref)).workspaces.get(ref)!;
    expect(after.budgets).toEqual([]);
    await until(async () => (await gateway.ledger.operator.fences()).get(ref)! > before.version);
    await here.kubectl('delete', 'claudeworkspace', 'checkout', '-n', ns);
    await until(async () => (await shards.policy(ref)).workspaces.get(ref) === undefined);
    await until(async () => !(await gateway.ledger.operator.fences()).has(ref));
    // A gateway comes back that was away since.
    const { ledger } = gateway;
    const asked = { workspace: ref, version: after.version, worstNano: nano(1n), gapNano: nano(0n) };
    const answer = await ledger.gateway.reserve({
      ...asked,
      id: 'late',
      from: 0,
      until: Date.now() + 60_000,
      checks: [],
    });
    expect(answer.kind).toBe('stale');
  });
});

import { randomBytes } from 'node:crypto';
import { expect, test } from '@jest/globals';
import type { ClaudeWorkspace } from '../../../../crds/types.gen.ts';
import type { Secret } from '../../../../kube/kinds.ts';
import { type KubeObject, keyOf, type Resource } from '../../../../kube/object.ts';
import { CallerKeyIndex } from '../../../../operator/keys/caller-key-index.ts';
import { keySecret, keyText } from '../../../../operator/keys/key-secret.ts';
import { KeysReconciler, type KeysOptions } from '../../../../operator/keys/keys-reconciler.ts';
import { hash } from '../../../system/operator/harness.ts';

const gatewayURL = 'http://gateway.test:8080';
const key = { name: 'api', secretName: 'checkout-claude', attributes: {}, priority: 'Normal' as const };

// Not tested on a real API server: its garbage collector deletes such a Secret within a second.
test('the key in a Secret whose owner is a workspace of another namespace is not valid', () => {
  const checkout = workspace();
  const [own, forged] = [keyText(randomBytes(32)), keyText(randomBytes(32))];
  const made = madeAs('1', keySecret(checkout, key, own, gatewayURL));
  const foreign = madeAs('2', keySecret(checkout, key, forged, gatewayURL), 'strangers');
  const keys = new CallerKeyIndex(informersOf({ workspaces: [checkout], keySecrets: [made, foreign] }), hash);
  expect([...keys.hashes()]).toEqual([['payments/checkout', { api: hash(own) }]]);
});

test('many thousands of Secrets that a tenant made for its workspace are all read', () => {
  const checkout = workspace();
  const keySecrets = Array.from({ length: 15_000 }, (_, i) =>
    madeAs(
      `uid-${i}`,
      keySecret(checkout, { ...key, name: `k${i}`, secretName: `s${i}` }, keyText(randomBytes(32)), gatewayURL),
    ),
  );
  const keys = new CallerKeyIndex(informersOf({ workspaces: [checkout], keySecrets }), hash);
  expect(keys.valid.size).toBe(15_000);
  expect(Object.keys(keys.hashes().get('payments/checkout')!)).toHaveLength(15_000);
});

test.each([
  ['a Secret of another namespace that names the workspace as its owner', 'strangers', undefined],
  ['a Secret whose owner is an object of another API with its uid', 'payments', 'other.dev/v1'],
])('%s is neither deleted nor told about in an Event of the workspace', async (_, namespace, apiVersion) => {
  const checkout = workspace();
  const forged = madeAs(
    '2',
    keySecret(checkout, { ...key, secretName: 'forged' }, keyText(randomBytes(32)), ''),
    namespace,
  );
  const { ownerReferences: [owner] = [] } = forged.metadata;
  const ownerReferences = [{ ...owner!, ...(apiVersion === undefined ? {} : { apiVersion }) }];
  const keySecrets = [{ ...forged, metadata: { ...forged.metadata, ownerReferences } }];
  const done: string[] = [];
  const informers = informersOf({ workspaces: [checkout], keySecrets });
  const keys = new KeysReconciler({
    client: {
      create: async () => undefined,
      delete: async (_resource: Resource, { name }: { name: string }) => void done.push(`deleted ${name}`),
    },
    informers,
    callerKeys: new CallerKeyIndex(informers, hash),
    policy: { isInForce: () => true },
    events: { keyIssued: () => undefined, keyRevoked: (_one: unknown, secret: string) => void done.push(secret) },
    gatewayURL,
    randomBytes,
  } as unknown as KeysOptions);
  await keys.reconcile('payments/checkout');
  expect(done).toEqual([]);
});

test('of thousands of Secrets that a tenant made for its workspace, a pass deletes some and asks for another', async () => {
  const checkout = workspace();
  const count = 1_200;
  const left = new Map<string, Secret>();
  for (const name of [key.secretName, ...Array.from({ length: count }, (_, i) => `forged-${i}`)]) {
    const secret = keySecret(checkout, { ...key, secretName: name }, keyText(randomBytes(32)), gatewayURL);
    left.set(name, madeAs(name, secret));
  }
  const passes: number[] = [];
  for (let isWhole = false; !isWhole; passes.push(count + 1 - left.size)) {
    const informers = informersOf({ workspaces: [checkout], keySecrets: [...left.values()] });
    const keys = reconcilerWith(informers, {
      delete: async (_resource: Resource, { name }: { name: string }) => void left.delete(name),
    });
    isWhole = await keys.reconcile('payments/checkout');
  }
  expect(passes).toEqual([500, 1_000, 1_200]);
  expect([...left.keys()]).toEqual([key.secretName]);
});

test('two keys that name one Secret get none, and take nobody else’s, until one has another name', async () => {
  const twice = workspace();
  const keys = [key, { ...key, name: 'web' }, { ...key, name: 'batch', secretName: 'batch-claude' }];
  const created: Secret[] = [];
  const both = { ...twice, spec: { ...twice.spec, keys } };
  await reconcilerOver({ workspaces: [both], namespaces: [] }, created).reconcile('payments/checkout');
  expect(created.map(({ metadata }) => metadata.name)).toEqual(['batch-claude']);
});

// The API server refuses to create objects in a namespace that is being deleted, so each attempt would be logged as a failure.
test.each([
  ['a workspace', workspace({ deletionTimestamp: '2026-11-23T12:00:00Z' }), undefined],
  ['a namespace', workspace(), '2026-11-23T12:00:00Z'],
  ['nothing', workspace(), undefined],
])('no Secret is created for a key while %s is being deleted', async (what, checkout, deletionTimestamp) => {
  const created: Secret[] = [];
  const namespaces = [{ metadata: { name: 'payments', deletionTimestamp } } as KubeObject];
  const keys = reconcilerOver({ workspaces: [checkout], namespaces }, created);
  expect(await keys.reconcile('payments/checkout')).toBe(true);
  expect(created.map(({ metadata }) => metadata.name)).toEqual(what === 'nothing' ? ['checkout-claude'] : []);
});

function workspace(metadata: Partial<ClaudeWorkspace['metadata']> = {}): ClaudeWorkspace {
  return {
    metadata: { namespace: 'payments', name: 'checkout', uid: 'one', ...metadata },
    spec: { keys: [key] },
  } as unknown as ClaudeWorkspace;
}

function madeAs(uid: string, secret: Secret, namespace = secret.metadata.namespace): Secret {
  return { ...secret, metadata: { ...secret.metadata, uid, namespace } };
}

interface Objects {
  readonly workspaces: readonly ClaudeWorkspace[];
  readonly keySecrets?: readonly Secret[];
  readonly namespaces?: readonly KubeObject[];
}

function informersOf({ workspaces, keySecrets = [], namespaces = [] }: Objects): KeysOptions['informers'] {
  const cacheOf = (objects: readonly KubeObject[]) => ({
    get: (name: string) => objects.find(({ metadata }) => keyOf(metadata) === name),
    values: () => objects,
  });
  return {
    workspaces: cacheOf(workspaces),
    keySecrets: cacheOf(keySecrets),
    namespaces: cacheOf(namespaces),
  } as unknown as KeysOptions['informers'];
}

function reconcilerOver(objects: Objects, created: Secret[]): KeysReconciler {
  const client = { create: async (_resource: Resource, secret: Secret) => void created.push(secret) };
  return reconcilerWith(informersOf(objects), client);
}

function reconcilerWith(informers: KeysOptions['informers'], client: object): KeysReconciler {
  return new KeysReconciler({
    client,
    informers,
    callerKeys: new CallerKeyIndex(informers, hash),
    policy: { isInForce: () => true },
    events: { keyIssued: () => undefined, keyRevoked: () => undefined },
    gatewayURL,
    randomBytes,
  } as unknown as KeysOptions);
}

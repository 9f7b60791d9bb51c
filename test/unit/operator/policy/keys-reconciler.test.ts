import { randomBytes } from 'node:crypto';
import { expect, test } from '@jest/globals';
import type { ClaudeWorkspace } from '../../../../crds/types.gen.ts';
import { type KubeObject, keyOf, type Resource } from '../../../../kube/object.ts';
import type { Secret } from '../../../../operator/cluster/kube-kinds.ts';
import { keySecret, keyText } from '../../../../operator/policy/key-secret.ts';
import { KeysReconciler, type KeysOptions } from '../../../../operator/policy/keys-reconciler.ts';
import { hash } from '../../../system/operator/harness.ts';

const gatewayURL = 'http://gateway.test:8080';
const key = { name: 'api', secretName: 'checkout-claude', attributes: {}, priority: 'Normal' as const };

// The garbage collector removes such a Secret within a second, too soon to be sure on a real API server what it did.
test('a Secret that names a workspace of another namespace as its owner opens nothing', () => {
  const checkout = workspace();
  const [own, forged] = [keyText(randomBytes(32)), keyText(randomBytes(32))];
  const made = madeAs('1', keySecret(checkout, key, own, gatewayURL));
  const foreign = madeAs('2', keySecret(checkout, key, forged, gatewayURL), 'strangers');
  const keys = keysOver({ workspaces: [checkout], keySecrets: [made, foreign] });
  expect([...keys.hashes()]).toEqual([['payments/checkout', { api: hash(own) }]]);
});

// The API server refuses what is created in a namespace that ends: the log would fill with it.
test.each([
  ['a workspace', workspace({ deletionTimestamp: '2026-11-23T12:00:00Z' }), undefined],
  ['a namespace', workspace(), '2026-11-23T12:00:00Z'],
  ['nothing', workspace(), undefined],
])(
  'no key is made anew while its Secret goes first: %s is being deleted',
  async (what, checkout, deletionTimestamp) => {
    const created: Secret[] = [];
    const namespaces = [{ metadata: { name: 'payments', deletionTimestamp } } as KubeObject];
    const keys = keysOver({ workspaces: [checkout], namespaces }, created);
    expect(await keys.reconcile('payments/checkout')).toBe(true);
    expect(created.map(({ metadata }) => metadata.name)).toEqual(what === 'nothing' ? ['checkout-claude'] : []);
  },
);

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

function keysOver({ workspaces, keySecrets = [], namespaces = [] }: Objects, created: Secret[] = []): KeysReconciler {
  const cacheOf = (objects: readonly KubeObject[]) => ({
    get: (name: string) => objects.find(({ metadata }) => keyOf(metadata) === name),
    values: () => objects,
  });
  return new KeysReconciler({
    client: { create: async (_resource: Resource, secret: Secret) => void created.push(secret) },
    world: {
      workspaces: cacheOf(workspaces),
      keySecrets: cacheOf(keySecrets),
      namespaces: cacheOf(namespaces),
    },
    gatewayURL,
    hash,
    randomBytes,
    isInForce: () => true,
    onIssued: () => undefined,
  } as unknown as KeysOptions);
}

import { randomBytes } from 'node:crypto';
import { expect, test } from '@jest/globals';
import type { ClaudeWorkspace } from '../../crds/types.gen.ts';
import { type KubeObject, keyOf } from '../../kube/object.ts';
import { Keys, type KeysOptions } from '../../operator/keys.ts';
import { keySecret, keyText } from '../../operator/keysecret.ts';
import type { Secret } from '../../operator/resources.ts';
import { hash } from './harness.ts';

const gatewayURL = 'http://gateway.test:8080';

// The garbage collector removes such a Secret within a second, too soon to be sure on a real API server what it did.
test('a Secret that names a workspace of another namespace as its owner opens nothing', () => {
  const key = { name: 'api', secretName: 'checkout-claude', attributes: {}, priority: 'Normal' as const };
  const checkout = {
    metadata: { namespace: 'payments', name: 'checkout', uid: 'one' },
    spec: { keys: [key] },
  } as unknown as ClaudeWorkspace;
  const [own, forged] = [keyText(randomBytes(32)), keyText(randomBytes(32))];
  const made = madeAs('1', keySecret(checkout, key, own, gatewayURL));
  const foreign = madeAs('2', keySecret(checkout, key, forged, gatewayURL), 'strangers');
  expect([...keysOver([checkout], [made, foreign]).hashes()]).toEqual([['payments/checkout', { api: hash(own) }]]);
});

function madeAs(uid: string, secret: Secret, namespace = secret.metadata.namespace): Secret {
  return { ...secret, metadata: { ...secret.metadata, uid, namespace } };
}

function keysOver(workspaces: readonly ClaudeWorkspace[], keySecrets: readonly Secret[]): Keys {
  const cacheOf = <T extends KubeObject>(objects: readonly T[]) => ({
    get: (key: string) => objects.find(({ metadata }) => keyOf(metadata) === key),
    values: () => objects,
  });
  const world = { workspaces: cacheOf(workspaces), keySecrets: cacheOf(keySecrets) };
  return new Keys({ world, gatewayURL, hash, randomBytes } as unknown as KeysOptions);
}

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { budget, condition, Reader, text, workspace } from '../../support/resources.ts';
import { until } from '../../support/until.ts';
import { install, type Installation } from './harness.ts';

const KEYS = `  keys:
  - { name: api, secretName: checkout-claude }
  - { name: other, secretName: denied-claude }
  - { name: last, secretName: last-claude }`;

/** Refuses Secrets by name, as a rule of Kyverno or Gatekeeper does. */
const RULE = `apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: { name: secret-names }
spec:
  matchConstraints:
    resourceRules: [{ apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [secrets] }]
  validations: [{ expression: "!object.metadata.name.startsWith('denied-')", message: 'no Secret is called denied here' }]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: { name: secret-names }
spec: { policyName: secret-names, validationActions: [Deny] }`;

let here: Installation;
let read: Reader;

beforeAll(async () => {
  here = await install();
  read = new Reader(here);
  await here.startOperator('operator-1');
}, 300_000);

afterAll(async () => {
  await here?.stop();
});

test('a Secret that may not be written is named in Ready with what the API server said, and the others are made', async () => {
  await here.apply(RULE);
  const ns = await here.tenant();
  await here.apply(workspace(ns, 'checkout', KEYS) + budget(ns));
  await until(() => read.secret(ns, 'last-claude'));
  await until(() => read.secret(ns, 'checkout-claude'));
  await read.event(ns, 'KeySecretDenied');
  const { status } = await condition(() => read.workspace(ns), 'Ready', 'False KeySecretDenied');
  const { message } = status!.conditions!.find(({ type }) => type === 'Ready')!;
  expect(message).toMatch(/denied-claude of key other.*no Secret is called denied here/);

  await here.kubectl('delete', 'validatingadmissionpolicybinding', 'secret-names');
  await until(() => read.secret(ns, 'denied-claude'), 90_000);
  await until(async () => !JSON.stringify((await read.workspace(ns)).status).includes('KeySecretDenied'));
}, 240_000);

test('a Secret that a backup restored without its owner is adopted, and its key goes on working', async () => {
  const ns = await here.tenant();
  const own = workspace(ns, 'checkout', '  keys: [{ name: api, secretName: checkout-claude }]');
  await here.apply(own);
  const key = await read.key(ns);
  await until(() => read.isKnown(ns, key));
  await here.kubectl('delete', 'claudeworkspace', 'checkout', '-n', ns);
  await until(async () => (await read.secret(ns, 'checkout-claude')) === undefined);

  const labels = '{ tollgate.dev/workspace: checkout, tollgate.dev/key: api, velero.io/restore-name: r1 }';
  await here.apply(`apiVersion: v1
kind: Secret
metadata: { name: checkout-claude, namespace: ${ns}, labels: ${labels} }
type: tollgate.dev/key
stringData: { ANTHROPIC_API_KEY: ${key}, ANTHROPIC_BASE_URL: 'http://gateway.test:8080' }`);
  await here.apply(own);
  await until(() => read.isKnown(ns, key));
  const adopted = await read.secret(ns, 'checkout-claude');
  expect(text(adopted, 'ANTHROPIC_API_KEY')).toBe(key);
  expect(adopted!.metadata.ownerReferences?.[0]?.uid).toBe((await read.workspace(ns)).metadata.uid);
  await condition(() => read.workspace(ns), 'Accepted', 'True Accepted');

  // Another tenant that knows the key cannot bring it in the same way.
  const other = await here.tenant();
  await here.apply(`apiVersion: v1
kind: Secret
metadata: { name: checkout-claude, namespace: ${other}, labels: ${labels} }
type: tollgate.dev/key
stringData: { ANTHROPIC_API_KEY: ${key}, ANTHROPIC_BASE_URL: 'http://gateway.test:8080' }`);
  await here.apply(workspace(other, 'checkout', '  keys: [{ name: api, secretName: checkout-claude }]'));
  await condition(() => read.workspace(other), 'Accepted', 'False SecretConflict');
  expect(await read.isKnown(other, key)).toBe(false);
}, 240_000);

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

/** Lets nobody delete Secrets by name. */
const KEPT = `apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: { name: kept-secrets }
spec:
  matchConstraints:
    resourceRules: [{ apiGroups: [''], apiVersions: [v1], operations: [DELETE], resources: [secrets] }]
  validations: [{ expression: "!oldObject.metadata.name.startsWith('kept-')", message: 'no kept Secret is deleted here' }]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: { name: kept-secrets }
spec: { policyName: kept-secrets, validationActions: [Deny] }`;

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

test('a quota that is full lets the keys before it be made, and the others once it is raised', async () => {
  const ns = await here.tenant();
  await here.apply(`apiVersion: v1
kind: ResourceQuota
metadata: { name: secrets, namespace: ${ns} }
spec: { hard: { count/secrets: "2" } }`);
  // The API server's own admission keeps it; no controller runs here that would count what there is.
  const allow = (hard: string, used: string) => {
    const status = { hard: { 'count/secrets': hard }, used: { 'count/secrets': used } };
    const patch = ['--subresource=status', '--type=merge', '-p', JSON.stringify({ status })];
    return here.kubectl('patch', 'resourcequota', 'secrets', '-n', ns, ...patch);
  };
  await allow('2', '1');
  await here.apply(workspace(ns, 'checkout', KEYS) + budget(ns));
  const { status } = await condition(() => read.workspace(ns), 'Ready', 'False KeySecretDenied');
  const { message } = status!.conditions!.find(({ type }) => type === 'Ready')!;
  expect(message).toMatch(/not let Tollgate write Secret denied-claude of key other: .*exceeded quota: secrets/);
  expect(message).toMatch(/Secret last-claude of key last: .*exceeded quota/);
  const key = await read.key(ns);
  await until(() => read.isKnown(ns, key));

  await allow('10', '2');
  await until(() => read.secret(ns, 'last-claude'), 90_000);
  await until(async () => !JSON.stringify((await read.workspace(ns)).status).includes('KeySecretDenied'));
}, 240_000);

test('an immutable Secret that would have to change is named, its key works on, and new keys are made', async () => {
  const ns = await here.tenant();
  await here.apply(workspace(ns, 'checkout', '  keys: [{ name: api, secretName: checkout-claude }]') + budget(ns));
  const key = await read.key(ns);
  const frozen = { immutable: true, stringData: { ANTHROPIC_BASE_URL: 'http://before.test:8080' } };
  await here.kubectl('patch', 'secret', 'checkout-claude', '-n', ns, '--type=merge', '-p', JSON.stringify(frozen));
  const { status } = await condition(() => read.workspace(ns), 'Ready', 'False KeySecretDenied');
  expect(status!.conditions!.find(({ type }) => type === 'Ready')!.message).toMatch(
    /not let Tollgate write Secret checkout-claude of key api: .*immutable/,
  );
  await here.apply(workspace(ns, 'checkout', KEYS));
  const last = await read.key(ns, 'last-claude');
  await until(() => read.isKnown(ns, last));
  expect(await read.isKnown(ns, key)).toBe(true);

  await here.kubectl('delete', 'secret', 'checkout-claude', '-n', ns);
  await until(async () => ![key, ''].includes(text(await read.secret(ns, 'checkout-claude'), 'ANTHROPIC_API_KEY')));
  await until(async () => !JSON.stringify((await read.workspace(ns)).status).includes('KeySecretDenied'));
}, 240_000);

test('a Secret that may not be deleted is named, its key is refused, and the key of its name works by the new one', async () => {
  const ns = await here.tenant();
  await here.apply(KEPT);
  // Its name comes after the new one's, so that it is read last.
  const before = '  keys: [{ name: api, secretName: kept-claude }, { name: gone, secretName: kept-too }]';
  await here.apply(workspace(ns, 'checkout', before) + budget(ns));
  const [old, gone] = [await read.key(ns, 'kept-claude'), await read.key(ns, 'kept-too')];
  await until(async () => (await read.isKnown(ns, old)) && (await read.isKnown(ns, gone)));
  await until(async () => {
    const tried = here.kubectl('delete', 'secret', 'kept-claude', '-n', ns, '--dry-run=server');
    return tried.then(
      () => false,
      () => true,
    );
  });
  await here.apply(workspace(ns, 'checkout', '  keys: [{ name: api, secretName: checkout-claude }]'));
  const { status } = await condition(() => read.workspace(ns), 'Ready', 'False KeySecretDenied');
  expect(status!.conditions!.find(({ type }) => type === 'Ready')!.message).toMatch(
    /not let Tollgate delete Secret kept-claude, whose key is refused already: .*no kept Secret is deleted here.*Secret kept-too/,
  );
  const renamed = await read.key(ns);
  await until(() => read.isKnown(ns, renamed));
  expect([await read.isKnown(ns, old), await read.isKnown(ns, gone)]).toEqual([false, false]);

  await here.kubectl('delete', 'validatingadmissionpolicybinding', 'kept-secrets');
  await until(async () => (await read.secret(ns, 'kept-claude')) === undefined, 90_000);
  await until(async () => (await read.secret(ns, 'kept-too')) === undefined);
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

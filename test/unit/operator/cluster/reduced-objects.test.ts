import { expect, test } from '@jest/globals';
import type { ClaudeBudget, ClaudeWorkspace } from '../../../../crds/types.gen.ts';
import type { Secret } from '../../../../kube/kinds.ts';
import {
  reducedBudget,
  reducedKeySecret,
  reducedNamespace,
  reducedUpstreamSecret,
  reducedWorkspace,
} from '../../../../operator/cluster/reduced-objects.ts';

const MEBIBYTE = 2 ** 20;
const fat = 'x'.repeat(MEBIBYTE);
const identity = {
  namespace: 'payments',
  name: 'a',
  uid: 'u',
  resourceVersion: '7',
  creationTimestamp: '2026-01-01T00:00:00Z',
};
const metadata = {
  ...identity,
  labels: { note: fat },
  annotations: { 'kubectl.kubernetes.io/last-applied-configuration': fat },
  ownerReferences: Array.from({ length: 50 }, () => ({ apiVersion: 'v1', kind: 'ConfigMap', name: fat, uid: 'x' })),
};
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const sizeOf = (object: unknown): number => JSON.stringify(object).length;

test('of an upstream Secret of 1 MiB the values stay that can be a key', () => {
  const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`z${i}`, base64('another one')]));
  const data = { 'a-large-one': base64(fat), 'api-key': base64('sk-ant-1'), ...many };
  const kept = reducedUpstreamSecret({ metadata, type: 'tollgate.dev/upstream-key', data });
  expect(sizeOf(kept)).toBeLessThan(50_000);
  expect(kept).toMatchObject({ metadata: identity, type: 'tollgate.dev/upstream-key' });
  expect(kept.data!['api-key']).toBe(base64('sk-ant-1'));
  expect(Buffer.from(kept.data!['a-large-one']!, 'base64').length).toBeGreaterThan(4_096);
});

test('of a key Secret its key stays, and whose it is', () => {
  const owner = {
    apiVersion: 'tollgate.dev/v1alpha1',
    kind: 'ClaudeWorkspace',
    name: 'app',
    uid: 'w',
    controller: true,
  };
  const secret: Secret = {
    metadata: {
      ...metadata,
      labels: { ...metadata.labels, 'tollgate.dev/workspace': 'app', 'tollgate.dev/key': 'api' },
      ownerReferences: [...metadata.ownerReferences, owner],
    },
    type: 'tollgate.dev/key',
    data: { ANTHROPIC_API_KEY: base64('sk'), ANTHROPIC_BASE_URL: base64('http://gateway'), other: base64(fat) },
  };
  expect(reducedKeySecret(secret)).toEqual({
    metadata: {
      ...identity,
      labels: { 'tollgate.dev/workspace': 'app', 'tollgate.dev/key': 'api' },
      ownerReferences: [owner],
    },
    type: 'tollgate.dev/key',
    data: { ANTHROPIC_API_KEY: base64('sk'), ANTHROPIC_BASE_URL: base64('http://gateway') },
  });
});

test('of a namespace the labels stay', () => {
  expect(reducedNamespace({ metadata: { ...metadata, labels: { team: 'a' } } })).toEqual({
    metadata: { ...identity, labels: { team: 'a' } },
  });
});

const values = Array.from({ length: 64 }, (_, i) => `${i}`.padEnd(1_000, 'x'));
const budgetWith = (scope: object): ClaudeBudget =>
  ({
    metadata,
    spec: {
      workspaceRef: { name: 'app' },
      scope,
      per: ['customer'],
      limit: { usd: '5.00', toleranceUsd: '0', overrides: [{ values: ['x'], usd: '1.00' }] },
      grants: [{ usd: '1.00', untilTime: '2027-01-01T00:00:00Z' }],
      period: { every: 'Day', timeZone: 'UTC' },
      mode: 'Enforce',
      whenSpent: { exempt: { features: ['a'] }, criticalExtraUsd: '0' },
      suspend: true,
    },
    status: { spentUsd: '1.00' },
  }) as unknown as ClaudeBudget;

test('a budget of ordinary size loses only labels, annotations and owners', () => {
  const budget = budgetWith({ features: values.slice(0, 8) });
  expect(reducedBudget(budget)).toEqual({ ...budget, metadata: identity });
});

test('of a budget that is too large what refuses and limits stays', () => {
  const { spec, cutBytes } = reducedBudget(budgetWith({ features: values, customers: values }));
  expect(cutBytes).toBeGreaterThan(128_000);
  expect(spec).toMatchObject({ suspend: true, limit: { usd: '5.00', overrides: [] }, scope: {}, grants: [] });
  expect(spec.whenSpent.exempt).toBeUndefined();
});

test('of a workspace that is too large everything stays but attributes and restrictions', () => {
  const attributes = Object.fromEntries(values.slice(0, 16).map((value, i) => [`t${i}`, value]));
  const keys = Array.from({ length: 32 }, (_, i) => ({ name: `k${i}`, secretName: `s${i}`, attributes }));
  const restrictions = [{ name: 'interns', match: { users: values }, allow: ['claude-haiku-*'] }];
  const models = { allow: ['claude-*'], unknown: 'Refuse', restrictions };
  const workspace = { metadata, spec: { attributes, keys, models, suspend: true } } as unknown as ClaudeWorkspace;
  const { spec, cutBytes } = reducedWorkspace(workspace);
  expect(cutBytes).toBeGreaterThan(500_000);
  expect(spec.suspend).toBe(true);
  expect(spec.models).toEqual({ ...models, restrictions: [] });
  expect(spec.keys[31]).toEqual({ name: 'k31', secretName: 's31', attributes: {} });
});

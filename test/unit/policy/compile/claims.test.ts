import { expect, test } from '@jest/globals';
import { compile } from '../../../../policy/compile/compile.ts';
import { EMPTY, namespacesOf, stored } from './stored.ts';

/** How a workspace with this spec is compiled, beside a budget for each user or run, of $1. */
function compiled(spec: object, { per = ['user'], ...total }: { per?: string[]; totalUsd?: string } = {}) {
  const workspace = stored({
    kind: 'ClaudeWorkspace',
    metadata: { namespace: 'payments', name: 'checkout', generation: 1 },
    spec: { upstream: { apiKeySecretRef: { name: 'anthropic' } }, keys: [{ name: 'api', secretName: 'api' }], ...spec },
  } as { kind: 'ClaudeWorkspace' });
  const budget = stored({
    kind: 'ClaudeBudget',
    metadata: { namespace: 'payments', name: 'users', generation: 1 },
    spec: { workspaceRef: { name: 'checkout' }, per, limit: { usd: '1.00', ...total }, period: { every: 'Day' } },
  } as { kind: 'ClaudeBudget' });
  const secret = { type: 'tollgate.dev/upstream-key', data: { 'api-key': 'sk-ant' } };
  const output = compile({
    ...EMPTY,
    workspaces: [workspace],
    budgets: [budget],
    namespaces: namespacesOf({ payments: {} }),
    upstreamSecrets: new Map([['payments/anthropic', secret]]),
  });
  const { headers, metadataUser } = output.workspaces.get('payments/checkout')!.inForce!;
  return { headers, metadataUser, budget: output.budgets.get('payments/users')!.accepted.reason };
}

test('headers of tags are headers of attributes', () => {
  const headers = { department: 'x-department', tags: { project: 'x-project', tier: 'x-tier' } };
  expect(compiled({ headers })).toEqual({
    headers: { department: 'x-department', project: 'x-project', tier: 'x-tier' },
    metadataUser: undefined,
    budget: 'Accepted',
  });
});

test('a user that messages name is one that callers set, so that a budget for each needs a total', () => {
  expect(compiled({ headers: {}, requests: { metadataUser: 'Claim' } })).toEqual({
    headers: {},
    metadataUser: 'Claim',
    budget: 'Unpooled',
  });
});

test('a session is one too, in every workspace', () => {
  expect(compiled({ headers: {} }, { per: ['session'] }).budget).toBe('Unpooled');
  expect(compiled({ headers: {} }, { per: ['session', 'agent'], totalUsd: '9.00' }).budget).toBe('Accepted');
});

import { expect, test } from '@jest/globals';
import type { CompileInput } from '../../../../policy/compile/compile-input.ts';
import type { CompileOutput } from '../../../../policy/compile/compile-output.ts';
import { compile } from '../../../../policy/compile/compile.ts';
import { COMPILED_SCHEMA } from '../../../../policy/core/compiled-policy.ts';
import type { ShardData } from '../../../../policy/shards/shard-format.ts';
import { carriedOut, EMPTY, namespacesOf, NOW, sha256, stored } from './stored.ts';

const OLD = COMPILED_SCHEMA - 1;

/** Schema 3 added them. */
const withoutUids = (text: string): string => text.replace(/,"(?:uid|namespaceUid)":"[^"]*"/g, '');

/** The same entries as the operator of the schema before wrote them. */
function inOldSchema(data: ShardData): ShardData {
  const { index, ...given } = data;
  const entries = Object.fromEntries(Object.entries(given).map(([name, text]) => [name, withoutUids(text)]));
  const { revision } = JSON.parse(index!) as { revision: number };
  const sorted = Object.entries(entries).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const checksum = sha256(JSON.stringify([OLD, revision, sorted]));
  return { ...entries, index: JSON.stringify({ schema: OLD, revision, checksum }) };
}

const workspace = (spec: object = {}) =>
  stored({
    kind: 'ClaudeWorkspace',
    metadata: { namespace: 'payments', name: 'checkout', generation: 1 },
    spec: { upstream: { apiKeySecretRef: { name: 'anthropic' } }, ...spec },
  } as { kind: 'ClaudeWorkspace' });

const input: CompileInput = {
  ...EMPTY,
  workspaces: [workspace()],
  upstreamSecrets: new Map([['payments/anthropic', { type: 'tollgate.dev/upstream-key', data: { 'api-key': 'sk' } }]]),
};

/** What an operator of the schema before left in the cluster. */
function leftByOldOperator(output: CompileOutput): Pick<CompileInput, 'previous' | 'fences'> {
  const shards = output.shards.map((shard) => ({ ...shard, data: inOldSchema(shard.data) }));
  return carriedOut({ ...output, shards });
}

test('what the schema before holds stays in force, also of a resource that is not accepted any more', () => {
  const before = leftByOldOperator(compile(input));
  const refused = workspace({
    upstream: { baseURL: 'https://elsewhere.example', apiKeySecretRef: { name: 'anthropic' } },
  });
  const outcome = compile({ ...input, ...before, workspaces: [refused] }).workspaces.get('payments/checkout')!;
  expect([outcome.accepted.reason, outcome.inForce?.generation]).toEqual(['UpstreamNotAllowed', 1]);
  expect(outcome.inForce).toMatchObject({ uid: 'uid-of-checkout', namespaceUid: 'uid-of-payments' });
});

test('every shard of the schema before is written again, empty ones too', () => {
  const first = compile(input);
  const again = compile({ ...input, ...leftByOldOperator(first), now: NOW + 1 });
  expect(again.shards.map(({ name }) => name)).toEqual(first.shards.map(({ name }) => name));
  expect(again.shards.map(({ data }) => JSON.parse(data['index']!).schema)).toEqual(
    first.shards.map(() => COMPILED_SCHEMA),
  );
});

test('a spanning budget of a form that is refused now stays in force as it was, and in workspaces that are new', () => {
  const budget = stored({
    kind: 'ClaudeBudget',
    metadata: { namespace: 'tollgate-system', name: 'company', generation: 1 },
    spec: { namespaceSelector: {}, per: ['department'], limit: { usd: '10.00' }, period: { every: 'Day' } },
  } as { kind: 'ClaudeBudget' });
  const settings = { ...EMPTY.settings, namespaceAttributes: { department: 'acme.io/department' } };
  const namespaces = namespacesOf({ payments: {} });
  const accepted = compile({ ...input, settings, namespaces, budgets: [budget] });
  const old = leftByOldOperator({
    ...accepted,
    shards: accepted.shards.map((shard) => ({
      ...shard,
      data: Object.fromEntries(
        Object.entries(shard.data).map(([name, text]) => [name, text.replace(/"spanning":\{[^}]*\}[^}]*\},/, '')]),
      ),
    })),
  });
  expect([...old.previous.shared!.budgets.values()].map(({ name, spanning }) => [name, spanning])).toEqual([
    ['company', undefined],
  ]);
  const another = { ...workspace(), metadata: { namespace: 'payments', name: 'late', generation: 1 } };
  const output = compile({ ...input, ...old, namespaces, budgets: [budget], workspaces: [workspace(), another] });
  const { accepted: finding, inForce } = output.budgets.get('tollgate-system/company')!;
  expect([finding.reason, inForce?.per, inForce?.spanning]).toEqual(['Unpooled', ['department'], undefined]);
  expect([...output.workspaces.values()].map(({ budgets }) => budgets.map(({ name }) => name))).toEqual([
    ['company'],
    ['company'],
  ]);
});

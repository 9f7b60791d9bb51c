import { describe, expect, test } from '@jest/globals';
import type { ClaudeBudget } from '../../../../crds/types.gen.ts';
import type { CompileInput } from '../../../../policy/compile/compile-input.ts';
import type { CompileOutput } from '../../../../policy/compile/compile-output.ts';
import { compile } from '../../../../policy/compile/compile.ts';
import { carriedOut, EMPTY, namespacesOf, stored } from './stored.ts';

const CHECKOUT = 'payments/checkout';

/** A budget whose age is its number: the lowest is the oldest. */
function budget(prefix: string, age: number, target: object): ClaudeBudget {
  const isSpanning = 'namespaceSelector' in target;
  return stored({
    kind: 'ClaudeBudget',
    metadata: {
      namespace: isSpanning ? 'tollgate-system' : 'payments',
      name: `${prefix}-${999 - age}`, // names must not decide
      generation: 1,
      creationTimestamp: new Date(Date.parse('2026-01-01T00:00:00Z') + age * 1000).toISOString(),
    },
    spec: { limit: { usd: '1.00' }, period: { every: 'Day' }, ...target },
  } as { kind: 'ClaudeBudget' });
}

const own = (count: number): ClaudeBudget[] =>
  Array.from({ length: count }, (_, age) => budget('own', age, { workspaceRef: { name: 'checkout' } }));
const spanning = (count: number, selector: object = {}): ClaudeBudget[] =>
  Array.from({ length: count }, (_, age) => budget('company', 100 + age, { namespaceSelector: selector }));

function input(budgets: readonly ClaudeBudget[]): CompileInput {
  const workspace = (namespace: string) =>
    stored({
      kind: 'ClaudeWorkspace',
      metadata: { namespace, name: 'checkout', generation: 1 },
      spec: { upstream: { apiKeySecretRef: { name: 'anthropic' } } },
    } as { kind: 'ClaudeWorkspace' });
  const secret = { type: 'tollgate.dev/upstream-key', data: { 'api-key': 'sk-ant' } };
  const namespaces = ['payments', 'search'];
  return {
    ...EMPTY,
    workspaces: namespaces.map(workspace),
    budgets,
    namespaces: namespacesOf(Object.fromEntries(namespaces.map((name) => [name, { team: name }]))),
    upstreamSecrets: new Map(namespaces.map((name) => [`${name}/anthropic`, secret])),
  };
}

const refused = ({ budgets }: CompileOutput): string[] =>
  [...budgets].flatMap(([ref, { accepted }]) => (accepted.reason === 'TooManyBudgets' ? ref : []));
const applied = (output: CompileOutput, workspace = CHECKOUT): string[] =>
  output.workspaces.get(workspace)!.budgets.map(({ name }) => name);

describe('the budgets of a workspace', () => {
  test('are at most 64: the oldest stay, and the others are not in force and say so', () => {
    const output = compile(input(own(67)));
    expect(applied(output)).toHaveLength(64);
    expect(refused(output)).toEqual(['payments/own-933', 'payments/own-934', 'payments/own-935']);
    expect(output.budgets.get('payments/own-933')).toMatchObject({
      inForce: null,
      accepted: {
        message:
          'spec.workspaceRef: at most 64 budgets apply to a workspace, and 0 spanning ones and 64 older ones of its own apply to payments/checkout; so this one is not in force. Delete one of them, or let one budget with spec.per replace several.',
      },
    });
  });

  test('are first the spanning ones: a tenant with 5,000 budgets keeps none of them out', () => {
    const output = compile(input([...own(5_000), ...spanning(32)]));
    const names = applied(output);
    expect(names.filter((name) => name.startsWith('company'))).toHaveLength(32);
    expect(names.filter((name) => name.startsWith('own'))).toEqual(
      own(32)
        .map(({ metadata }) => metadata.name)
        .toSorted(),
    );
  });

  test('are at most 32 spanning ones, the oldest, in each workspace that they select', () => {
    const late = spanning(34, { matchLabels: { team: 'payments' } }).slice(32);
    const output = compile(input([...spanning(31), ...late, ...own(1)]));
    expect([applied(output), applied(output, 'search/checkout')].map((names) => names.length)).toEqual([33, 31]);
    expect(refused(output)).toEqual(['tollgate-system/company-866']);
    expect(output.budgets.get('tollgate-system/company-866')).toMatchObject({
      inForce: { name: 'company-866' },
      required: [],
      accepted: {
        message:
          '32 older spanning budgets apply to payments/checkout, and no more may; so this one does not apply to 1 of the 1 workspaces that it selects. Delete a spanning budget, or select fewer namespaces.',
      },
    });
  });

  test('leave and enter with the older ones, and compiling again changes nothing', () => {
    const first = carriedOut(compile(input(own(64))));
    const more = compile({ ...input([...own(66), ...spanning(2)]), ...first });
    expect(refused(more)).toHaveLength(4);
    const second = carriedOut(more, first);
    expect(compile({ ...input([...own(66), ...spanning(2)]), ...second }).shards).toEqual([]);
    const fewer = compile({ ...input(own(66).slice(2)), ...second });
    expect([refused(fewer), applied(fewer).length]).toEqual([[], 64]);
  });
});

test('a spanning budget whose edit has no room applies to what its last form selects and to what the edit selects', () => {
  const models = (count: number) => ({ models: Array.from({ length: count }, (_, i) => `${i}-`.padEnd(128, 'x')) });
  const fat = Array.from({ length: 58 }, (_, age) =>
    budget('fat', age, { namespaceSelector: { matchLabels: { team: 'none' } }, scope: models(64) }),
  );
  const of = (team: string, usd: string, scope: object) =>
    budget('company', 500, { namespaceSelector: { matchLabels: { team } }, limit: { usd }, scope });
  const before = carriedOut(compile(input([...fat, of('payments', '9.00', {})])), EMPTY);
  const output = compile({ ...input([...fat, of('search', '5.00', models(64))]), ...before });
  expect(output.budgets.get('tollgate-system/company-499')!.accepted.reason).toBe('TooLarge');
  for (const workspace of ['payments/checkout', 'search/checkout']) {
    expect(output.workspaces.get(workspace)!.budgets).toMatchObject([
      { name: 'company-499', limitNano: 5_000_000_000n },
    ]);
  }
});

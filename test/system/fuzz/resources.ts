import fc from 'fast-check';
import { compile } from '../../../policy/compile/compile.ts';
import { carriedOut, EMPTY, namespacesOf, stored } from '../../unit/policy/compile/stored.ts';
import { fuzzTarget } from './fuzz.ts';

const text = fc.oneof(
  fc.constantFrom('department', 'namespace', 'customer', 'a', '*', '', '25.00', '0', '-1'),
  fc.string(),
);
const texts = fc.array(text, { maxLength: 3 });
const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 6, arbitrary: value }, { weight: 3, arbitrary: fc.constant(undefined) }, fc.anything());

/** Specs that look like a budget's in most of their fields, and like anything in some. */
const budgetSpec = fc.record({
  workspaceRef: maybe(fc.record({ name: fc.constantFrom('app', 'other') })),
  namespaceSelector: maybe(fc.constantFrom({}, { matchLabels: { team: 'a' } })),
  scope: maybe(
    fc.record(
      { departments: texts, keys: texts, models: texts, tags: fc.dictionary(text, texts) },
      { requiredKeys: [] },
    ),
  ),
  per: maybe(fc.array(text, { maxLength: 2 })),
  limit: maybe(fc.record({ usd: text, totalUsd: text }, { requiredKeys: ['usd'] })),
  period: maybe(
    fc.record({ every: fc.constantFrom('Day', 'Once', 'Never'), timeZone: fc.constantFrom('UTC', 'Mars/Olympus') }),
  ),
  whenSpent: maybe(fc.record({ exempt: fc.anything(), criticalExtraUsd: text }, { requiredKeys: [] })),
  disclosure: maybe(fc.constantFrom('Name', 'Percent', 'Amounts')),
});

const given = (spec: object): object =>
  Object.fromEntries(Object.entries(spec).filter(([, value]) => value !== undefined));

/** Any spec has an outcome with a sentence, breaks no other resource, and compiles to the same again over what it wrote. */
export const resources = fuzzTarget(
  'resources',
  fc.record({
    budget: budgetSpec,
    workspace: fc.anything(),
    namespace: fc.constantFrom('payments', 'tollgate-system'),
  }),
  ({ budget, workspace, namespace }) => {
    const metadata = (name: string, inside: string) => ({ namespace: inside, name, generation: 1 });
    const app = { upstream: { apiKeySecretRef: { name: 'anthropic' } } };
    const key = { type: 'tollgate.dev/upstream-key', data: { 'api-key': 'sk-ant' } };
    const input = {
      ...EMPTY,
      namespaces: namespacesOf({ payments: { team: 'a' }, 'tollgate-system': {} }),
      upstreamSecrets: new Map([['payments/anthropic', key]]),
      workspaces: [
        stored({ kind: 'ClaudeWorkspace', metadata: metadata('app', 'payments'), spec: app } as {
          kind: 'ClaudeWorkspace';
        }),
        { kind: 'ClaudeWorkspace', metadata: metadata('wild', 'payments'), spec: workspace } as never,
      ],
      budgets: [
        stored({ kind: 'ClaudeBudget', metadata: metadata('wild', namespace), spec: given(budget) } as {
          kind: 'ClaudeBudget';
        }),
      ],
    };
    const output = compile(input);
    const outcomes = [...output.workspaces.values(), ...output.budgets.values()];
    if (outcomes.length !== 3) throw new Error('a resource has no outcome');
    for (const { accepted } of outcomes)
      if (accepted.message.length < 10) throw new Error(`no sentence: ${accepted.message}`);
    if (output.workspaces.get('payments/app')?.accepted.reason !== 'Accepted')
      throw new Error('another resource suffers');
    const again = compile({ ...input, ...carriedOut(output) });
    if (again.shards.length > 0) throw new Error('compiling again changes what was written');
  },
);

import { describe, expect, test } from '@jest/globals';
import type { ClaudeBudget } from '../../../../crds/types.gen.ts';
import type { CompileInput } from '../../../../policy/compile/compile-input.ts';
import { compile } from '../../../../policy/compile/compile.ts';
import { parseSettings } from '../../../../policy/config/settings.ts';
import { carriedOut, EMPTY, namespacesOf, NOW, stored } from './stored.ts';

const DEPARTMENT = 'acme.io/department';
const settings = parseSettings({ shards: 1, namespaceAttributes: { department: DEPARTMENT } });

const workspace = (namespace: string, generation = 1, spec: object = {}) =>
  stored({
    kind: 'ClaudeWorkspace',
    metadata: { namespace, name: 'app', generation },
    spec: { upstream: { apiKeySecretRef: { name: 'anthropic' } }, ...spec },
  } as { kind: 'ClaudeWorkspace' });

const spanning = (spec: object, generation = 1): ClaudeBudget =>
  stored({
    kind: 'ClaudeBudget',
    metadata: { namespace: 'tollgate-system', name: 'company', generation },
    spec: { namespaceSelector: {}, limit: { usd: '10.00' }, period: { every: 'Day' }, ...spec },
  } as { kind: 'ClaudeBudget' });

const upstreamKey = { type: 'tollgate.dev/upstream-key', data: { 'api-key': 'sk-ant' } };

const input = (changes: Partial<CompileInput> = {}): CompileInput => ({
  ...EMPTY,
  settings,
  workspaces: [workspace('payments')],
  namespaces: namespacesOf({ payments: { [DEPARTMENT]: 'sales' }, search: {} }),
  upstreamSecrets: new Map(['payments', 'search'].map((namespace) => [`${namespace}/anthropic`, upstreamKey])),
  ...changes,
});

const outcomeOf = (spec: object, changes: Partial<CompileInput> = {}) =>
  compile(input({ budgets: [spanning(spec)], ...changes })).budgets.get('tollgate-system/company')!;

describe('a spanning budget', () => {
  const FIX =
    'Fix it by a label of namespaces (setting namespaceAttributes), or select namespaces by spec.namespaceSelector.';
  test.each([
    [
      'a key in its scope',
      { scope: { keys: ['api'] } },
      'Invalid: spec.scope.keys: remove it; tenants name their keys themselves. Select namespaces by spec.namespaceSelector.',
    ],
    [
      'an attribute that tenants choose in its scope',
      { scope: { departments: ['sales'], features: ['chat'] } },
      `Invalid: spec.scope.features: tenants choose the feature of their calls, so they could leave the budget. ${FIX}`,
    ],
    [
      'a tag that tenants choose in its scope',
      { scope: { tags: { tier: ['gold'] } } },
      `Invalid: spec.scope.tags.tier: tenants choose the tier of their calls, so they could leave the budget. ${FIX}`,
    ],
    [
      'counters that tenants open, without a total',
      { per: ['department', 'customer'] },
      'Unpooled: spec.per: tenants choose the customer of their calls, so each could open new counters. Set spec.limit.totalUsd, or fix it by a label of namespaces (setting namespaceAttributes).',
    ],
    [
      'a higher limit for a value that tenants choose',
      { per: ['customer'], limit: { usd: '10.00', totalUsd: '90.00', overrides: [{ values: ['acme'], usd: '11' }] } },
      'Invalid: spec.limit.overrides[0]: tenants choose the customer of their calls, so each could use a higher limit. Write at most spec.limit.usd, or fix it by a label of namespaces (setting namespaceAttributes).',
    ],
    [
      'figures of values that tenants choose',
      { per: ['customer'], limit: { usd: '10.00', totalUsd: '90.00' }, disclosure: 'Percent' },
      "Invalid: spec.disclosure: write Name; tenants choose the customer of their calls, so each could see the figures of another's. Or fix it by a label of namespaces (setting namespaceAttributes).",
    ],
    [
      'exemptions',
      { whenSpent: { exempt: { departments: ['sales'] } } },
      'Invalid: spec.whenSpent.exempt: remove it; tenants choose the attributes of their keys, so each could exempt its own calls.',
    ],
    [
      'more for critical keys',
      { whenSpent: { criticalExtraUsd: '0.01' } },
      'Invalid: spec.whenSpent.criticalExtraUsd: remove it; tenants choose the priority of their keys, so each could spend it.',
    ],
  ])('is not accepted with %s', (_what, spec, sentence) => {
    const { accepted, inForce } = outcomeOf(spec);
    expect(`${accepted.reason}: ${accepted.message}`).toBe(sentence);
    expect(inForce).toBeNull();
  });

  test.each([
    [
      'models and what the platform fixes in its scope',
      { scope: { models: ['claude-*'], departments: ['sales'], tags: { namespace: ['payments'] } } },
    ],
    ['a counter for each value that the platform fixes', { per: ['namespace', 'department'], disclosure: 'Amounts' }],
    [
      'a higher limit for a value that the platform fixes',
      { per: ['department'], limit: { usd: '10.00', overrides: [{ values: ['sales'], usd: '20.00' }] } },
    ],
    [
      'a total over counters that tenants open',
      { per: ['customer'], limit: { usd: '10.00', totalUsd: '90.00', overrides: [{ values: ['acme'], usd: '1' }] } },
    ],
    ['nothing more for critical keys', { whenSpent: { criticalExtraUsd: '0.00' } }],
  ])('is accepted with %s', (_what, spec) => {
    expect(outcomeOf(spec).accepted.message).toBe('The resource is valid.');
  });

  test('shows its name only, unless it says otherwise', () => {
    expect(outcomeOf({}).inForce?.spanning).toEqual({ selector: {}, disclosure: 'Name' });
    expect(outcomeOf({ disclosure: 'Percent' }).inForce?.spanning?.disclosure).toBe('Percent');
  });

  test('applies to a workspace that is made after a bad edit, by its last accepted selector', () => {
    const selector = { namespaceSelector: { matchLabels: { [DEPARTMENT]: 'sales' } } };
    const before = carriedOut(compile(input({ budgets: [spanning(selector)], workspaces: [] })));
    const bad = spanning({ namespaceSelector: { matchLabels: { team: 'x' } }, scope: { features: ['x'] } }, 2);
    const namespaces = namespacesOf({ payments: { [DEPARTMENT]: 'sales' }, search: { team: 'x' } });
    const workspaces = [workspace('payments'), workspace('search')];
    const output = compile(input({ ...before, budgets: [bad], namespaces, workspaces }));
    expect(output.budgets.get('tollgate-system/company')).toMatchObject({
      accepted: { reason: 'Invalid' },
      inForce: { generation: 1 },
    });
    expect(output.workspaces.get('payments/app')!.budgets.map(({ name }) => name)).toEqual(['company']);
    expect(output.workspaces.get('search/app')!.budgets).toEqual([]);
  });

  test('stays in force with its values closed after the setting that fixed them is gone', () => {
    const spec = { per: ['department'], scope: { departments: ['sales'] } };
    const before = carriedOut(compile(input({ budgets: [spanning(spec)] })));
    const output = compile(input({ ...before, budgets: [spanning(spec)], settings: parseSettings({ shards: 1 }) }));
    expect(output.budgets.get('tollgate-system/company')).toMatchObject({
      accepted: { reason: 'Invalid' },
      inForce: { per: ['department'] },
    });
  });
});

describe('a budget of one workspace', () => {
  const own = (spec: object): string => {
    const all = { workspaceRef: { name: 'app' }, limit: { usd: '1' }, period: { every: 'Day' }, ...spec };
    const metadata = { namespace: 'payments', name: 'own', generation: 1 };
    const budget = stored({ kind: 'ClaudeBudget', metadata, spec: all } as { kind: 'ClaudeBudget' });
    return compile(input({ budgets: [budget] })).budgets.get('payments/own')!.accepted.message;
  };

  test('has no disclosure, and no counters by namespace', () => {
    expect(own({ disclosure: 'Name' })).toBe(
      'spec.disclosure: remove it; callers see all figures of their own budgets.',
    );
    expect(own({ per: ['namespace'] })).toBe('spec.per: leave out namespace; all calls of the budget have the same.');
  });

  test('needs no total for what the platform fixes, although a header carries it', () => {
    const fixed = parseSettings({ shards: 1, namespaceAttributes: { customer: 'acme.io/customer' } });
    const metadata = { namespace: 'payments', name: 'own', generation: 1 };
    const spec = { workspaceRef: { name: 'app' }, per: ['customer'], limit: { usd: '1' }, period: { every: 'Day' } };
    const budget = stored({ kind: 'ClaudeBudget', metadata, spec } as { kind: 'ClaudeBudget' });
    const workspaces = [workspace('payments', 1, { keys: [{ name: 'api', secretName: 'api' }] })];
    const reasonUnder = (settings: CompileInput['settings']) =>
      compile(input({ budgets: [budget], workspaces, settings })).budgets.get('payments/own')!.accepted.reason;
    expect([reasonUnder(settings), reasonUnder(fixed)]).toEqual(['Unpooled', 'Accepted']);
  });
});

describe('the attributes of a namespace', () => {
  const inForce = (changes: Partial<CompileInput>) => compile(input(changes)).workspaces.get('payments/app')!.inForce!;

  test('come from its labels, and are empty without one', () => {
    expect(inForce({}).namespaceAttributes).toEqual({ department: 'sales', namespace: 'payments' });
    expect(inForce({ namespaces: namespacesOf({ payments: {} }) }).namespaceAttributes).toEqual({
      department: '',
      namespace: 'payments',
    });
  });

  test('change with a label, under a new version and fence, also of a workspace whose edit is not accepted', () => {
    const first = compile(input());
    const before = carriedOut(first);
    const namespaces = namespacesOf({ payments: { [DEPARTMENT]: 'legal' } });
    for (const workspaces of [
      [workspace('payments')],
      [
        workspace('payments', 2, {
          upstream: { baseURL: 'https://x.example', apiKeySecretRef: { name: 'anthropic' } },
        }),
      ],
    ]) {
      const output = compile(input({ ...before, namespaces, workspaces, now: NOW + 1 }));
      const { inForce: now } = output.workspaces.get('payments/app')!;
      expect(now).toMatchObject({ generation: 1, namespaceAttributes: { department: 'legal' } });
      expect(now!.version).toBeGreaterThan(first.workspaces.get('payments/app')!.inForce!.version);
      expect(output.fences.get('payments/app')).toBe(now!.version);
    }
  });
});

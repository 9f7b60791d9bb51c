import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { ClaudeBudget, ClaudeWorkspace } from '../../../../crds/types.gen.ts';
import { CompileCache } from '../../../../policy/compile/compile-cache.ts';
import type { CompileInput } from '../../../../policy/compile/compile-input.ts';
import type { CompileOutput } from '../../../../policy/compile/compile-output.ts';
import { compile } from '../../../../policy/compile/compile.ts';
import { goldenOutput } from './golden.ts';
import { BOOK, carriedOut, EMPTY, namespacesOf, NOW, stored } from './stored.ts';

const FOLDER = new URL('./golden/', import.meta.url);
const names = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.in.yaml'))
  .map((file) => file.replace(/\.in\.yaml$/, ''));

describe('golden files', () => {
  test.each(names)('%s', (name) => {
    const output = goldenOutput(readFileSync(new URL(`${name}.in.yaml`, FOLDER), 'utf8'));
    const golden = new URL(`${name}.out.yaml`, FOLDER);
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(golden, output);
    expect(output).toBe(readFileSync(golden, 'utf8'));
  });

  test('exist, each with its output', () => {
    expect(names.length).toBeGreaterThan(5);
    const outputs = readdirSync(FOLDER).filter((file) => file.endsWith('.out.yaml'));
    expect(outputs.map((file) => file.replace(/\.out\.yaml$/, ''))).toEqual(names);
  });
});

const NAMESPACES = ['payments', 'search', 'tollgate-system'];
const short = fc.constantFrom('a', 'b', 'c');
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined });
const usd = fc.constantFrom('0.50', '25.00', '007', '99999999.999999999');
const attribute = fc.constantFrom('feature', 'customer', 'user', 'department', 'cost-center');
const attributes = fc.dictionary(attribute, short, { maxKeys: 2 });
const metadata = fc.record({
  namespace: fc.constantFrom(...NAMESPACES),
  name: fc.constantFrom('one', 'two', 'three'),
  generation: fc.integer({ min: 1, max: 3 }),
});
const scope = fc.record(
  {
    features: fc.array(short, { minLength: 1 }),
    keys: fc.array(short, { minLength: 1 }),
    tags: fc.dictionary(short, fc.array(short)),
  },
  { requiredKeys: [] },
);

const workspace: fc.Arbitrary<ClaudeWorkspace> = fc
  .record({
    metadata,
    upstream: fc.record({
      baseURL: fc.constantFrom('https://api.anthropic.com', 'https://elsewhere.example', 'no URL'),
      apiKeySecretRef: fc.record({ name: fc.constantFrom('anthropic', 'wrong', 'gone') }),
    }),
    attributes,
    keys: fc.uniqueArray(fc.record({ name: short, secretName: short, attributes }), {
      selector: ({ name }) => name,
      maxLength: 3,
    }),
    headers: fc.constantFrom({}, { customer: 'x-customer' }),
    guards: fc.record({ maxRequestUsd: usd, maxInputTokens: fc.nat() }, { requiredKeys: [] }),
    suspend: fc.boolean(),
  })
  .map(({ metadata, ...spec }) => stored({ kind: 'ClaudeWorkspace', metadata, spec } as { kind: 'ClaudeWorkspace' }));

const budget: fc.Arbitrary<ClaudeBudget> = fc
  .record({
    metadata,
    workspaceRef: maybe(fc.record({ name: fc.constantFrom('one', 'two', 'four') })),
    namespaceSelector: maybe(fc.constantFrom({}, { matchLabels: { team: 'payments' } })),
    scope,
    per: fc.uniqueArray(attribute, { maxLength: 2 }),
    limit: fc.record(
      { usd, totalUsd: usd, overrides: fc.array(fc.record({ values: fc.array(short), usd }), { maxLength: 2 }) },
      { requiredKeys: ['usd'] },
    ),
    grants: fc.array(fc.record({ usd, untilTime: fc.constantFrom('2026-12-01T00:00:00Z', '2026-13-01T00:00:00Z') }), {
      maxLength: 1,
    }),
    period: fc.record({
      every: fc.constantFrom('Hour', 'Day', 'Once'),
      timeZone: fc.constantFrom('UTC', 'Asia/Kolkata', 'Mars/Olympus'),
    }),
    suspend: fc.boolean(),
  })
  .map(({ metadata, workspaceRef, namespaceSelector, ...spec }) =>
    stored({
      kind: 'ClaudeBudget',
      metadata,
      spec: { ...spec, ...(workspaceRef && { workspaceRef }), ...(namespaceSelector && { namespaceSelector }) },
    } as { kind: 'ClaudeBudget' }),
  );

const byRef = ({ metadata }: ClaudeWorkspace | ClaudeBudget): string => `${metadata.namespace}/${metadata.name}`;
const applied = fc
  .record({
    workspaces: fc.uniqueArray(workspace, { selector: byRef, maxLength: 5 }),
    budgets: fc.uniqueArray(budget, { selector: byRef, maxLength: 5 }),
  })
  .map(({ workspaces, budgets }): CompileInput => {
    const types = { anthropic: 'tollgate.dev/upstream-key', wrong: 'Opaque' };
    const secrets = NAMESPACES.flatMap((namespace) =>
      Object.entries(types).map(
        ([name, type]) => [`${namespace}/${name}`, { type, data: { 'api-key': 'sk-ant' } }] as const,
      ),
    );
    return {
      ...EMPTY,
      workspaces,
      budgets,
      namespaces: namespacesOf(Object.fromEntries(NAMESPACES.map((name) => [name, { team: name }]))),
      upstreamSecrets: new Map(secrets),
      callerKeys: new Map(workspaces.map((one) => [byRef(one), { a: '1', b: '2', c: '3' }])),
    };
  });

const text = (output: CompileOutput): string =>
  JSON.stringify(output, (_name, value: unknown) =>
    typeof value === 'bigint' ? `${value}n` : value instanceof Map ? [...value] : value,
  );

describe('compile', () => {
  test('is deterministic: the order of the input does not matter', () => {
    fc.assert(
      fc.property(applied, (input) => {
        const reversed = {
          ...input,
          workspaces: input.workspaces.toReversed(),
          budgets: input.budgets.toReversed(),
          namespaces: new Map([...input.namespaces].toReversed()),
          upstreamSecrets: new Map([...input.upstreamSecrets].toReversed()),
        };
        expect(text(compile(reversed))).toBe(text(compile(input)));
      }),
    );
  });

  test('is idempotent: over its own output it writes nothing, and has the same outcomes', () => {
    fc.assert(
      fc.property(applied, applied, (first, second) => {
        const before = carriedOut(compile(first));
        const output = compile({ ...second, ...before });
        const again = compile({ ...second, ...carriedOut(output, before), now: NOW + 1 });
        expect([again.shards, [...again.fences], [...again.gone]]).toEqual([[], [], []]);
        const written = { shards: [], fences: new Map(), gone: new Map() };
        expect(text({ ...again, ...written })).toBe(text({ ...output, ...written }));
      }),
    );
  });

  test('has the same output with a cache that earlier compilations filled', () => {
    const cache = new CompileCache();
    fc.assert(
      fc.property(applied, applied, (first, second) => {
        const output = compile(first, cache);
        expect(text(output)).toBe(text(compile(first)));
        const next = { ...second, ...carriedOut(output), budgets: [...first.budgets.slice(0, 1), ...second.budgets] };
        expect(text(compile(next, cache))).toBe(text(compile(next)));
        expect(text(compile(first, cache))).toBe(text(output));
      }),
    );
  });

  test('never removes protection by an edit: a budget that is not accepted keeps its last form and workspaces', () => {
    fc.assert(
      fc.property(applied, applied, (first, second) => {
        const output = compile(first);
        const later = compile({ ...second, ...carriedOut(output), now: NOW + 1 });
        for (const [ref, { inForce }] of output.workspaces) {
          const now = later.workspaces.get(ref);
          if (inForce === null || now === undefined) continue;
          expect(now.inForce).not.toBeNull();
          expect(now.inForce!.version).toBeGreaterThanOrEqual(inForce.version);
        }
        for (const [ref, { inForce, required }] of output.budgets) {
          const now = later.budgets.get(ref);
          const stillThere = required.filter(({ workspace }) => later.workspaces.has(workspace));
          if (inForce === null || now === undefined || now.accepted.reason === 'Accepted' || stillThere.length === 0)
            continue;
          expect(now.inForce).not.toBeNull();
        }
      }),
    );
  });

  test('never throws, for any spec', () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), (first, second) => {
        const broken = (kind: string, spec: unknown): never =>
          ({ kind, metadata: { namespace: 'payments', name: 'x' }, spec }) as never;
        const output = compile({
          ...EMPTY,
          workspaces: [broken('ClaudeWorkspace', first)],
          budgets: [broken('ClaudeBudget', second)],
        });
        expect(output.workspaces.get('payments/x')!.accepted.reason).not.toBe('Accepted');
        expect(output.budgets.get('payments/x')!.accepted.reason).not.toBe('Accepted');
      }),
    );
  });

  const checkout = (generation: number, spec: object = {}) =>
    stored({
      kind: 'ClaudeWorkspace',
      metadata: { namespace: 'payments', name: 'checkout', generation },
      spec: { upstream: { apiKeySecretRef: { name: 'anthropic' } }, ...spec },
    } as { kind: 'ClaudeWorkspace' });
  const one = (changes: Partial<CompileInput> = {}): CompileInput => ({
    ...EMPTY,
    workspaces: [checkout(1)],
    upstreamSecrets: new Map([
      ['payments/anthropic', { type: 'tollgate.dev/upstream-key', data: { 'api-key': 'sk-ant' } }],
    ]),
    ...changes,
  });
  const versionOf = (output: CompileOutput): number => output.workspaces.get('payments/checkout')!.inForce!.version;

  test('increases versions always: with the clock, without it, and over a re-creation', () => {
    const first = compile(one());
    const before = carriedOut(first);
    const edited = compile(one({ ...before, workspaces: [checkout(2)], now: NOW - 60_000 }));
    expect(versionOf(edited)).toBe(versionOf(first) + 1);
    const deleted = compile(one({ ...before, workspaces: [], now: NOW }));
    const gone = carriedOut(deleted, before);
    const fence = deleted.gone.get('payments/checkout')!;
    expect([deleted.fences.size, gone.fences.size]).toEqual([0, 0]);
    expect(compile(one({ ...gone, workspaces: [] })).gone.size).toBe(0);
    expect(fence).toBeGreaterThan(versionOf(first));
    expect(versionOf(compile(one({ ...gone, now: NOW })))).toBeGreaterThan(fence);
    const lost = compile(one({ fences: new Map([['payments/checkout', NOW + 9_000]]) }));
    expect(versionOf(lost)).toBe(NOW + 9_001);
  });

  test('moves a workspace to another shard without changing it, at a revision that has reached its version', () => {
    const first = compile(one({ now: NOW + 60_000 }));
    for (const shards of [1, 3, 5, 8]) {
      const settings = { ...EMPTY.settings, shards };
      const moved = compile(one({ ...carriedOut(first), settings, now: NOW }));
      const { required } = moved.workspaces.get('payments/checkout')!;
      expect(versionOf(moved)).toBe(versionOf(first));
      const shard = moved.shards.find(({ name }) => name === required[0]!.shard);
      expect(shard === undefined ? Infinity : shard.revision).toBeGreaterThanOrEqual(versionOf(first));
    }
  });

  test('does not write a shard that cannot hold what is in force, raises no fence for it, and reports it', () => {
    const before = carriedOut(compile(one()));
    const prices = { text: BOOK.replace('"test"', `"${'x'.repeat(1_100_000)}"`), fallback: false };
    const output = compile(one({ ...before, prices, now: NOW + 1 }));
    expect(output.shards).toEqual([]);
    expect(output.fences).toEqual(new Map());
    expect(output.problems).toEqual([expect.stringMatching(/^tollgate-policy-shared would have \d{7} bytes/)]);
  });

  test('keeps the stored price book if the new one is invalid, else uses the shipped one', () => {
    const own = EMPTY.prices.text.replace('"test"', '"own"');
    const before = carriedOut(compile(one({ prices: { text: own, fallback: false } })));
    const fallback = { text: EMPTY.prices.text, fallback: true };
    expect(compile(one({ ...before, prices: fallback })).shards).toEqual([]);
    const fresh = carriedOut(compile(one({ prices: fallback })));
    expect([...fresh.previous.shared!.books.values()].map(({ book }) => book.version)).toEqual(['test']);
    expect([...before.previous.shared!.books.values()].map(({ book }) => book.version)).toEqual(['own']);
  });

  test('keeps a spanning budget that is not accepted in force, also while it has no workspaces', () => {
    const spanning = (spec: object) =>
      stored({
        kind: 'ClaudeBudget',
        metadata: { namespace: 'tollgate-system', name: 'company', generation: 1 },
        spec: { limit: { usd: '1.00' }, period: { every: 'Day' }, ...spec },
      } as { kind: 'ClaudeBudget' });
    const namespaces = namespacesOf({ payments: {} });
    const before = carriedOut(compile(one({ namespaces, budgets: [spanning({ namespaceSelector: {} })] })));
    const refused = { workspaces: [], budgets: [spanning({})] };
    const output = compile(one({ ...before, ...refused }));
    const again = compile(one({ ...carriedOut(output, before), ...refused }));
    expect(output.budgets.get('tollgate-system/company')).toMatchObject({
      accepted: { reason: 'Invalid' },
      inForce: { generation: 1 },
      spanning: true,
      required: [],
    });
    expect(again.budgets).toEqual(output.budgets);
    const back = compile(
      one({ ...carriedOut(again, carriedOut(output, before)), ...refused, workspaces: [checkout(1)], namespaces }),
    );
    expect(back.workspaces.get('payments/checkout')!.budgets).toMatchObject([{ name: 'company' }]);
  });

  test('serves no form of an earlier workspace of the same name, whose batches would be its own', () => {
    const first = compile(one());
    const before = carriedOut(first);
    const again = { ...checkout(1), metadata: { ...checkout(1).metadata, uid: 'uid-of-another' } };
    const upstreamSecrets = new Map();
    const edited = compile(one({ ...before, upstreamSecrets })).workspaces.get('payments/checkout')!;
    expect([edited.accepted.reason, edited.inForce?.uid]).toEqual(['SecretNotFound', 'uid-of-checkout']);
    const made = compile(one({ ...before, upstreamSecrets, workspaces: [again] }));
    expect(made.workspaces.get('payments/checkout')).toMatchObject({
      accepted: { reason: 'SecretNotFound' },
      inForce: null,
    });
    expect(made.gone.get('payments/checkout')).toBeGreaterThan(versionOf(first));
  });

  test('accepts no attribute that a reader cannot see, and knows one spelling of each', () => {
    const budgetOf = (customer: string) =>
      stored({
        kind: 'ClaudeBudget',
        metadata: { namespace: 'payments', name: 'daily', generation: 1 },
        spec: {
          workspaceRef: { name: 'checkout' },
          scope: { customers: [customer], tags: { team: [customer] } },
          per: ['customer'],
          limit: { usd: '1.00', totalUsd: '2.00', overrides: [{ values: [customer], usd: '3.00' }] },
          whenSpent: { exempt: { customers: [customer] } },
          period: { every: 'Day' },
        },
      } as { kind: 'ClaudeBudget' });
    const before = carriedOut(compile(one()));
    const compiled = (name: string) => {
      const keys = [{ name: 'api', secretName: 's', attributes: { feature: name } }];
      const workspaces = [checkout(2, { attributes: { department: name }, keys })];
      const { workspaces: all, budgets } = compile(one({ ...before, workspaces, budgets: [budgetOf(name)] }));
      return { workspace: all.get('payments/checkout')!, budget: budgets.get('payments/daily')! };
    };
    const { workspace, budget } = compiled('Mu\u0308ller');
    expect(workspace.inForce!.keys[0]!.attributes).toEqual({ department: 'M\u00fcller', feature: 'M\u00fcller' });
    expect(budget.inForce).toMatchObject({
      scope: { customers: ['M\u00fcller'], tags: { team: ['M\u00fcller'] } },
      overrides: [{ values: ['M\u00fcller'] }],
      exempt: { customers: ['M\u00fcller'] },
    });
    const refused = compiled('a\u202eb');
    expect(refused.workspace).toMatchObject({ accepted: { reason: 'Invalid' }, inForce: { generation: 1 } });
    expect(refused.workspace.accepted.message).toBe(
      'spec.attributes.department: remove the control or invisible characters of "a\\u202eb".',
    );
    expect(refused.budget).toMatchObject({ accepted: { reason: 'Invalid' }, inForce: null });
  });

  test('leaves out the workspaces of a namespace that it does not know yet', () => {
    const output = compile(one({ namespaces: namespacesOf({ search: {} }) }));
    expect([output.workspaces.size, output.fences.size]).toEqual([0, 0]);
    const known = compile(one());
    expect(known.workspaces.get('payments/checkout')?.inForce).toMatchObject({
      uid: 'uid-of-checkout',
      namespaceUid: 'uid-of-payments',
    });
  });

  test('removes the upstream key if the installation no longer allows the upstream', () => {
    const before = carriedOut(compile(one()));
    const settings = { ...EMPTY.settings, upstreams: ['https://other.example'] };
    const outcome = compile(one({ ...before, settings })).workspaces.get('payments/checkout')!;
    expect([outcome.accepted.reason, outcome.inForce?.generation, outcome.upstreamKey]).toEqual([
      'UpstreamNotAllowed',
      1,
      false,
    ]);
  });
});

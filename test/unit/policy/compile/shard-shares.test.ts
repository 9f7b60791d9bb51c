import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { ClaudeBudget, ClaudeWorkspace } from '../../../../crds/types.gen.ts';
import { CompileCache } from '../../../../policy/compile/compile-cache.ts';
import type { CompileInput } from '../../../../policy/compile/compile-input.ts';
import type { CompileOutput } from '../../../../policy/compile/compile-output.ts';
import { compile } from '../../../../policy/compile/compile.ts';
import { parseSettings } from '../../../../policy/config/settings.ts';
import type { CompiledRestriction } from '../../../../policy/core/compiled-policy.ts';
import { parseUsd } from '../../../../policy/core/money.ts';
import { testSize } from '../../../support/test-size.ts';
import { carriedOut, EMPTY, namespacesOf, NOW, stored } from './stored.ts';

const KEYS = ['a', 'b', 'c'];
const encoder = new TextEncoder();

interface Budget {
  /** Kilobytes of its scope. */
  readonly fat: number;
  readonly usd: number;
  readonly suspend: boolean;
}
interface Workspace {
  readonly suspend: boolean;
  /** Kilobytes of its attributes. */
  readonly fat: number;
  readonly keys: readonly string[];
  readonly restrictions?: readonly CompiledRestriction[];
  readonly budgets: Readonly<Record<string, Budget>>;
}
/** By `namespace/name`. */
type World = Readonly<Record<string, Workspace>>;
type State = Pick<CompileInput, 'previous' | 'fences'>;

/** About so many kilobytes, as at most 64 values of at most 256 characters. */
const values = (kilobytes: number): string[] =>
  Array.from({ length: Math.min(64, kilobytes * 4) }, (_, i) => `${i}-`.padEnd(252, 'x'));

function budgetOf(namespace: string, workspace: string, name: string, { fat, usd, suspend }: Budget): ClaudeBudget {
  const lists = ['features', 'customers', 'users', 'departments', 'keys'].slice(0, Math.ceil(fat / 16));
  const scope = Object.fromEntries(lists.map((list, i) => [list, values(Math.min(16, fat - 16 * i))]));
  return stored({
    kind: 'ClaudeBudget',
    metadata: { namespace, name: `${workspace}-${name}`, generation: 1 },
    spec: { workspaceRef: { name: workspace }, scope, limit: { usd: `${usd}.00` }, period: { every: 'Day' }, suspend },
  } as { kind: 'ClaudeBudget' });
}

function workspaceOf(ref: string, { suspend, fat, keys, restrictions = [] }: Workspace): ClaudeWorkspace {
  const [namespace, name] = ref.split('/');
  const attributes = Object.fromEntries(values(fat).map((value, i) => [`t${i}`, value]));
  return stored({
    kind: 'ClaudeWorkspace',
    metadata: { namespace, name, generation: 1 },
    spec: {
      upstream: { apiKeySecretRef: { name: 'anthropic' } },
      keys: keys.map((key) => ({ name: key, secretName: `${name}-${key}`, attributes })),
      models: { restrictions },
      suspend,
    },
  } as { kind: 'ClaudeWorkspace' });
}

function inputOf(world: World, state: State, now: number): CompileInput {
  const refs = Object.keys(world);
  const secret = { type: 'tollgate.dev/upstream-key', data: { 'api-key': 'sk-ant' } };
  return {
    ...EMPTY,
    ...state,
    settings: parseSettings({ shards: 1 }), // everybody is a neighbour
    now,
    workspaces: refs.map((ref) => workspaceOf(ref, world[ref]!)),
    budgets: refs.flatMap((ref) => {
      const [namespace = '', workspace = ''] = ref.split('/');
      return Object.entries(world[ref]!.budgets).map(([name, one]) => budgetOf(namespace, workspace, name, one));
    }),
    namespaces: namespacesOf(Object.fromEntries(refs.map((ref) => [ref.split('/')[0]!, {}]))),
    upstreamSecrets: new Map(refs.map((ref) => [`${ref.split('/')[0]}/anthropic`, secret])),
    callerKeys: new Map(
      refs.map((ref) => [ref, Object.fromEntries(world[ref]!.keys.map((key) => [key, key.repeat(64).slice(0, 64)]))]),
    ),
  };
}

/** What the shards lack of the protection that a world asks for, in sentences. */
function unprotected(world: World, { previous }: State): string[] {
  const workspaces = new Map([...previous.policy.values()].flatMap((shard) => [...shard.workspaces]));
  const credentials = new Map([...previous.keys.values()].flatMap((shard) => [...shard.credentials]));
  const gone = [...workspaces.keys(), ...credentials.keys()].filter((ref) => world[ref] === undefined);
  const lacking = [...workspaces].flatMap(([ref, written]) => {
    const wanted = world[ref];
    if (wanted === undefined) return [];
    const names = [...written.keys.map(({ name }) => name), ...Object.keys(credentials.get(ref)!.credentials.keys)];
    return [
      ...(wanted.suspend && !written.suspend ? [`${ref} is not suspended`] : []),
      ...names.filter((name) => !wanted.keys.includes(name)).map((name) => `${ref} still has key ${name}`),
      ...written.budgets.flatMap((budget) => {
        const budgetWanted = wanted.budgets[budget.name.slice(budget.name.indexOf('-') + 1)];
        if (budgetWanted === undefined) return [`${budget.name} is still there`];
        return [
          ...(budgetWanted.suspend && !budget.suspend ? [`${budget.name} is not suspended`] : []),
          ...(budget.limitNano > parseUsd(`${budgetWanted.usd}.00`) ? [`${budget.name} is not lowered`] : []),
        ];
      }),
    ];
  });
  return [...gone.map((ref) => `${ref} is still there`), ...lacking];
}

/** The budgets that were in force, are still wanted for the same workspace, and are not in force any more. */
function lifted(world: World, before: State, after: State): string[] {
  const inForce = ({ previous }: State) =>
    [...previous.policy.values()].flatMap((shard) =>
      [...shard.workspaces].flatMap(([ref, { budgets }]) => budgets.map(({ name }) => `${ref} ${name}`)),
    );
  const now = new Set(inForce(after));
  return inForce(before).filter((one) => {
    const [ref = '', name = ''] = one.split(' ');
    return world[ref]?.budgets[name.slice(name.indexOf('-') + 1)] !== undefined && !now.has(one);
  });
}

function largest({ shards }: CompileOutput): number {
  const bytes = shards.map(({ data }) =>
    Object.values(data).reduce((sum, text) => sum + encoder.encode(text).length, 0),
  );
  return Math.max(0, ...bytes);
}

const tooLarge = (output: CompileOutput, namespace: string): string[] =>
  [...output.workspaces, ...output.budgets].flatMap(([ref, { accepted }]) =>
    ref.startsWith(`${namespace}/`) && accepted.reason === 'TooLarge' ? ref : [],
  );

const thin: Budget = { fat: 0, usd: 50, suspend: false };
const plain: Workspace = { suspend: false, fat: 0, keys: KEYS, budgets: { day: thin } };
const hog = (fat: number, budgets: number): Workspace => ({
  ...plain,
  budgets: Object.fromEntries(Array.from({ length: budgets }, (_, i) => [`b${i}`, { ...thin, fat }])),
});
/** So many namespaces that each fill what they can. */
const hogs = (count: number): World =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`mallory${i}/app`, hog(30, 8)]));

/** Compiles one world after the other, each over the shards of the one before. */
function run(worlds: readonly World[]): { output: CompileOutput; state: State } {
  const cache = new CompileCache();
  let state: State = EMPTY;
  let output: CompileOutput | undefined;
  for (const [i, world] of worlds.entries()) {
    output = compile(inputOf(world, state, NOW + i), cache);
    expect(output.problems).toEqual([]);
    expect(largest(output)).toBeLessThanOrEqual(1_048_576);
    state = carriedOut(output, state);
  }
  return { output: output!, state };
}

describe('in a shard that others fill', () => {
  test('a neighbour suspends, revokes and lowers, and adds what is its share', () => {
    const full = { ...hogs(8), 'victim/app': plain };
    const edited = { ...plain, suspend: true, keys: ['a'], budgets: { day: { ...thin, usd: 5 }, week: thin } };
    const { output, state } = run([full, { ...full, 'victim/app': edited }]);
    expect(tooLarge(output, 'mallory0')).not.toEqual([]);
    expect(tooLarge(output, 'victim')).toEqual([]);
    expect(unprotected({ ...full, 'victim/app': edited }, state)).toEqual([]);
    expect(output.workspaces.get('victim/app')!.inForce!.budgets.map(({ name }) => name)).toEqual([
      'app-day',
      'app-week',
    ]);
  });

  test('a first workspace and its budget find room, also for the last of twenty who fill it', () => {
    const { output } = run([hogs(20), { ...hogs(20), 'victim/app': plain }]);
    expect(tooLarge(output, 'victim')).toEqual([]);
    expect(output.budgets.get('victim/app-day')!.required).toHaveLength(1);
  });

  test('a workspace with 500 keys and restrictions for all of them finds room beside twenty others', () => {
    const keys = Array.from({ length: 500 }, (_, i) => `developer-with-a-long-name-${i}`);
    const restrictions = Array.from({ length: 8 }, (_, i) => ({
      name: `level-${i}`,
      match: { keys: keys.slice(i * 64, (i + 1) * 64), users: [`intern_${i}_*`] },
      allow: ['claude-haiku-*', 'claude-sonnet-5-5'],
    }));
    const others = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`team${i}/app`, plain]));
    const { output } = run([{ ...others, 'large/app': { ...plain, keys, restrictions } }]);
    expect(tooLarge(output, 'large')).toEqual([]);
    const { keys: inForce, models } = output.workspaces.get('large/app')!.inForce!;
    expect([inForce.length, models.restrictions]).toEqual([500, restrictions]);
  });

  test('an edit that is too large keeps the restrictions in force, and narrows those that it narrows', () => {
    const restriction = {
      name: 'interns',
      match: { users: ['intern_*'] },
      allow: ['claude-haiku-*', 'claude-opus-5-5'],
    };
    const before = { ...plain, restrictions: [restriction, { ...restriction, name: 'guests' }] };
    const edited = { 'victim/app': { ...plain, restrictions: [{ ...restriction, allow: ['claude-haiku-*'] }] } };
    const { workspaces, ...input } = inputOf(edited, run([{ 'victim/app': before }]).state, NOW + 1);
    const output = compile({ ...input, workspaces: workspaces.map((one) => ({ ...one, cutBytes: 999_999 })) });
    expect(tooLarge(output, 'victim')).toEqual(['victim/app']);
    expect(output.workspaces.get('victim/app')!.inForce!.models.restrictions).toEqual([
      { ...restriction, allow: ['claude-haiku-*'] },
      { ...restriction, name: 'guests' },
    ]);
  });

  test('an edit that is too large has its protection in force, and keeps the rest of the last form', () => {
    const before = { ...plain, budgets: { day: thin } };
    const after = { ...plain, keys: ['c'], budgets: { day: { fat: 40, usd: 20, suspend: true } } };
    const { output } = run([{ 'victim/app': before }, { 'victim/app': after }]);
    const { accepted, inForce } = output.budgets.get('victim/app-day')!;
    expect(accepted).toEqual({
      reason: 'TooLarge',
      message: expect.stringMatching(
        /^spec: it takes \d{5} bytes of the policy, and a ClaudeBudget may take 32768\. .* The last form stays in force, with what this one suspends, revokes and lowers\.$/,
      ),
    });
    expect(inForce).toMatchObject({ scope: {}, limitNano: parseUsd('20.00'), suspend: true });
    expect(output.workspaces.get('victim/app')!.inForce!.keys.map(({ name }) => name)).toEqual(['c']);
  });

  test('of a resource that the operator cut, since it is too large to be kept, the protection is in force', () => {
    const world = { 'victim/app': plain };
    const { state } = run([world]);
    const edited = { 'victim/app': { ...plain, suspend: true, budgets: { day: { ...thin, usd: 7 } } } };
    const { workspaces, budgets, ...input } = inputOf(edited, state, NOW + 1);
    const cut = <T>(one: T) => ({ ...one, cutBytes: 999_999 });
    const output = compile({ ...input, workspaces: workspaces.map(cut), budgets: budgets.map(cut) });
    expect(tooLarge(output, 'victim')).toEqual(['victim/app', 'victim/app-day']);
    expect(unprotected(edited, carriedOut(output, state))).toEqual([]);
    expect(output.budgets.get('victim/app-day')!.inForce!.limitNano).toBe(parseUsd('7.00'));
  });

  test('a workspace whose edit is too large gets its upstream key again after it was missing', () => {
    const { state } = run([{ 'victim/app': plain }]);
    const input = inputOf({ 'victim/app': plain }, state, NOW + 1);
    const workspaces = input.workspaces.map((one) => ({ ...one, cutBytes: 999_999 }));
    const keyOf = (output: CompileOutput, before: State) =>
      [...carriedOut(output, before).previous.keys.values()][0]!.credentials.get('victim/app')!.credentials.upstreamKey;
    const secret = { type: 'tollgate.dev/upstream-key', data: { 'api-key': 'a-longer-key-than-before' } };
    const missing = compile({ ...input, upstreamSecrets: new Map() });
    const without = carriedOut(missing, state);
    expect(keyOf(missing, state)).toBeNull();
    const back = compile({
      ...input,
      ...without,
      workspaces,
      upstreamSecrets: new Map([['victim/anthropic', secret]]),
    });
    expect(tooLarge(back, 'victim')).toEqual(['victim/app']);
    expect(keyOf(back, without)).toBe('a-longer-key-than-before');
  });

  test('nobody holds more than a quarter of what it leaves free, and the owner reads why', () => {
    const { output, state } = run([{ 'mallory/app': hog(30, 20) }]);
    const text = [...state.previous.policy.values()][0]!.texts.get('mallory/app')!;
    expect(text.length).toBeLessThan((917_000 - text.length) / 4);
    const refused = tooLarge(output, 'mallory');
    expect(refused.length).toBeGreaterThan(10);
    expect(output.budgets.get(refused[0]!)!.accepted.message).toMatch(
      /^spec: it takes \d{5} bytes, with which its namespace would hold more than a quarter of what is free in tollgate-policy-0 or tollgate-keys-0\. .* Nothing of it is in force\.$/,
    );
  });

  test('many small workspaces are all in force: the rule costs no room that is needed', () => {
    const many = Object.fromEntries(Array.from({ length: 700 }, (_, i) => [`team${i % 100}/app${i}`, plain]));
    const { output } = run([many]);
    expect(output.workspaces.size).toBe(700);
    expect(
      [...output.workspaces.values(), ...output.budgets.values()].every((one) => one.accepted.reason === 'Accepted'),
    ).toBe(true);
  });
});

describe('whatever tenants do', () => {
  const budget = fc.record({
    fat: fc.constantFrom(0, 0, 1, 8, 20, 30, 60),
    usd: fc.integer({ min: 1, max: 99 }),
    suspend: fc.boolean(),
  });
  const workspace: fc.Arbitrary<Workspace> = fc.record({
    suspend: fc.boolean(),
    fat: fc.constantFrom(0, 0, 1, 4, 20, 80),
    keys: fc.subarray(KEYS),
    budgets: fc.dictionary(fc.constantFrom('b0', 'b1', 'b2', 'b3'), budget, { maxKeys: 4 }),
  });
  const edit = fc.record({
    ref: fc.constantFrom('mallory0/app', 'mallory0/other', 'mallory1/app', 'victim/app'),
    workspace: fc.option(workspace, { nil: undefined }),
  });

  test('every protective edit is in force after one compilation, and no shard is too large', () => {
    fc.assert(
      fc.property(fc.constantFrom(0, 2, 9), fc.array(edit, { minLength: 2, maxLength: 8 }), (others, edits) => {
        const cache = new CompileCache();
        let world: World = hogs(others);
        let state = carriedOut(compile(inputOf(world, EMPTY, NOW), cache));
        for (const [i, { ref, workspace }] of edits.entries()) {
          const { [ref]: _, ...rest } = world;
          world = workspace === undefined ? rest : { ...rest, [ref]: workspace };
          const output = compile(inputOf(world, state, NOW + 1 + i), cache);
          const before = state;
          state = carriedOut(output, state);
          expect(output.problems).toEqual([]);
          expect(largest(output)).toBeLessThanOrEqual(1_048_576);
          expect([unprotected(world, state), lifted(world, before, state)]).toEqual([[], []]);
          const again = compile(inputOf(world, state, NOW + 100), new CompileCache());
          expect([again.shards, again.workspaces, again.budgets]).toEqual([[], output.workspaces, output.budgets]);
        }
      }),
      { numRuns: testSize({ short: 6, long: 500 }) },
    );
  });
});

import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { OwnPart } from '../../../../policy/compile/compile-workspace.ts';
import { restrainBudget, restrainCredentials, restrainWorkspace } from '../../../../policy/compile/restrained.ts';
import { parseSettings } from '../../../../policy/config/settings.ts';
import { enforcedFrom } from '../../../../policy/core/budget-period.ts';
import { encodeJSON } from '../../../../policy/core/canonical-json.ts';
import type {
  CompiledBudget,
  CompiledKey,
  CompiledModels,
  Credentials,
} from '../../../../policy/core/compiled-policy.ts';
import { nano } from '../../../../policy/core/money.ts';
import { END_OF_TIME } from '../../../../policy/core/period.ts';

const amount = fc.bigInt({ min: 0n, max: 10n ** 17n }).map(nano);
const features = fc.record({ features: fc.array(fc.constantFrom('a', 'b'), { minLength: 1, maxLength: 2 }) });
const budget: fc.Arbitrary<CompiledBudget> = fc
  .record({
    mode: fc.constantFrom('Enforce' as const, 'Observe' as const),
    until: fc.constantFrom(9, END_OF_TIME),
    suspend: fc.boolean(),
    scope: features,
    limitNano: amount,
    toleranceNano: amount,
    workspaceReservePercent: fc.integer({ min: 1, max: 100 }),
    criticalExtraNano: amount,
    overrides: fc.uniqueArray(fc.record({ values: fc.tuple(fc.constantFrom('x', 'y')), limitNano: amount }), {
      selector: ({ values }) => values[0],
    }),
    grants: fc.array(
      fc.record({ amountNano: amount, from: fc.nat({ max: 9 }), until: fc.integer({ min: 10, max: 19 }) }),
      { maxLength: 2 },
    ),
    total: fc.option(amount),
    exempt: fc.option(features),
  })
  .map(({ total, exempt, until, ...rest }) => ({
    ...rest,
    ...(rest.mode === 'Observe' ? { observeUntil: until } : {}),
    namespace: 'payments',
    name: 'day',
    generation: 1,
    per: ['customer'],
    period: { every: 'Day', timeZone: 'UTC' },
    ...(total === null ? {} : { totalNano: total }),
    ...(exempt === null ? {} : { exempt }),
  }));

const limitOf = ({ overrides, limitNano }: CompiledBudget, value: string): bigint =>
  overrides.find(({ values }) => values[0] === value)?.limitNano ?? limitNano;
const granted = ({ grants }: CompiledBudget, at: number): bigint =>
  grants.reduce((sum, { amountNano, from, until }) => (from <= at && at < until ? sum + amountNano : sum), 0n);

test('a restrained budget grants no more than either form, and is no longer than the last one', () => {
  fc.assert(
    fc.property(budget, budget, (last, next) => {
      const restrained = restrainBudget(last, next);
      expect(encodeJSON(restrained).length).toBeLessThanOrEqual(encodeJSON(last).length);
      for (const form of [last, next]) {
        for (const value of ['x', 'y', 'z']) {
          // An override that the edit adds makes the budget longer.
          const isAdded = last.overrides.every(({ values }) => values[0] !== value);
          if (isAdded && form.overrides.some(({ values }) => values[0] === value)) continue;
          expect(limitOf(restrained, value) <= limitOf(form, value)).toBe(true);
        }
        expect(restrained.toleranceNano <= form.toleranceNano).toBe(true);
        expect(restrained.workspaceReservePercent).toBeLessThanOrEqual(form.workspaceReservePercent!);
        expect(restrained.criticalExtraNano <= form.criticalExtraNano).toBe(true);
        expect(enforcedFrom(restrained)).toBeLessThanOrEqual(enforcedFrom(form));
        expect(form.suspend && !restrained.suspend).toBe(false);
        expect([undefined, form.exempt]).toContainEqual(restrained.exempt);
        expect((restrained.totalNano ?? 0n) <= (form.totalNano ?? restrained.totalNano ?? 0n)).toBe(true);
      }
      for (let at = 0; at < 20; at++) {
        expect(granted(restrained, at) <= granted(last, at)).toBe(true);
        expect(granted(restrained, at) <= granted(next, at)).toBe(true);
      }
      expect(restrained.scope).toEqual(last.scope);
      expect(restrainBudget(restrained, next)).toEqual(restrained);
    }),
  );
});

const key = (name: string, priority: CompiledKey['priority'] = 'Normal'): CompiledKey => ({
  name,
  priority,
  attributes: {},
});
const own = (changes: Partial<OwnPart>): OwnPart => ({
  namespace: 'payments',
  name: 'checkout',
  generation: 1,
  baseURL: 'https://api.anthropic.com',
  suspend: false,
  keys: [],
  headers: {},
  models: { allow: ['*'], unknown: 'HighestPrice' },
  guards: {},
  batches: 'Allow',
  refusal: { status: 429, message: '' },
  ...changes,
});

test('a restrained workspace has no key, guard or permission that either form lacks', () => {
  const last = own({
    keys: [key('a', 'Critical'), key('b'), key('c')],
    guards: { maxInputTokens: 100, maxOutputTokens: 50, unboundedRequestNano: nano(1n) },
  });
  const next = own({
    generation: 2,
    suspend: true,
    keys: [key('c'), key('new', 'Critical'), key('a')],
    models: { allow: ['b*'], unknown: 'Refuse' },
    guards: { maxInputTokens: 60, maxOutputTokens: 70, maxToolUses: 3 },
    batches: 'Refuse',
  });
  expect(restrainWorkspace(last, next)).toEqual({
    ...last,
    suspend: true,
    keys: [key('a', 'Normal'), key('c')],
    models: { allow: ['b*'], unknown: 'Refuse' },
    guards: { maxInputTokens: 60, maxOutputTokens: 50 },
    batches: 'Refuse',
  });
});

test('a restrained workspace allows no model that either form refuses', () => {
  const restrained = (last: string[], next: string[]) =>
    restrainWorkspace(
      own({ models: { allow: last, unknown: 'Refuse' } }),
      own({ models: { allow: next, unknown: 'HighestPrice' } }),
    ).models;
  expect(restrained(['claude-haiku-4-5'], ['*'])).toEqual({ allow: ['claude-haiku-4-5'], unknown: 'Refuse' });
  expect(restrained(['claude-haiku-4-5', 'claude-opus-5'], ['claude-haiku-*', 'x']).allow).toEqual([
    'claude-haiku-4-5',
  ]);
  expect(restrained(['claude-*', 'gpt'], ['claude-opus-5']).allow).toEqual(['claude-opus-5']);
  expect(restrained(['claude-haiku-4-5'], ['claude-opus-5']).allow).toEqual([]);
  expect(restrained(['claude-haiku-4-5', 'other'], ['claude-haiku-4-5-20251001']).allow).toEqual(['claude-haiku-4-5']);
  // A list that is longer than the last one is not taken.
  expect(restrained(['*'], ['claude-haiku-4-5']).allow).toEqual(['*']);
});

const names = ['claude-haiku-4-5', 'claude-haiku-5-5', 'claude-opus-5-5', 'gpt'];
const list = fc.uniqueArray(fc.constantFrom(...names), { minLength: 1, maxLength: 3 });
const restriction = fc.record({
  name: fc.constantFrom('a', 'b'),
  match: fc.constantFrom({ users: ['x'] }, { users: ['y'] }),
  allow: list,
});
const models: fc.Arbitrary<CompiledModels> = fc.record({
  allow: list,
  unknown: fc.constant('Refuse' as const),
  restrictions: fc.uniqueArray(restriction, { maxLength: 2, selector: ({ name }) => name }),
});

test('a restrained workspace keeps every restriction, none wider than in either form, and is no longer', () => {
  fc.assert(
    fc.property(models, models, (last, next) => {
      const restrained = restrainWorkspace(own({ models: last }), own({ models: next })).models;
      expect(encodeJSON(restrained).length).toBeLessThanOrEqual(encodeJSON(last).length);
      for (const [i, { name, match, allow }] of restrained.restrictions!.entries()) {
        const before = last.restrictions![i]!;
        expect({ name, match }).toEqual({ name: before.name, match: before.match });
        const after = next.restrictions!.find((one) => one.name === name && one.match.users![0] === match.users![0]);
        const both = (model: string) => before.allow.includes(model) && (after ?? before).allow.includes(model);
        expect(allow.toSorted()).toEqual(names.filter(both).toSorted());
      }
    }),
  );
});

test('a restriction that an edit narrows, removes or gives to others is never wider', () => {
  const form = (match: { users: string[] } | { keys: string[] }, allow: string[]) =>
    own({ models: { allow: ['*'], unknown: 'Refuse', restrictions: [{ name: 'interns', match, allow }] } });
  const last = form({ users: ['x'] }, ['claude-haiku-4-5', 'claude-opus-5']);
  const restrained = (next: OwnPart) => restrainWorkspace(last, next).models.restrictions;
  expect(restrained(form({ users: ['x'] }, ['claude-haiku-*']))).toEqual([
    { name: 'interns', match: { users: ['x'] }, allow: ['claude-haiku-4-5'] },
  ]);
  expect(restrained(own({}))).toEqual(last.models.restrictions);
  expect(restrained(form({ keys: ['api'] }, ['claude-haiku-4-5']))).toEqual(last.models.restrictions);
  const wider = form({ users: ['x'] }, ['*']);
  expect(restrained(wider)).toEqual(last.models.restrictions);
  expect(restrainWorkspace(own({}), last).models).toEqual({ allow: ['*'], unknown: 'Refuse' });
});

test('restrained credentials have replaced keys, none that was revoked or is new, and no longer upstream key', () => {
  const upstreamSecret = { name: 'anthropic', key: 'api-key' };
  const last: Credentials = { upstreamKey: 'sk-1', upstreamSecret, keys: { a: '1', b: '2', c: '3' } };
  const of = (changes: Partial<Credentials>) =>
    restrainCredentials(
      last,
      { own: own({}), credentials: { ...last, ...changes } },
      own({ keys: [key('a'), key('b')] }),
      parseSettings({}),
    );
  expect(of({ keys: { a: '9', c: '3', d: '4' } }).keys).toEqual({ a: '9' });
  expect(of({ upstreamKey: 'sk-2' }).upstreamKey).toBe('sk-2');
  expect(of({ upstreamKey: 'sk-long' }).upstreamKey).toBe('sk-1');
  expect(of({ upstreamKey: null, upstreamSecret: { name: 'another-one', key: 'api-key' } }).upstreamKey).toBeNull();
});

test('a new upstream key goes to no old host, and a host that is not allowed any more gets none', () => {
  const upstreamSecret = { name: 'anthropic', key: 'api-key' };
  const credentials = (upstreamKey: string): Credentials => ({ upstreamKey, upstreamSecret, keys: {} });
  const moved = (upstreams: string[]) => {
    const next = { own: own({ baseURL: 'https://new.example' }), credentials: credentials('sk-2') };
    return restrainCredentials(
      credentials('sk-1'),
      next,
      own({ baseURL: 'https://old.example' }),
      parseSettings({ upstreams }),
    );
  };
  expect(moved(['https://old.example', 'https://new.example']).upstreamKey).toBe('sk-1');
  expect(moved(['https://new.example']).upstreamKey).toBeNull();
});

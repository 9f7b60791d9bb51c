import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Attributes, CompiledKey, CompiledScope } from '../../../../policy/core/compiled-policy.ts';
import { isExempt, scopeMatch, scopeMatchers, type ScopeMatch } from '../../../../policy/core/matching.ts';

const HEADERS = { feature: 'x-tollgate-feature', customer: 'x-tollgate-customer' };
const key = (attributes: Attributes): CompiledKey => ({ name: 'api', priority: 'Normal', attributes });

interface Case {
  readonly fixed?: Attributes;
  readonly claimed?: Attributes;
  readonly headers?: Partial<typeof HEADERS>;
  readonly model?: string;
}

const holds = (scoping: ScopeMatch, { fixed = {}, claimed = {}, model = 'claude-opus-5-5' }: Case): boolean =>
  typeof scoping === 'boolean' ? scoping : scoping({ ...claimed, ...fixed }, model);
const inScope = (scope: CompiledScope, one: Case): boolean =>
  holds(scopeMatch(scopeMatchers(scope), { headers: one.headers ?? HEADERS }, key(one.fixed ?? {})), one);
const loosened = (scope: CompiledScope, one: Case): boolean => isExempt(scopeMatchers(scope), key(one.fixed ?? {}));

describe('the scope of a limit', () => {
  test.each<[string, boolean, CompiledScope, Case]>([
    ['the empty scope has every call', true, {}, {}],
    ['a fixed attribute that is listed', true, { features: ['check*'] }, { fixed: { feature: 'checkout' } }],
    ['a fixed attribute that is not', false, { features: ['check*'] }, { fixed: { feature: 'search' } }],
    [
      'a fixed attribute stands over a claim',
      true,
      { features: ['checkout'] },
      { fixed: { feature: 'checkout' }, claimed: { feature: 'free' } },
    ],
    ['a claim that is listed', true, { customers: ['acme'] }, { claimed: { customer: 'acme' } }],
    ['a claim that is not', false, { customers: ['acme'] }, { claimed: { customer: 'umbrella' } }],
    ['a claim left out counts against every list', true, { customers: ['acme'] }, {}],
    ['an empty claim is one left out', true, { customers: ['acme'] }, { claimed: { customer: '' } }],
    ['an attribute without a value is the empty value', false, { departments: ['payments'] }, {}],
    [
      'a header that the workspace does not take sets nothing',
      false,
      { customers: ['acme'] },
      { headers: {}, claimed: { customer: 'acme' } },
    ],
    ['* has the empty value too', true, { departments: ['*'] }, {}],
    [
      'all lists must match',
      false,
      { features: ['checkout'], models: ['claude-haiku-*'] },
      { fixed: { feature: 'checkout' } },
    ],
    ['models and keys', true, { models: ['claude-opus-*'], keys: ['a*'] }, {}],
    ['another key', false, { keys: ['batch'] }, {}],
    ['a tag', true, { tags: { 'cost-center': ['4711', '4712'] } }, { fixed: { 'cost-center': '4712' } }],
    ['another tag', false, { tags: { 'cost-center': ['4711'] } }, { fixed: { 'cost-center': '4712' } }],
    ['no value lies in the prototype', false, { tags: { constructor: ['*Object*'] } }, { claimed: {} }],
  ])('%s: %p', (_name, expected, scope, one) => {
    expect(inScope(scope, one)).toBe(expected);
  });

  test('is not bypassed by leaving out an attribute', () => {
    const value = fc.constantFrom('a', 'b', 'c');
    const listed = fc.array(value, { minLength: 1 });
    const scope = fc.record({ features: listed, customers: listed }, { requiredKeys: [] });
    const claims = fc.dictionary(fc.constantFrom('feature', 'customer'), value);
    fc.assert(
      fc.property(scope, claims, fc.constantFrom('feature', 'customer'), (scope, claimed, left) => {
        const { [left]: _, ...rest } = claimed;
        const before = inScope(scope, { claimed });
        const after = inScope(scope, { claimed: rest });
        expect(after || !before).toBe(true);
        expect(inScope(scope, {})).toBe(true);
      }),
    );
  });
});

describe('an exemption', () => {
  test.each<[string, boolean, CompiledScope, Case]>([
    ['a fixed attribute', true, { features: ['fraud-check'] }, { fixed: { feature: 'fraud-check' } }],
    ['a claim never', false, { features: ['fraud-check'] }, { claimed: { feature: 'fraud-check' } }],
    ['a lacking attribute never, not even by *', false, { features: ['*'] }, {}],
    ['a key, which the credential proves', true, { keys: ['api'] }, {}],
    ['a model never: the caller chooses it', false, { keys: ['api'], models: ['*'] }, {}],
    ['an empty exemption matches no call', false, { tags: {} }, {}],
  ])('%s: %p', (_name, expected, scope, one) => {
    expect(loosened(scope, one)).toBe(expected);
  });

  test('does not depend on attributes that callers set', () => {
    const value = fc.constantFrom('a', 'b', '*');
    const attributes = fc.dictionary(fc.constantFrom('feature', 'customer', 'user', 'tag'), value);
    const scope = fc.record(
      { features: fc.array(value), users: fc.array(value), tags: fc.record({ tag: fc.array(value) }) },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(scope, attributes, attributes, (scope, fixed, claimed) => {
        expect(loosened(scope as CompiledScope, { fixed, claimed })).toBe(loosened(scope, { fixed }));
      }),
    );
  });
});

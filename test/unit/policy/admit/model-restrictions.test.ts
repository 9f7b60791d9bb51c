import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Caller } from '../../../../policy/admit/caller.ts';
import { planFree } from '../../../../policy/admit/plan.ts';
import type {
  Attributes,
  CompiledKey,
  CompiledModels,
  CompiledRestriction,
} from '../../../../policy/core/compiled-policy.ts';
import { parsePriceBook } from '../../../../policy/prices/price-book-file.ts';
import published from '../../../../policy/prices/prices.json' with { type: 'json' };
import { keyOf, planned, workspaceOf } from './planned.ts';

const prices = parsePriceBook(published);
const HAIKU = 'claude-haiku-5-5';
const SONNET = 'claude-sonnet-5-5';
const OPUS = 'claude-opus-5-5';

const restriction = (
  match: CompiledRestriction['match'],
  allow: readonly string[],
  name = 'interns',
): CompiledRestriction => ({ name, match, allow });

interface Asked {
  readonly restrictions: readonly CompiledRestriction[];
  readonly models?: Partial<CompiledModels>;
  readonly key?: Partial<CompiledKey>;
  readonly claimed?: Attributes;
}

function callOf({ restrictions, models, key, claimed = {} }: Asked) {
  const workspace = workspaceOf({
    prices,
    models: { allow: ['claude-*'], unknown: 'Refuse', restrictions, ...models },
  });
  return { caller: new Caller(workspace, keyOf(key)), claimed };
}

function allows(asked: Asked, model: string): boolean {
  const { caller, claimed } = callOf(asked);
  return caller.allows(model, claimed);
}

const sentence = (asked: Asked, model: string): string | undefined =>
  planFree(callOf(asked), { model, files: [] })?.message;

const interns = [restriction({ users: ['intern_*'] }, ['claude-haiku-*'])];

describe('a restriction', () => {
  test.each<[string, boolean, Asked]>([
    ['of a user holds for that user', false, { restrictions: interns, claimed: { user: 'intern_1' } }],
    ['of a user leaves others alone', true, { restrictions: interns, claimed: { user: 'ada' } }],
    ['of a user holds for a call that names none', false, { restrictions: interns }],
    ['of a user holds for an empty name', false, { restrictions: interns, claimed: { user: '' } }],
    [
      'looks at what the credential fixes, not at a claim',
      false,
      { restrictions: interns, key: { attributes: { user: 'intern_2' } }, claimed: { user: 'ada' } },
    ],
    [
      'of a user leaves alone a key that fixes another',
      true,
      { restrictions: interns, key: { attributes: { user: 'ada' } }, claimed: { user: 'intern_1' } },
    ],
    ['of a key', false, { restrictions: [restriction({ keys: ['ap*'] }, [HAIKU])] }],
    ['of another key', true, { restrictions: [restriction({ keys: ['batch'] }, [HAIKU])] }],
    [
      'of a tag',
      false,
      { restrictions: [restriction({ tags: { tier: ['free'] } }, [HAIKU])], key: { attributes: { tier: 'free' } } },
    ],
    ['of a tag that nobody sets', true, { restrictions: [restriction({ tags: { tier: ['free'] } }, [HAIKU])] }],
    [
      'needs all of its lists',
      true,
      { restrictions: [restriction({ keys: ['api'], users: ['intern_1'] }, [HAIKU])], claimed: { user: 'ada' } },
    ],
    ['of other models says nothing', true, { restrictions: [restriction({ models: ['claude-sonnet-*'] }, [HAIKU])] }],
    [
      'of models leaves some of them',
      false,
      { restrictions: [restriction({ models: ['claude-opus-*'] }, ['claude-opus-4-*'])] },
    ],
    ['that allows it', true, { restrictions: [restriction({ keys: ['api'] }, ['claude-opus-*'])] }],
    [
      'is one of several, all of which must allow it',
      false,
      {
        restrictions: [
          restriction({ keys: ['api'] }, ['claude-opus-*'], 'one'),
          restriction({ keys: ['*'] }, ['claude-haiku-*'], 'two'),
        ],
      },
    ],
    [
      'does not widen the list of the workspace',
      false,
      { restrictions: [restriction({ keys: ['api'] }, ['*'])], models: { allow: [HAIKU] } },
    ],
  ])('%s: %p', (_name, expected, asked) => {
    expect(allows(asked, OPUS)).toBe(expected);
  });

  test.each([
    'claude-haiku-4-5',
    'claude-haiku-4-5-20251001',
    'claude-haiku-4-5[1m]',
    'us.anthropic.claude-haiku-4-5-20251001-v1:0',
    'claude-haiku-4-5@20251001',
  ])('takes %s for one model', (model) => {
    for (const listed of [
      'claude-haiku-4-5',
      'claude-haiku-4-5-20251001',
      'anthropic.claude-haiku-4-5-20251001-v1:0',
    ]) {
      expect(allows({ restrictions: [restriction({ keys: ['api'] }, [listed])] }, model)).toBe(true);
      expect(allows({ restrictions: [restriction({ models: [listed] }, ['claude-opus-*'])] }, model)).toBe(false);
    }
  });

  test('holds for a model that the book lacks, and for one whose name is like that of a restricted one', () => {
    const models = { unknown: 'HighestPrice' as const };
    expect(allows({ restrictions: [restriction({ keys: ['api'] }, [HAIKU])], models }, 'claude-next')).toBe(false);
    expect(allows({ restrictions: [restriction({ models: [OPUS] }, [HAIKU])], models }, `${OPUS}-mini`)).toBe(false);
  });

  test('holds for every fallback', () => {
    const facts = {
      model: HAIKU,
      fallbacks: [
        { model: OPUS, maxTokens: null, maxTokensSpan: { start: 0, end: 0 }, fast: false, thinkingBudget: null },
      ],
    };
    const models = { allow: ['claude-*'], unknown: 'Refuse' as const, restrictions: interns };
    const answer = planned({ workspace: { prices, models }, facts, claimed: { user: 'intern_1' } });
    expect(answer.ok ? 'planned' : answer.error.reason).toBe('ModelNotAllowed');
    expect(planned({ workspace: { prices, models }, facts, claimed: { user: 'ada' } }).ok).toBe(true);
  });
});

test('the refusal names the restriction, what it allows, and the way out', () => {
  expect(sentence({ restrictions: interns, claimed: { user: 'intern_1' } }, SONNET)).toBe(
    `Model "${SONNET}" is not allowed for this call in payments/checkout: restriction interns (spec.models.restrictions) matches it and allows only claude-haiku-*. Ask for a model of GET /v1/models.`,
  );
  expect(sentence({ restrictions: interns }, SONNET)).toContain(
    'It matches because the call lacks x-tollgate-user: send that, or ask for a model of GET /v1/models.',
  );
  expect(sentence({ restrictions: [restriction({ keys: ['api'] }, [])] }, SONNET)).toContain(
    'matches it and allows none.',
  );
  const mistyped = { ...interns[0]!, allow: ['claude-haiku-*'] };
  expect(sentence({ restrictions: [mistyped] }, 'claude-haikuu-5-5')).toContain('Did you mean claude-haiku-5-5?');
  expect(sentence({ restrictions: [mistyped] }, 'claude-sonet-5-5')).not.toContain('Did you mean claude-sonnet');
});

const name = fc.constantFrom('a', 'b', 'ab');
const pattern = fc.constantFrom('a', 'b', 'a*', '*');
const patterns = fc.array(pattern, { minLength: 1, maxLength: 2 });
const models = fc.array(fc.constantFrom('claude-haiku-*', HAIKU, SONNET, 'claude-*', OPUS), {
  minLength: 1,
  maxLength: 2,
});
const anyRestriction: fc.Arbitrary<CompiledRestriction> = fc.record({
  name,
  match: fc.record(
    { users: patterns, features: patterns, keys: patterns, models, tags: fc.record({ tier: patterns }) },
    { requiredKeys: [] },
  ) as fc.Arbitrary<CompiledRestriction['match']>,
  allow: models,
});

test('no restriction lets a call have more models, and no call has more by leaving an attribute out', () => {
  const anyAttributes = fc.dictionary(fc.constantFrom('user', 'feature', 'tier'), name);
  fc.assert(
    fc.property(
      fc.array(anyRestriction, { minLength: 1, maxLength: 3 }),
      anyAttributes,
      anyAttributes,
      fc.constantFrom(HAIKU, SONNET, OPUS),
      (restrictions, attributes, claimed, model) => {
        const allowed = (some: readonly CompiledRestriction[], claims: Attributes): boolean =>
          allows(
            { restrictions: some, models: { allow: [HAIKU, SONNET] }, key: { name: 'a', attributes }, claimed: claims },
            model,
          );
        const isAllowed = allowed(restrictions, claimed);
        expect(isAllowed).toBe(allowed([], claimed) && restrictions.every((one) => allowed([one], claimed)));
        expect(allowed(restrictions, {}) && !isAllowed).toBe(false);
      },
    ),
  );
});

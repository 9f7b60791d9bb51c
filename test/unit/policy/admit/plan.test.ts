import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Caller } from '../../../../policy/admit/caller.ts';
import { plan, planFree } from '../../../../policy/admit/plan.ts';
import type { CompiledBudget } from '../../../../policy/core/compiled-policy.ts';
import type { Check } from '../../../../policy/core/counter-check.ts';
import { nano } from '../../../../policy/core/money.ts';
import { parsePriceBook } from '../../../../policy/prices/price-book-file.ts';
import published from '../../../../policy/prices/prices.json' with { type: 'json' };
import type { ServerTool } from '../../../../policy/request/server-tools.ts';
import { budgetOf } from '../../../support/budget.ts';
import { NOW } from '../compile/stored.ts';
import { workspaceOf, keyOf, factsOf, type Asked, planned, admitted, only, refused } from './planned.ts';

const USD = 1_000_000_000n;
const at = (time: string): number => Date.parse(time);

const prices = parsePriceBook(published);

describe('a planned call', () => {
  test('has a check of the worst cost in the running period of each budget', () => {
    expect(admitted({})).toEqual({
      facts: factsOf(),
      edits: [],
      worstNano: 18_000_000n,
      reservedNano: 18_000_000n,
      from: at('2026-11-23T05:00:00Z'),
      until: at('2026-11-24T05:00:00Z'),
      checks: [
        {
          budget: 'payments/checkout-daily',
          counter: `payments/checkout-daily/Day/America/New_York/${at('2026-11-23T05:00:00Z')}`,
          value: null,
          start: at('2026-11-23T05:00:00Z'),
          end: at('2026-11-24T05:00:00Z'),
          mode: 'Enforce',
          bound: { capNano: 25n * USD, roomNano: 25n * USD - 18_000_000n, gapRoomNano: 0n },
          total: null,
        },
      ],
    });
  });

  test('lowers max_tokens to the guard and prices what is sent', () => {
    const { edits, worstNano } = admitted({ workspace: { guards: { maxOutputTokens: 200 } } });
    expect(edits).toEqual([{ start: 41, end: 45, text: '200' }]);
    expect(worstNano).toBe(2_000_000n);
    expect(admitted({ workspace: { guards: { maxOutputTokens: 3_400 } } }).edits).toEqual([]);
  });

  describe('with tools that Anthropic runs', () => {
    const search: ServerTool = {
      kind: 'WebSearch',
      index: 0,
      maxUses: 8,
      inferencesPerUse: 1,
      advisor: null,
      maxUsesSpan: { start: 20, end: 21 },
    };
    const advisor: ServerTool = {
      ...search,
      kind: 'Advisor',
      index: 1,
      maxUses: null,
      advisor: { model: 'claude-haiku-5-5', maxTokens: 0 },
      maxUsesSpan: { start: 10, end: 10 },
    };
    const searching = { serverTools: [search], fillsContext: true, maxTokens: 0 };

    test('reserves a full context window for each use', () => {
      expect(admitted({ facts: searching }).worstNano).toBe(9n * USD + 80_000_000n);
    });

    test('lowers max_uses to the guard, and inserts it where it is missing', () => {
      const guards = { maxToolUses: 2, maxOutputTokens: 3_000 };
      const facts = { ...searching, serverTools: [search, advisor], maxTokens: 3_400 };
      const { edits, worstNano, facts: sent } = admitted({ workspace: { guards }, facts });
      expect(edits).toEqual([
        { start: 10, end: 10, text: '"max_uses":2,' },
        { start: 20, end: 21, text: '2' },
        { start: 41, end: 45, text: '3000' },
      ]);
      expect(sent).toMatchObject({ maxTokens: 3_000, serverTools: [{ maxUses: 2 }, { maxUses: 2 }] });
      // Five inferences of the model, two of the advisor whose cache is written for an hour, two searches.
      expect(worstNano).toBe(5n * (USD + 15_000_000n) + 2n * 2n * USD + 20_000_000n);
      expect(admitted({ workspace: { guards: { maxToolUses: 8 } }, facts: searching }).edits).toEqual([]);
    });

    test('refuses a file of the upstream’s store, whatever the guards, unless the workspace allows files', () => {
      const guards = { unboundedRequestNano: nano(3n * USD) };
      const facts = { files: ['file_1'] };
      expect(refused({ workspace: { guards }, facts })).toMatch(/^FilesNotAllowed: .*\(spec\.files\.mode\)/);
      admitted({ workspace: { files: 'Allow' }, facts });
    });

    test('reserves unboundedRequestUsd for an unbounded request, if every enforcing budget has a tolerance', () => {
      const unbounded = { serverTools: [{ ...search, maxUses: null }], fillsContext: true, maxTokens: 0 };
      const guards = { unboundedRequestNano: nano(3n * USD) };
      const tolerant = { toleranceNano: nano(1n) };
      expect(admitted({ workspace: { guards }, budgets: [tolerant], facts: unbounded }).worstNano).toBe(3n * USD);
      const cheap = { guards: { unboundedRequestNano: nano(1n) } };
      expect(admitted({ workspace: cheap, budgets: [tolerant], facts: unbounded }).worstNano).toBe(USD);
      const budgets = [
        tolerant,
        { name: 'watch', mode: 'Observe' } as const,
        { name: 'free', exempt: { features: ['checkout'] } },
      ];
      const key = { attributes: { feature: 'checkout' } };
      expect(admitted({ workspace: { guards }, budgets, key, facts: unbounded }).checks).toHaveLength(3);
    });

    test('enforces from the instant at which observing ends, with the counters of before, and no call is late', () => {
      const end = NOW + 5_000;
      const budgets = [{ mode: 'Observe', observeUntil: end } as const];
      const before = admitted({ budgets });
      const after = admitted({ budgets, now: end });
      expect([before.checks[0]!.mode, after.checks[0]!.mode]).toEqual(['Observe', 'Enforce']);
      expect([before.until, after.from]).toEqual([end, end]);
      expect(after.checks[0]!.counter).toBe(before.checks[0]!.counter);
    });

    const fallback = { maxTokens: null, maxTokensSpan: { start: 0, end: 0 }, fast: false, thinkingBudget: null };

    test.each([
      ['claude-opus-4-5-20251101', 'claude-opus-4-5'],
      ['claude-opus-4-5', 'claude-opus-4-5-20251101'],
      ['claude-opus-5-5-20260922', 'claude-opus-5-5[1m]'],
      ['claude-opus-5-5-*', 'claude-opus-5-5'],
      ['claude-opus-5-5', 'eu.anthropic.claude-opus-5-5-v1:0'],
    ])('a budget for %s applies to %s', (listed, model) => {
      const budgets = [{}, { name: 'opus', scope: { models: [listed] } }];
      const workspace = {
        prices: parsePriceBook(published),
        models: { allow: ['*'], unknown: 'HighestPrice' as const },
      };
      expect(admitted({ workspace, budgets, facts: { model } }).checks).toHaveLength(2);
      const fallbacks = [{ ...fallback, model }];
      expect(admitted({ workspace, budgets, facts: { fallbacks } }).checks).toHaveLength(2);
      expect(admitted({ workspace, budgets, facts: { model: 'claude-haiku-5-5' } }).checks).toHaveLength(1);
    });

    test('has a check for each model that may answer or advise, and holds while all their prices hold', () => {
      const budgets = [{}, { name: 'opus', scope: { models: ['claude-opus-*'] } }];
      const workspace = { prices: parsePriceBook(published) };
      const fallbacks = [
        {
          model: 'claude-opus-5-5',
          maxTokens: 9_000,
          maxTokensSpan: { start: 50, end: 54 },
          fast: false,
          thinkingBudget: null,
        },
        {
          model: 'claude-sonnet-5-5',
          maxTokens: null,
          maxTokensSpan: { start: 60, end: 60 },
          fast: false,
          thinkingBudget: null,
        },
      ];
      const answer = admitted({ workspace, budgets, facts: { fallbacks } });
      expect(answer.checks).toHaveLength(2);
      const advised = {
        serverTools: [{ ...advisor, maxUses: 1, advisor: { model: 'claude-opus-5-5', maxTokens: 1 } }],
      };
      expect(admitted({ workspace, budgets, facts: advised }).checks).toHaveLength(2);
      const before = at('2026-10-06T12:00:00Z');
      expect(admitted({ workspace, facts: { fallbacks }, now: before }).until).toBe(at('2026-10-07T00:00:00Z'));
      const lowered = admitted({
        workspace: { ...workspace, guards: { maxOutputTokens: 4_000 } },
        facts: { fallbacks },
      });
      expect(lowered.edits).toEqual([{ start: 50, end: 54, text: '4000' }]);
      expect(lowered.facts.fallbacks.map(({ maxTokens }) => maxTokens)).toEqual([4_000, null]);
    });
  });

  test('reserves for the counted tokens plus a tenth, and has the worst case as well', () => {
    const budgets = [{ toleranceNano: nano(3_000_000n) }];
    const facts = { inputTokens: 10_000, maxTokens: 0 };
    const { worstNano, reservedNano, checks } = admitted({ budgets, facts, countedTokens: 4_001 });
    expect([worstNano, reservedNano]).toEqual([10_000_000n, 4_402_000n]);
    expect(checks[0]!.bound).toEqual({
      capNano: 25n * USD,
      roomNano: 25n * USD + 3_000_000n - 4_402_000n,
      gapRoomNano: 3_000_000n - 5_598_000n,
    });
    expect(admitted({ facts, countedTokens: 9_500 })).toMatchObject({
      worstNano: 10_000_000n,
      reservedNano: 10_000_000n,
    });
    expect(admitted({ facts: { ...facts, countable: false }, countedTokens: 1 }).reservedNano).toBe(10_000_000n);
    const sealed = { ...facts, fillsContext: true };
    expect(admitted({ facts: sealed, countedTokens: 20_000 })).toMatchObject({
      worstNano: USD,
      reservedNano: 22_000_000n,
    });
  });

  test('prices an unknown model at the highest price, if the workspace allows it', () => {
    const workspace = { models: { allow: ['*'], unknown: 'HighestPrice' } } as const;
    expect(admitted({ workspace, facts: { model: 'claude-next' } }).worstNano).toBe(18_000_000n);
  });

  test('holds until a period, grant or price begins or ends', () => {
    const grants = [
      { amountNano: nano(10n * USD), from: at('2026-11-23T12:00:00Z'), until: at('2026-11-23T18:00:00Z') },
      { amountNano: nano(5n * USD), from: at('2026-11-23T16:00:00Z'), until: at('2026-11-25T00:00:00Z') },
      { amountNano: nano(1n * USD), from: 0, until: at('2026-11-23T13:00:00Z') },
    ];
    const { from, until, checks } = admitted({
      budgets: [{ grants }, { name: 'hourly', period: { every: 'Hour', timeZone: 'UTC' } }],
    });
    expect([from, until]).toEqual([at('2026-11-23T14:00:00Z'), at('2026-11-23T15:00:00Z')]);
    expect(checks[0]!.bound.capNano).toBe(35n * USD);
    const later = admitted({ budgets: [{ grants }], now: at('2026-11-23T16:00:00Z') });
    expect([later.from, later.until]).toEqual([at('2026-11-23T16:00:00Z'), at('2026-11-23T18:00:00Z')]);
    expect(later.checks[0]!.bound.capNano).toBe(40n * USD);
  });

  test.each([
    ['claude-haiku-4-5', 'claude-haiku-4-5-20251001'],
    ['claude-haiku-4-5-20251001', 'claude-haiku-4-5'],
    ['claude-haiku-4-5', 'claude-haiku-4-5[1m]'],
  ])('does not bypass a budget for %s by asking for %s', (listed, model) => {
    const budgets = [{}, { name: 'haiku', scope: { models: [listed] } }];
    const workspace = { prices: parsePriceBook(published) };
    expect(admitted({ workspace, budgets, facts: { model } }).checks).toHaveLength(2);
    expect(admitted({ workspace, budgets }).checks).toHaveLength(1);
  });

  test('has no check of a budget for Once that has not begun, and holds until it begins', () => {
    const start = at('2026-11-23T20:00:00Z');
    const budgets = [{}, { name: 'launch', period: { every: 'Once', timeZone: 'UTC', start } as const }];
    const before = admitted({ budgets });
    expect(before.checks.map(({ budget }) => budget)).toEqual(['payments/checkout-daily']);
    expect(before.until).toBe(start);
    expect(admitted({ budgets, now: start }).checks).toHaveLength(2);
  });

  test('adds tolerance to the room and the critical extra to the cap, once to each counter', () => {
    const budgets = [
      {
        per: ['customer'],
        totalNano: nano(400n * USD),
        toleranceNano: nano(2n * USD),
        criticalExtraNano: nano(15n * USD),
      },
    ];
    const normal = only({ budgets });
    expect([normal.bound.capNano, normal.total!.capNano]).toEqual([25n * USD, 400n * USD]);
    expect(normal.bound.roomNano).toBe(27n * USD - 18_000_000n);
    const critical = only({ budgets, key: { priority: 'Critical' } });
    expect([critical.bound.capNano, critical.total!.capNano]).toEqual([40n * USD, 415n * USD]);
    expect(critical.total!.roomNano).toBe(417n * USD - 18_000_000n);
  });
});

describe('a refusal', () => {
  test.each<[string, Asked]>([
    [
      'WorkspaceSuspended: The workspace payments/checkout is suspended. Ask its owner to resume it.',
      { workspace: { suspend: true }, facts: { model: 'gpt' } },
    ],
    [
      'UpstreamKeyMissing: The workspace payments/checkout has no upstream key: its Secret is missing. The ClaudeWorkspace names it (spec.upstream.apiKeySecretRef).',
      { workspace: { upstreamKey: null } },
    ],
    [
      'ModelUnknown: Model "claude-next" has no known price, so no budget can bound it. Ask for a model of GET /v1/models.',
      { facts: { model: 'claude-next' } },
    ],
    [
      'ModelUnknown: Model "claude-haku-5-5" has no known price, so no budget can bound it. Did you mean claude-haiku-5-5? Ask for a model of GET /v1/models.',
      { facts: { model: 'claude-haku-5-5' } },
    ],
    [
      'ModelUnknown: Model "claude-2.1" has no known price, so no budget can bound it. Anthropic retired it on 2025-07-21. Ask for a model of GET /v1/models.',
      { workspace: { prices }, facts: { model: 'claude-2.1' } },
    ],
    [
      'ModelNotAllowed: Model "claude-3-opus-latest" is not allowed in payments/checkout. Anthropic retired it on 2026-01-05. Allowed: claude-haiku-*.',
      {
        workspace: { prices, models: { allow: ['claude-haiku-*'], unknown: 'Refuse' } },
        facts: { model: 'claude-3-opus-latest' },
      },
    ],
    [
      'ModelNotAllowed: Model "claude-opus-5.6" is not allowed in payments/checkout. Did you mean claude-opus-5-5? Allowed: claude-opus-5-5, claude-haiku-*.',
      {
        workspace: { prices, models: { allow: ['claude-opus-5-5', 'claude-haiku-*'], unknown: 'Refuse' } },
        facts: { model: 'claude-opus-5.6' },
      },
    ],
    [
      'ModelNotAllowed: Model "claude-4-5-sonet" is not allowed in payments/checkout. Allowed: claude-haiku-5-5.',
      {
        workspace: { prices, models: { allow: ['claude-haiku-5-5'], unknown: 'Refuse' } },
        facts: { model: 'claude-4-5-sonet' },
      },
    ],
    [
      'ModelNotAllowed: Model "claude-haiku-5-5" is not allowed in payments/checkout. Allowed: claude-sonnet-*, claude-opus-*.',
      { workspace: { models: { allow: ['claude-sonnet-*', 'claude-opus-*'], unknown: 'Refuse' } } },
    ],
    [
      'ModelNotAllowed: Model "gpt" is not allowed in payments/checkout. Allowed: claude-*.',
      { facts: { model: 'gpt' } },
    ],
    [
      'InputTooLong: The prompt may have up to 1000 tokens, and the workspace allows 999 (guards.maxInputTokens). Shorten it.',
      { workspace: { guards: { maxInputTokens: 999 } } },
    ],
    [
      'ThinkingTooLong: thinking.budget_tokens is 2000, and the workspace allows 2000 output tokens in all (guards.maxOutputTokens). Lower it.',
      { workspace: { guards: { maxOutputTokens: 2_000 } }, facts: { thinkingBudget: 2_000 } },
    ],
    [
      'ThinkingTooLong: thinking.budget_tokens is 2001, and the workspace allows 2000 output tokens in all (guards.maxOutputTokens). Lower it.',
      { workspace: { guards: { maxOutputTokens: 2_000 } }, facts: { maxTokens: 1, thinkingBudget: 2_001 } },
    ],
    [
      'ThinkingTooLong: thinking.budget_tokens is 9000, and the workspace allows 4000 output tokens in all (guards.maxOutputTokens). Lower it.',
      {
        workspace: { guards: { maxOutputTokens: 4_000 } },
        facts: {
          fallbacks: [
            {
              model: 'claude-haiku-5-5',
              maxTokens: 1,
              maxTokensSpan: { start: 0, end: 0 },
              fast: false,
              thinkingBudget: 9_000,
            },
          ],
        },
      },
    ],
    [
      'RequestTooExpensive: This call may cost up to $0.02, and the workspace allows $0.017000 (guards.maxRequestUsd). Lower max_tokens or shorten the prompt.',
      { workspace: { guards: { maxRequestNano: nano(17_000_000n) } } },
    ],
    [
      'NoBudget: No budget applies to this call in payments/checkout. Create a ClaudeBudget whose scope matches it.',
      { budgets: [{ mode: 'Observe', scope: { models: ['claude-opus-*'] } }] },
    ],
    [
      'NoBudget: No enforcing budget applies to this call in payments/checkout. Create a ClaudeBudget in mode Enforce whose scope matches it.',
      { budgets: [{ mode: 'Observe', observeUntil: NOW + 1 }], requireBudget: 'Enforcing' },
    ],
    ['planned', { budgets: [{ mode: 'Observe' }] }],
    ['planned', { budgets: [{ mode: 'Observe', observeUntil: NOW }], requireBudget: 'Enforcing' }],
    [
      'BudgetSuspended: The budget payments/checkout-daily is suspended, and it applies to this call. Ask its owner to resume it.',
      { budgets: [{ suspend: true, mode: 'Observe' }] },
    ],
    [
      'Unbounded: This request has no maximum cost (mcp_servers, container). Leave it out, or ask for guards.unboundedRequestUsd on the workspace.',
      { facts: { unbounded: ['mcp_servers', 'container'] }, budgets: [{ toleranceNano: nano(USD) }] },
    ],
    [
      'Unbounded: This request has no maximum cost (tools[3].max_uses), and budget payments/strict has no tolerance. Set max_uses on each tool, or ask for limit.toleranceUsd on the budget.',
      {
        facts: {
          serverTools: [
            {
              kind: 'WebSearch',
              index: 3,
              maxUses: null,
              inferencesPerUse: 1,
              advisor: null,
              maxUsesSpan: { start: 0, end: 0 },
            },
          ],
        },
        workspace: { guards: { unboundedRequestNano: nano(1n) } },
        budgets: [{ toleranceNano: nano(USD) }, { name: 'strict' }],
      },
    ],
    [
      'ModelNotAllowed: Model "gpt" is not allowed in payments/checkout. Allowed: claude-*.',
      {
        facts: {
          fallbacks: [
            { model: 'gpt', maxTokens: 1, maxTokensSpan: { start: 0, end: 0 }, fast: false, thinkingBudget: null },
          ],
        },
      },
    ],
    [
      'InputTooLong: The prompt may have up to 1000000 tokens, and the workspace allows 150000 (guards.maxInputTokens). Shorten it.',
      { workspace: { guards: { maxInputTokens: 150_000 } }, facts: { fillsContext: true } },
    ],
    ['planned', { budgets: [{ suspend: true, scope: { models: ['claude-opus-*'] } }, {}] }],
    ['planned', { workspace: { models: { allow: ['claude-haiku-5-5-20261007'], unknown: 'Refuse' } } }],
    ['planned', { budgets: [], requireBudget: 'Off' }],
    ['planned', { workspace: { guards: { maxOutputTokens: 2_000 } }, facts: { maxTokens: 1, thinkingBudget: 2_000 } }],
    ['planned', { workspace: { guards: { maxRequestNano: nano(18_000_000n), maxInputTokens: 1_000 } } }],
  ])('%s', (sentence, asked) => {
    expect(refused(asked)).toBe(sentence);
  });

  test('of a free call depends on neither price nor budget', () => {
    const caller = new Caller(workspaceOf({ budgets: [], guards: { maxInputTokens: 1 } }), keyOf());
    const call = { caller, claimed: {} };
    expect(planFree(call, { model: 'claude-not-in-the-book', files: [] })).toBeNull();
    expect(planFree(call, { model: 'claude-opus-5-5', files: ['f'] })?.reason).toBe('FilesNotAllowed');
    expect(planFree(call, { model: 'gpt', files: [] })?.reason).toBe('ModelNotAllowed');
    expect([caller.allows('claude-x', {}), caller.allows('gpt', {})]).toEqual([true, false]);
  });
});

describe('for any policy and call', () => {
  const value = fc.constantFrom('a', 'b', 'c');
  const attributes = fc.dictionary(fc.constantFrom('feature', 'customer', 'user', 'department'), value);
  const list = fc.array(value, { minLength: 1, maxLength: 2 });
  const amount = fc.bigInt({ min: 0n, max: 50n * USD }).map(nano);
  const scope = fc.record({ features: list, customers: list }, { requiredKeys: [] }) as fc.Arbitrary<
    CompiledBudget['scope']
  >;
  const grant = fc
    .tuple(amount, fc.integer({ min: -48, max: 48 }), fc.integer({ min: 0, max: 48 }))
    .map(([amountNano, from, hours]) => ({
      amountNano,
      from: NOW + from * 3_600_000,
      until: NOW + (from + hours) * 3_600_000,
    }));
  const budget = fc
    .record({
      name: fc.constantFrom('x', 'y', 'z'),
      mode: fc.constantFrom('Enforce' as const, 'Observe' as const),
      observeUntil: fc.integer({ min: NOW - 1e9, max: NOW + 1e9 }),
      scope,
      per: fc.constantFrom<readonly string[]>([], ['customer'], ['feature']),
      limitNano: amount,
      totalNano: amount,
      toleranceNano: amount,
      criticalExtraNano: amount,
      grants: fc.array(grant, { maxLength: 3 }),
      overrides: fc.array(fc.record({ values: fc.tuple(value), limitNano: amount }), { maxLength: 2 }),
      exempt: scope,
      every: fc.constantFrom('Hour' as const, 'Day' as const, 'Week' as const),
    })
    .map(({ every, ...rest }) => budgetOf({ ...rest, period: { every, timeZone: 'Asia/Kolkata' } }));
  const policy = fc.record({
    budgets: fc.array(budget, { maxLength: 4 }),
    key: fc.record({ attributes, priority: fc.constantFrom('Critical' as const, 'Normal' as const) }),
    claimed: attributes,
    now: fc.integer({ min: NOW - 1e9, max: NOW + 1e9 }),
  });

  test('caps hold at the instant of the plan and in the whole interval', () => {
    fc.assert(
      fc.property(policy, ({ budgets, key, claimed, now }) => {
        const asked = { budgets, key, claimed, requireBudget: 'Off' } as const;
        const first = admitted({ ...asked, now });
        expect(first.from).toBeLessThanOrEqual(now);
        expect(first.until).toBeGreaterThan(now);
        expect(admitted({ ...asked, now: first.from }).checks).toEqual(first.checks);
        expect(admitted({ ...asked, now: first.until - 1 }).checks).toEqual(first.checks);
      }),
    );
  });

  test('a second plan of the same caller does not depend on the first', () => {
    fc.assert(
      fc.property(policy, fc.integer({ min: NOW - 1e9, max: NOW + 1e9 }), ({ budgets, key, claimed, now }, other) => {
        const caller = new Caller(workspaceOf({ budgets }), keyOf(key));
        const call = { caller, facts: factsOf(), claimed };
        plan(call, other, { requireBudget: 'Off' });
        expect(plan(call, now, { requireBudget: 'Off' })).toEqual(
          planned({ budgets, key, claimed, now, requireBudget: 'Off' }),
        );
      }),
    );
  });

  test('attributes that callers set raise no cap and exempt from nothing, and leaving them out bypasses nothing', () => {
    fc.assert(
      fc.property(policy, ({ budgets, key, claimed, now }) => {
        const silent = admitted({ budgets, key, now, requireBudget: 'Off' });
        const claiming = admitted({ budgets, key, claimed, now, requireBudget: 'Off' });
        const indexes = (checks: readonly Check[]) => checks.map(({ budget }) => budget);
        const counts = (checks: readonly Check[], budget: string) =>
          checks.filter((check) => check.budget === budget).length;
        for (const name of new Set(indexes(claiming.checks))) {
          expect(counts(silent.checks, name)).toBeGreaterThanOrEqual(counts(claiming.checks, name));
        }
        for (const check of claiming.checks) {
          const twins = silent.checks.filter(({ budget, mode }) => budget === check.budget && mode === check.mode);
          expect(twins.length).toBeGreaterThan(0);
          const caps = twins.map(({ bound }) => bound.capNano);
          expect(caps.some((cap) => check.bound.capNano <= cap)).toBe(true);
        }
      }),
    );
  });
});

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { budgetRefusal } from '../../../../policy/admit/budget-refusal.ts';
import { Caller } from '../../../../policy/admit/caller.ts';
import { type CallPlan, type Plan, plan, planFree } from '../../../../policy/admit/plan.ts';
import { refusalBody, refusalHeaders, refusalStatus } from '../../../../policy/admit/refusal-response.ts';
import { type ResolvedWorkspace } from '../../../../policy/compile/resolved-workspace.ts';
import type { Attributes, CompiledBudget, CompiledKey } from '../../../../policy/core/compiled-policy.ts';
import type { Check, Failure } from '../../../../policy/core/counter-check.ts';
import { type MovingAverage, updateAverage } from '../../../../policy/cost/moving-average.ts';
import { parsePriceBook } from '../../../../policy/prices/price-book-file.ts';
import published from '../../../../policy/prices/prices.json' with { type: 'json' };
import type { RequestFacts } from '../../../../policy/request/request.ts';
import type { ServerTool } from '../../../../policy/request/server-tools.ts';
import { budgetOf } from '../../../support/budget.ts';
import { factsOf as plainFacts } from '../../../support/facts.ts';
import { BOOK, NOW } from '../compile/stored.ts';

const USD = 1_000_000_000n;
const prices = parsePriceBook(JSON.parse(BOOK));
const at = (time: string): number => Date.parse(time);

const workspaceOf = (changes: Partial<ResolvedWorkspace> = {}): ResolvedWorkspace => ({
  namespace: 'payments',
  name: 'checkout',
  generation: 1,
  version: 1,
  baseURL: 'https://api.anthropic.com',
  suspend: false,
  keys: [],
  headers: { feature: 'x-tollgate-feature', customer: 'x-tollgate-customer', user: 'x-tollgate-user' },
  models: { allow: ['claude-*'], unknown: 'Refuse' },
  guards: {},
  batches: 'Refuse',
  refusal: { status: 429, message: 'ask #claude-costs' },
  budgets: [budgetOf()],
  prices,
  upstreamKey: 'sk-ant',
  ...changes,
});

const keyOf = (changes: Partial<CompiledKey> = {}): CompiledKey => ({
  name: 'api',
  priority: 'Normal',
  attributes: {},
  ...changes,
});

/** 1,000 tokens at most in and 3,400 out: $0.018. */
const factsOf = (changes: Partial<RequestFacts> = {}): RequestFacts =>
  plainFacts({
    model: 'claude-haiku-5-5',
    maxTokens: 3_400,
    inputTokens: 1_000,
    maxTokensSpan: { start: 41, end: 45 },
    ...changes,
  });

interface Asked {
  readonly workspace?: Partial<ResolvedWorkspace>;
  readonly budgets?: readonly Partial<CompiledBudget>[];
  readonly key?: Partial<CompiledKey>;
  readonly facts?: Partial<RequestFacts>;
  readonly claimed?: Attributes;
  readonly countedTokens?: number;
  readonly now?: number;
  readonly requireBudget?: boolean;
}

function planned({
  workspace,
  budgets,
  key,
  facts,
  now = NOW,
  requireBudget = true,
  countedTokens,
  ...asked
}: Asked): Plan {
  const resolved = workspaceOf({ ...workspace, ...(budgets && { budgets: budgets.map(budgetOf) }) });
  const call = { caller: new Caller(resolved, keyOf(key)), facts: factsOf(facts), claimed: {}, ...asked };
  return plan(call, now, { requireBudget }, countedTokens);
}

function admitted(asked: Asked): CallPlan {
  const answer = planned(asked);
  if (!answer.ok) throw new Error(answer.error.message);
  return answer.value;
}

const only = (asked: Asked): Check => {
  const { checks } = admitted(asked);
  expect(checks).toHaveLength(1);
  return checks[0]!;
};
const refused = (asked: Asked): string => {
  const answer = planned(asked);
  return answer.ok ? 'planned' : `${answer.error.reason}: ${answer.error.message}`;
};

describe('an admission', () => {
  test('asks the ledger for the worst cost in the running period of each budget', () => {
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

  describe('of tools that Anthropic runs', () => {
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

    test('sets aside a full context window for each use', () => {
      expect(admitted({ facts: searching }).worstNano).toBe(9n * USD + 80_000_000n);
    });

    test('lowers their uses to the guard, and writes them in where they are missing', () => {
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

    test('reserves for what nobody can bound what the workspace says, where every enforcing budget has a tolerance', () => {
      const loose = { serverTools: [{ ...search, maxUses: null }], fillsContext: true, maxTokens: 0 };
      const guards = { unboundedRequestNano: 3n * USD };
      const tolerant = { toleranceNano: 1n };
      expect(admitted({ workspace: { guards }, budgets: [tolerant], facts: loose }).worstNano).toBe(3n * USD);
      const cheap = { guards: { unboundedRequestNano: 1n } };
      expect(admitted({ workspace: cheap, budgets: [tolerant], facts: loose }).worstNano).toBe(USD);
      const budgets = [
        tolerant,
        { name: 'watch', mode: 'Observe' } as const,
        { name: 'free', exempt: { features: ['checkout'] } },
      ];
      const key = { attributes: { feature: 'checkout' } };
      expect(admitted({ workspace: { guards }, budgets, key, facts: loose }).checks).toHaveLength(3);
    });

    test('counts in every budget for a model that may answer or advise, and holds while all their prices do', () => {
      const budgets = [{}, { name: 'opus', scope: { models: ['claude-opus-*'] } }];
      const workspace = { prices: parsePriceBook(published) };
      const fallbacks = [
        { model: 'claude-opus-5-5', maxTokens: 9_000, maxTokensSpan: { start: 50, end: 54 }, fast: false },
        { model: 'claude-sonnet-5-5', maxTokens: null, maxTokensSpan: { start: 60, end: 60 }, fast: false },
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

  test('reserves by a count of the tokens and a tenth more, and tells the worst case as well', () => {
    const budgets = [{ toleranceNano: 3_000_000n }];
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

  test('prices an unknown model at the dearest, where the workspace allows that', () => {
    const workspace = { models: { allow: ['*'], unknown: 'HighestPrice' } } as const;
    expect(admitted({ workspace, facts: { model: 'claude-next' } }).worstNano).toBe(18_000_000n);
  });

  test('holds between the edges of periods, grants and prices', () => {
    const grants = [
      { amountNano: 10n * USD, from: at('2026-11-23T12:00:00Z'), until: at('2026-11-23T18:00:00Z') },
      { amountNano: 5n * USD, from: at('2026-11-23T16:00:00Z'), until: at('2026-11-25T00:00:00Z') },
      { amountNano: 1n * USD, from: 0, until: at('2026-11-23T13:00:00Z') },
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
  ])('does not get round a budget for %s by asking for %s', (listed, model) => {
    const budgets = [{}, { name: 'haiku', scope: { models: [listed] } }];
    const workspace = { prices: parsePriceBook(published) };
    expect(admitted({ workspace, budgets, facts: { model } }).checks).toHaveLength(2);
    expect(admitted({ workspace, budgets }).checks).toHaveLength(1);
  });

  test('does not count in a budget for Once that has not begun, and ends where it begins', () => {
    const start = at('2026-11-23T20:00:00Z');
    const budgets = [{}, { name: 'launch', period: { every: 'Once', timeZone: 'UTC', start } as const }];
    const before = admitted({ budgets });
    expect(before.checks.map(({ budget }) => budget)).toEqual(['payments/checkout-daily']);
    expect(before.until).toBe(start);
    expect(admitted({ budgets, now: start }).checks).toHaveLength(2);
  });

  test('adds tolerance to the room and the critical extra to the cap, once to each counter', () => {
    const budgets = [
      { per: ['customer'], totalNano: 400n * USD, toleranceNano: 2n * USD, criticalExtraNano: 15n * USD },
    ];
    const normal = only({ budgets });
    expect([normal.bound.capNano, normal.total!.capNano]).toEqual([25n * USD, 400n * USD]);
    expect(normal.bound.roomNano).toBe(27n * USD - 18_000_000n);
    const critical = only({ budgets, key: { priority: 'Critical' } });
    expect([critical.bound.capNano, critical.total!.capNano]).toEqual([40n * USD, 415n * USD]);
    expect(critical.total!.roomNano).toBe(417n * USD - 18_000_000n);
  });
});

describe('the value that a call counts under', () => {
  const budgets = [{ per: ['customer', 'tier'], totalNano: 400n * USD }];
  test.each<[string, string, Asked]>([
    [
      'fixed',
      '["acme","gold"]',
      { key: { attributes: { customer: 'acme', tier: 'gold' } }, claimed: { customer: 'other' } },
    ],
    ['claimed', '["umbrella",""]', { claimed: { customer: 'umbrella' } }],
    ['lacking', '["",""]', {}],
    [
      'claimed by a header that the workspace does not take',
      '["",""]',
      { workspace: { headers: {} }, claimed: { customer: 'x' } },
    ],
  ])('%s: %s', (_name, value, asked) => {
    expect(only({ budgets, ...asked }).value).toBe(value);
  });

  test('is never a claimed one where nothing caps all values together', () => {
    expect(only({ budgets: [{ per: ['customer'] }], claimed: { customer: 'fresh' } }).value).toBe('[""]');
  });

  test('has its override where the credential fixes it; where callers claim it only a lower one', () => {
    const overrides = [
      { values: ['acme'], limitNano: 100n * USD },
      { values: ['trial'], limitNano: 1n * USD },
    ];
    const cap = (asked: Asked) =>
      only({ budgets: [{ per: ['customer'], totalNano: 400n * USD, overrides }], ...asked }).bound.capNano;
    expect(cap({ key: { attributes: { customer: 'acme' } } })).toBe(100n * USD);
    expect(cap({ claimed: { customer: 'acme' } })).toBe(25n * USD);
    expect(cap({ claimed: { customer: 'trial' } })).toBe(1n * USD);
    expect(cap({ key: { attributes: { customer: 'other' } } })).toBe(25n * USD);
  });
});

test('what a call is expected to cost is the mean of the last ones', () => {
  const of = (...costs: bigint[]) => costs.reduce<MovingAverage | undefined>(updateAverage, undefined)!.meanNano;
  expect(of(100n)).toBe(100n);
  expect(of(100n, 200n)).toBe(150n);
  const cheap = Array.from({ length: 200 }, () => 10n);
  expect(of(...cheap, 210n)).toBe(20n);
  expect(of(1_000n, ...cheap)).toBeLessThan(40n);
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
      'RequestTooExpensive: This call may cost up to $0.018000, and the workspace allows $0.017000 (guards.maxRequestUsd). Lower max_tokens or shorten the prompt.',
      { workspace: { guards: { maxRequestNano: 17_000_000n } } },
    ],
    [
      'NoBudget: No enforcing budget applies to this call in payments/checkout. Create a ClaudeBudget whose scope matches it.',
      { budgets: [] },
    ],
    [
      'NoBudget: No enforcing budget applies to this call in payments/checkout. Create a ClaudeBudget whose scope matches it.',
      { budgets: [{ mode: 'Observe' }] },
    ],
    [
      'BudgetSuspended: The budget payments/checkout-daily is suspended, and it applies to this call. Ask its owner to resume it.',
      { budgets: [{ suspend: true, mode: 'Observe' }] },
    ],
    [
      'Unbounded: This request has no maximum cost (mcp_servers, container). Set max_uses on each tool and leave out the rest, or ask for guards.maxToolUses or guards.unboundedRequestUsd on the workspace.',
      { facts: { unbounded: ['mcp_servers', 'container'] }, budgets: [{ toleranceNano: USD }] },
    ],
    [
      'Unbounded: This request has no maximum cost (tools[3].max_uses), and budget payments/strict has no tolerance. Set max_uses on each tool and leave out the rest, or ask for limit.toleranceUsd on the budget.',
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
        workspace: { guards: { unboundedRequestNano: 1n } },
        budgets: [{ toleranceNano: USD }, { name: 'strict' }],
      },
    ],
    [
      'ModelNotAllowed: Model "gpt" is not allowed in payments/checkout. Allowed: claude-*.',
      { facts: { fallbacks: [{ model: 'gpt', maxTokens: 1, maxTokensSpan: { start: 0, end: 0 }, fast: false }] } },
    ],
    [
      'InputTooLong: The prompt may have up to 1000000 tokens, and the workspace allows 150000 (guards.maxInputTokens). Shorten it.',
      { workspace: { guards: { maxInputTokens: 150_000 } }, facts: { fillsContext: true } },
    ],
    ['planned', { budgets: [{ suspend: true, scope: { models: ['claude-opus-*'] } }, {}] }],
    ['planned', { budgets: [], requireBudget: false }],
    ['planned', { workspace: { guards: { maxRequestNano: 18_000_000n, maxInputTokens: 1_000 } } }],
  ])('%s', (sentence, asked) => {
    expect(refused(asked)).toBe(sentence);
  });

  test('of a free call knows neither price nor budget', () => {
    const caller = new Caller(workspaceOf({ budgets: [], guards: { maxInputTokens: 1 } }), keyOf());
    expect(planFree(caller, 'claude-not-in-the-book')).toBeNull();
    expect(planFree(caller, 'gpt')?.reason).toBe('ModelNotAllowed');
    expect([caller.allows('claude-x'), caller.allows('gpt')]).toEqual([true, false]);
  });
});

describe('a reservation without room', () => {
  const budgets = [
    budgetOf(),
    budgetOf({ name: 'monthly', period: { every: 'Month', timeZone: 'UTC' }, limitNano: 100n * USD }),
    budgetOf({ name: 'ever', period: { every: 'Once', timeZone: 'UTC', start: 0 }, limitNano: 10_000_000n }),
    budgetOf({ namespace: 'tollgate-system', name: 'organisation', period: { every: 'Quarter', timeZone: 'UTC' } }),
    budgetOf({ name: 'per-customer', per: ['customer'], totalNano: 300n * USD }),
  ];
  const [DAILY, MONTHLY, EVER, ORGANISATION, CUSTOMER] = [0, 1, 2, 3, 4];
  const workspace = workspaceOf({ budgets });
  const caller = new Caller(workspace, keyOf());
  const admission = admitted({ workspace, claimed: { customer: 'acme' } });
  const failure = (check: number, changes: Partial<Failure> = {}): Failure => ({
    check,
    ofTotal: false,
    waiting: false,
    spentNano: 24_998_600_000n,
    committedNano: 24_998_600_000n,
    ...changes,
  });
  const sentence = (...failures: Failure[]): string => budgetRefusal(admission, failures, caller).message;

  test('is worded as the design has it', () => {
    expect(sentence(failure(DAILY))).toBe(
      'Daily budget of $25.00 reached (payments/checkout-daily). Current spend: $24.99. Resets at 2026-11-24T05:00:00Z. ask #claude-costs',
    );
    expect(sentence(failure(CUSTOMER))).toBe(
      'Daily budget of $25.00 reached (payments/per-customer, "acme"). Current spend: $24.99. Resets at 2026-11-24T05:00:00Z. ask #claude-costs',
    );
    expect(sentence(failure(CUSTOMER, { ofTotal: true, spentNano: 299n * USD }))).toBe(
      'Daily budget of $300.00 reached (payments/per-customer, all values together). Current spend: $299.00. Resets at 2026-11-24T05:00:00Z. ask #claude-costs',
    );
  });

  test('tells of a spanning budget name and reset only', () => {
    const refusal = budgetRefusal(admission, [failure(ORGANISATION)], caller);
    expect(refusal.message).toBe(
      'Quarterly budget reached (tollgate-system/organisation). Resets at 2027-01-01T00:00:00Z. ask #claude-costs',
    );
    expect(refusalBody(refusal, 'req_1')).toBe(
      '{"type":"error","error":{"type":"budget_exceeded","message":"Quarterly budget reached (tollgate-system/organisation). Resets at 2027-01-01T00:00:00Z. ask #claude-costs","reset_at":"2027-01-01T00:00:00Z","budget":"tollgate-system/organisation","details":{"error_code":"budget_exceeded"}},"request_id":"req_1"}',
    );
  });

  test('says so where the limit is smaller than the one call, and where it never resets', () => {
    expect(sentence(failure(EVER, { spentNano: 0n }))).toBe(
      'Budget of $0.01 cannot hold this call (payments/ever), which may cost up to $0.018000: lower max_tokens or shorten the prompt. Current spend: $0.00. It does not reset. ask #claude-costs',
    );
  });

  test('names the budget that resets last, and a spent one before a busy one', () => {
    const named = (...failures: Failure[]) =>
      budgetRefusal(admission, failures, caller).message.match(/[a-z-]+\/[a-z-]+/)?.[0];
    expect(named(failure(DAILY), failure(MONTHLY))).toBe('payments/monthly');
    expect(named(failure(EVER), failure(MONTHLY))).toBe('payments/ever');
    expect(named(failure(ORGANISATION, { waiting: true }), failure(DAILY))).toBe('payments/checkout-daily');
    expect(budgetRefusal(admission, [failure(DAILY, { waiting: true })], caller)).toEqual({
      reason: 'BudgetBusy',
      message:
        'Calls in flight have reserved what is left of budget payments/checkout-daily. Try again after retry-after.',
      retryAfter: 1,
    });
  });

  test('is answered in the form that clients understand, with amounts that keep their decimals', () => {
    const refusal = budgetRefusal(admission, [failure(DAILY)], caller);
    expect(refusalStatus(refusal)).toBe(429);
    expect(refusalHeaders(refusal, 'req_1')).toEqual({
      'content-type': 'application/json',
      'request-id': 'req_1',
      'x-should-retry': 'false',
    });
    expect(refusalBody(refusal, 'req_1')).toBe(
      '{"type":"error","error":{"type":"budget_exceeded","message":"Daily budget of $25.00 reached (payments/checkout-daily). Current spend: $24.99. Resets at 2026-11-24T05:00:00Z. ask #claude-costs","budget_limit":25.00,"current_spend":24.99,"reset_at":"2026-11-24T05:00:00Z","budget":"payments/checkout-daily","details":{"error_code":"budget_exceeded","budget_limit":"25.00","current_spend":"24.998600"}},"request_id":"req_1"}',
    );
  });

  test('is a 402 where the workspace asks for one', () => {
    const stern = workspaceOf({ budgets, refusal: { status: 402, message: '' } });
    const refusal = budgetRefusal(admission, [failure(DAILY)], new Caller(stern, keyOf()));
    expect(refusalStatus(refusal)).toBe(402);
    expect(JSON.parse(refusalBody(refusal, 'req_1'))).toMatchObject({
      error: { type: 'billing_error', budget_limit: 25 },
    });
    expect(refusal.message.endsWith('05:00:00Z.')).toBe(true);
  });

  test('of calls in flight may be tried again soon', () => {
    const refusal = budgetRefusal(admission, [failure(DAILY, { waiting: true })], caller);
    expect(refusalStatus(refusal)).toBe(429);
    expect(refusalHeaders(refusal, 'req_1')).toEqual({
      'content-type': 'application/json',
      'request-id': 'req_1',
      'retry-after': '1',
    });
    expect(JSON.parse(refusalBody(refusal, 'req_1'))).toEqual({
      type: 'error',
      error: { type: 'rate_limit_error', message: refusal.message },
      request_id: 'req_1',
    });
  });
});

describe('whatever the policy and the call', () => {
  const value = fc.constantFrom('a', 'b', 'c');
  const attributes = fc.dictionary(fc.constantFrom('feature', 'customer', 'user', 'department'), value);
  const list = fc.array(value, { minLength: 1, maxLength: 2 });
  const nano = fc.bigInt({ min: 0n, max: 50n * USD });
  const scope = fc.record({ features: list, customers: list }, { requiredKeys: [] }) as fc.Arbitrary<
    CompiledBudget['scope']
  >;
  const grant = fc
    .tuple(nano, fc.integer({ min: -48, max: 48 }), fc.integer({ min: 0, max: 48 }))
    .map(([amountNano, from, hours]) => ({
      amountNano,
      from: NOW + from * 3_600_000,
      until: NOW + (from + hours) * 3_600_000,
    }));
  const budget = fc
    .record({
      name: fc.constantFrom('x', 'y', 'z'),
      mode: fc.constantFrom('Enforce' as const, 'Observe' as const),
      scope,
      per: fc.constantFrom<readonly string[]>([], ['customer'], ['feature']),
      limitNano: nano,
      totalNano: nano,
      toleranceNano: nano,
      criticalExtraNano: nano,
      grants: fc.array(grant, { maxLength: 3 }),
      overrides: fc.array(fc.record({ values: fc.tuple(value), limitNano: nano }), { maxLength: 2 }),
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

  test('the terms hold at the instant of the plan and at no instant outside them with other caps', () => {
    fc.assert(
      fc.property(policy, ({ budgets, key, claimed, now }) => {
        const asked = { budgets, key, claimed, requireBudget: false };
        const first = admitted({ ...asked, now });
        expect(first.from).toBeLessThanOrEqual(now);
        expect(first.until).toBeGreaterThan(now);
        expect(admitted({ ...asked, now: first.from }).checks).toEqual(first.checks);
        expect(admitted({ ...asked, now: first.until - 1 }).checks).toEqual(first.checks);
      }),
    );
  });

  test('planning twice with the same objects is planning afresh', () => {
    fc.assert(
      fc.property(policy, fc.integer({ min: NOW - 1e9, max: NOW + 1e9 }), ({ budgets, key, claimed, now }, other) => {
        const caller = new Caller(workspaceOf({ budgets }), keyOf(key));
        const call = { caller, facts: factsOf(), claimed };
        plan(call, other, { requireBudget: false });
        expect(plan(call, now, { requireBudget: false })).toEqual(
          planned({ budgets, key, claimed, now, requireBudget: false }),
        );
      }),
    );
  });

  test('what a caller claims raises no cap, exempts from nothing, and leaving it out escapes nothing', () => {
    fc.assert(
      fc.property(policy, ({ budgets, key, claimed, now }) => {
        const silent = admitted({ budgets, key, now, requireBudget: false });
        const claiming = admitted({ budgets, key, claimed, now, requireBudget: false });
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

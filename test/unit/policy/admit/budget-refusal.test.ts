import { describe, expect, test } from '@jest/globals';
import { budgetRefusal } from '../../../../policy/admit/budget-refusal.ts';
import { Caller } from '../../../../policy/admit/caller.ts';
import { refusalBody, refusalHeaders, refusalStatus } from '../../../../policy/admit/refusal-response.ts';
import type { Disclosure } from '../../../../policy/core/compiled-policy.ts';
import type { Failure, Verdict } from '../../../../policy/core/counter-check.ts';
import { nano } from '../../../../policy/core/money.ts';
import type { RequestFacts } from '../../../../policy/request/request.ts';
import { budgetOf } from '../../../support/budget.ts';
import { NOW as AT } from '../compile/stored.ts';
import { admitted, keyOf, workspaceOf } from './planned.ts';

const USD = 1_000_000_000n;

describe('budgetRefusal', () => {
  const budgets = [
    budgetOf(),
    budgetOf({ name: 'monthly', period: { every: 'Month', timeZone: 'UTC' }, limitNano: nano(100n * USD) }),
    budgetOf({ name: 'ever', period: { every: 'Once', timeZone: 'UTC', start: 0 }, limitNano: nano(10_000_000n) }),
    budgetOf({ namespace: 'tollgate-system', name: 'organisation', period: { every: 'Quarter', timeZone: 'UTC' } }),
    budgetOf({ name: 'per-customer', per: ['customer'], totalNano: nano(300n * USD) }),
    budgetOf({ name: 'unpooled', per: ['feature', 'customer'] }),
    budgetOf({ name: 'per-user', per: ['user'], totalNano: nano(300n * USD) }),
  ];
  const [DAILY, MONTHLY, EVER, ORGANISATION, CUSTOMER, UNPOOLED, USER] = [0, 1, 2, 3, 4, 5, 6];
  const workspace = workspaceOf({ budgets });
  const caller = new Caller(workspace, keyOf());
  const admission = admitted({ workspace, claimed: { customer: 'acme' } });
  const failure = (check: number, changes: Partial<Failure> = {}): Failure => ({
    check,
    ofTotal: false,
    verdict: 'spent',
    spentNano: nano(24_998_600_000n),
    certainNano: nano(24_998_600_000n),
    committedNano: nano(24_998_600_000n),
    ...changes,
  });
  /** A failure of which all that is not spent may be presumed or reserved. USD. */
  const held = (check: number, verdict: Verdict, spent: number, presumed = 0, reserved = 0): Failure => {
    const [spentNano, certainNano, committedNano] = [spent, spent + presumed, spent + presumed + reserved].map((usd) =>
      nano(BigInt(Math.round(usd * 1e9))),
    );
    return failure(check, { verdict, spentNano, certainNano, committedNano } as Partial<Failure>);
  };
  const sentence = (...failures: Failure[]): string => budgetRefusal(admission, failures, caller, AT).message;

  test('names limit, budget, spend and reset', () => {
    expect(sentence(failure(DAILY))).toBe(
      'Daily budget of $25.00 reached (payments/checkout-daily). Current spend: $24.99. Resets at 2026-11-24T05:00:00Z. ask #claude-costs',
    );
    expect(sentence(failure(CUSTOMER))).toBe(
      'Daily budget of $25.00 reached (payments/per-customer, "acme"). Current spend: $24.99. Resets at 2026-11-24T05:00:00Z. ask #claude-costs',
    );
    expect(sentence(failure(CUSTOMER, { ofTotal: true, spentNano: nano(299n * USD) }))).toBe(
      'Daily budget of $300.00 reached (payments/per-customer, all values together). Current spend: $299.00. Resets at 2026-11-24T05:00:00Z. ask #claude-costs',
    );
  });

  test('names what a call lacks for a value of its own', () => {
    expect(sentence(failure(USER))).toContain('reached (payments/per-user, no user). Current spend');
  });

  test('says that callers share a limit, where a budget for each value lacks a total', () => {
    expect(sentence(failure(UNPOOLED))).toBe(
      'Daily budget of $25.00 reached (payments/unpooled, any feature, any customer). Current spend: $24.99. Calls share one limit whatever feature or customer they name, because the budget is not accepted: it lacks spec.limit.totalUsd. Resets at 2026-11-24T05:00:00Z. ask #claude-costs',
    );
    const chat = new Caller(workspace, keyOf({ attributes: { feature: 'chat' } }));
    const planned = admitted({ workspace, key: keyOf({ attributes: { feature: 'chat' } }) });
    expect(budgetRefusal(planned, [failure(UNPOOLED)], chat, AT).message).toContain(
      'reached (payments/unpooled, "chat", any customer).',
    );
  });

  test('shows of a spanning budget its name and reset only', () => {
    const refusal = budgetRefusal(admission, [failure(ORGANISATION)], caller, AT);
    expect(refusal.message).toBe(
      'Quarterly budget has no room for this call (tollgate-system/organisation). Resets at 2027-01-01T00:00:00Z. ask #claude-costs',
    );
    expect(refusalBody(refusal, 'req_1')).toBe(
      '{"type":"error","error":{"type":"budget_exceeded","message":"Quarterly budget has no room for this call (tollgate-system/organisation). Resets at 2027-01-01T00:00:00Z. ask #claude-costs","reset_at":"2027-01-01T00:00:00Z","budget":"tollgate-system/organisation","details":{"error_code":"budget_exceeded"}},"request_id":"req_1"}',
    );
  });

  test('shows of a spanning budget only what it discloses, and the same of a spent and of a small one', () => {
    const refusalUnder = (disclosure: Disclosure, limitNano: bigint, spentNano: bigint, verdict: Verdict = 'spent') => {
      const company = budgetOf({
        namespace: 'tollgate-system',
        name: 'company',
        limitNano: nano(limitNano),
        spanning: { selector: {}, disclosure },
      });
      const here = workspaceOf({ budgets: [company] });
      const amounts = { spentNano: nano(spentNano), certainNano: nano(spentNano), committedNano: nano(spentNano) };
      const failures = [failure(0, { ...amounts, verdict })];
      const refusal = budgetRefusal(admitted({ workspace: here }), failures, new Caller(here, keyOf()), AT);
      return { message: refusal.message, error: JSON.parse(refusalBody(refusal, 'req_1')).error };
    };
    const UNTIL = 'Resets at 2026-11-24T05:00:00Z. ask #claude-costs';
    const tooSmall = refusalUnder('Name', 1_000_000n, 0n, 'tooLarge');
    expect(tooSmall).toEqual(refusalUnder('Name', 25n * USD, 25n * USD));
    expect(tooSmall.message).toBe(`Daily budget has no room for this call (tollgate-system/company). ${UNTIL}`);
    expect(Object.keys(tooSmall.error)).toEqual(['type', 'message', 'reset_at', 'budget', 'details']);
    expect(refusalUnder('Percent', 1_000_000n, 990_001n, 'tooLarge')).toEqual(
      refusalUnder('Percent', 25n * USD, 25n * USD - 1n),
    );
    const { message, error } = refusalUnder('Percent', 25n * USD, 24n * USD);
    expect(message).toBe(
      `Daily budget has no room for this call (tollgate-system/company); 96% of it is used. ${UNTIL}`,
    );
    expect(error).toMatchObject({ percent_used: 96, details: { error_code: 'budget_exceeded' } });
    expect(error.budget_limit ?? error.current_spend ?? error.details.budget_limit).toBeUndefined();
    expect(refusalUnder('Amounts', 25n * USD, 24n * USD).message).toBe(
      `Daily budget of $25.00 reached (tollgate-system/company). Current spend: $24.00. ${UNTIL}`,
    );
  });

  test('says what is left where the call is too large for it, and what would fit', () => {
    expect(sentence(held(EVER, 'tooLarge', 0))).toBe(
      'Budget of $0.01 cannot hold this call (payments/ever), which may cost up to $0.02: lower max_tokens to 1800, or shorten the prompt. $0.01 is left. Current spend: $0.00. It does not reset. ask #claude-costs',
    );
    expect(sentence(held(DAILY, 'tooLarge', 24.9995))).toContain(
      'which may cost up to $0.02: shorten the prompt and lower max_tokens. $0.0005 is left. Current spend: $24.99.',
    );
    const refusal = budgetRefusal(admission, [held(EVER, 'tooLarge', 0.001, 0.002, 0.004)], caller, AT);
    expect(refusal.message).toContain(
      'lower max_tokens to 400, or shorten the prompt. $0.007 is left, of which calls in flight have reserved $0.004. Current spend: $0.001. Presumed, for calls whose cost is not known: $0.002; the platform team can resolve it (docs/how-to/resolve-presumed.md).',
    );
    expect(JSON.parse(refusalBody(refusal, 'req_1'))).toMatchObject({
      error: {
        type: 'budget_exceeded',
        details: {
          error_code: 'budget_exceeded',
          reason: 'RequestTooLarge',
          budget_limit: '0.01',
          current_spend: '0.001000',
          presumed: '0.002000',
          reserved: '0.004000',
          remaining: '0.007000',
          worst_case: '0.018000',
          largest_max_tokens: 400,
        },
      },
    });
    expect([refusalStatus(refusal), refusalHeaders(refusal, 'req_1')['x-should-retry']]).toEqual([429, 'false']);
  });

  test('says of a limit of 0 that it admits no calls', () => {
    const blocked = workspaceOf({ budgets: [budgetOf({ limitNano: nano(0n) })] });
    const refusal = budgetRefusal(
      admitted({ workspace: blocked }),
      [held(0, 'spent', 0)],
      new Caller(blocked, keyOf()),
      AT,
    );
    expect(refusal.message).toBe(
      'Daily budget of $0.00 admits no calls (payments/checkout-daily). Current spend: $0.00. Resets at 2026-11-24T05:00:00Z. ask #claude-costs',
    );
  });

  test('says of a spent budget if it could not hold the call even with nothing spent', () => {
    expect(sentence(held(EVER, 'spent', 0.01))).toBe(
      'Budget of $0.01 cannot hold this call (payments/ever), which may cost up to $0.02, even with nothing spent: lower max_tokens or shorten the prompt. Current spend: $0.01. It does not reset. ask #claude-costs',
    );
  });

  test('tells the largest max_tokens also where thinking would no longer fit, and none for a batch', () => {
    const sentenceFor = (facts: Partial<RequestFacts>) =>
      budgetRefusal(admitted({ workspace, facts }), [held(EVER, 'tooLarge', 0)], caller, AT).message;
    expect(sentenceFor({ thinkingBudget: 3_000 })).toContain(
      'lower max_tokens to 1800 and thinking.budget_tokens below it, or shorten the prompt.',
    );
    expect(sentenceFor({ batch: true, maxTokens: 10_000 })).toContain(
      ': send fewer requests in a batch, or lower their max_tokens. $0.01 is left.',
    );
  });

  test('names presumed money where it fills a budget, and the way out', () => {
    const refusal = budgetRefusal(admission, [held(DAILY, 'spent', 3, 22)], caller, AT);
    expect(refusal.message).toBe(
      'Daily budget of $25.00 has no room for this call (payments/checkout-daily). Current spend: $3.00. Presumed, for calls whose cost is not known: $22.00; the platform team can resolve it (docs/how-to/resolve-presumed.md). Resets at 2026-11-24T05:00:00Z. ask #claude-costs',
    );
    expect(JSON.parse(refusalBody(refusal, 'req_1')).error.details).toEqual({
      error_code: 'budget_exceeded',
      budget_limit: '25.00',
      current_spend: '3.00',
      presumed: '22.00',
    });
    expect(sentence(held(DAILY, 'spent', 25, 1))).toContain(
      'reached (payments/checkout-daily). Current spend: $25.00. R',
    );
    expect(sentence(held(DAILY, 'waiting', 3, 2, 20))).toBe(
      'Calls in flight hold the room that this call needs in budget payments/checkout-daily (reserved: $20.00 of $25.00). Presumed, for calls whose cost is not known: $2.00; the platform team can resolve it (docs/how-to/resolve-presumed.md). Try again after retry-after.',
    );
  });

  test('names the budget that resets last, and a spent one before a busy one', () => {
    const named = (...failures: Failure[]) =>
      budgetRefusal(admission, failures, caller, AT).message.match(/[a-z-]+\/[a-z-]+/)?.[0];
    expect(named(failure(DAILY), failure(MONTHLY))).toBe('payments/monthly');
    expect(named(failure(EVER), failure(MONTHLY))).toBe('payments/ever');
    expect(named(failure(ORGANISATION, { verdict: 'waiting' }), failure(DAILY))).toBe('payments/checkout-daily');
    expect(named(held(MONTHLY, 'tooLarge', 99.99), failure(DAILY))).toBe('payments/checkout-daily');
    expect(named(held(MONTHLY, 'tooLarge', 99.999), held(DAILY, 'tooLarge', 24.99))).toBe('payments/monthly');
    expect(named(held(MONTHLY, 'tooLarge', 99.99), held(DAILY, 'tooLarge', 24.999))).toBe('payments/checkout-daily');
    expect(named(failure(ORGANISATION, { verdict: 'waiting' }), held(DAILY, 'tooLarge', 24.999))).toBe(
      'payments/checkout-daily',
    );
    expect(budgetRefusal(admission, [held(DAILY, 'waiting', 0)], caller, AT)).toMatchObject({
      reason: 'BudgetBusy',
      message:
        'Calls in flight hold the room that this call needs in budget payments/checkout-daily. Try again after retry-after.',
      retryAfter: 1,
    });
  });

  test('has a body that clients understand, with amounts that keep their decimals', () => {
    const refusal = budgetRefusal(admission, [failure(DAILY)], caller, AT);
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

  test('has status 402 if the workspace asks for it', () => {
    const stern = workspaceOf({ budgets, refusal: { status: 402, message: '' } });
    const refusal = budgetRefusal(admission, [failure(DAILY)], new Caller(stern, keyOf()), AT);
    expect(refusalStatus(refusal)).toBe(402);
    expect(JSON.parse(refusalBody(refusal, 'req_1'))).toMatchObject({
      error: { type: 'billing_error', budget_limit: 25 },
    });
    expect(refusal.message.endsWith('05:00:00Z.')).toBe(true);
  });

  test('may be retried soon if calls in flight hold the room', () => {
    const refusal = budgetRefusal(admission, [failure(DAILY, { verdict: 'waiting' })], caller, AT);
    expect(refusalStatus(refusal)).toBe(429);
    expect(refusalHeaders(refusal, 'req_1')).toEqual({
      'content-type': 'application/json',
      'request-id': 'req_1',
      'retry-after': '1',
    });
    expect(JSON.parse(refusalBody(refusal, 'req_1'))).toEqual({
      type: 'error',
      error: {
        type: 'rate_limit_error',
        message: refusal.message,
        budget_limit: 25,
        current_spend: 24.99,
        reset_at: '2026-11-24T05:00:00Z',
        budget: 'payments/checkout-daily',
        details: { error_code: 'budget_busy', budget_limit: '25.00', current_spend: '24.998600' },
      },
      request_id: 'req_1',
    });
  });
});

import { describe, expect, test } from '@jest/globals';
import { budgetRefusal } from '../../../../policy/admit/budget-refusal.ts';
import { Caller } from '../../../../policy/admit/caller.ts';
import { refusalBody, refusalHeaders, refusalStatus } from '../../../../policy/admit/refusal-response.ts';
import type { Disclosure } from '../../../../policy/core/compiled-policy.ts';
import type { Failure } from '../../../../policy/core/counter-check.ts';
import { nano } from '../../../../policy/core/money.ts';
import { budgetOf } from '../../../support/budget.ts';
import { workspaceOf, keyOf, admitted } from './planned.ts';

const USD = 1_000_000_000n;

describe('budgetRefusal', () => {
  const budgets = [
    budgetOf(),
    budgetOf({ name: 'monthly', period: { every: 'Month', timeZone: 'UTC' }, limitNano: nano(100n * USD) }),
    budgetOf({ name: 'ever', period: { every: 'Once', timeZone: 'UTC', start: 0 }, limitNano: nano(10_000_000n) }),
    budgetOf({ namespace: 'tollgate-system', name: 'organisation', period: { every: 'Quarter', timeZone: 'UTC' } }),
    budgetOf({ name: 'per-customer', per: ['customer'], totalNano: nano(300n * USD) }),
  ];
  const [DAILY, MONTHLY, EVER, ORGANISATION, CUSTOMER] = [0, 1, 2, 3, 4];
  const workspace = workspaceOf({ budgets });
  const caller = new Caller(workspace, keyOf());
  const admission = admitted({ workspace, claimed: { customer: 'acme' } });
  const failure = (check: number, changes: Partial<Failure> = {}): Failure => ({
    check,
    ofTotal: false,
    waiting: false,
    spentNano: nano(24_998_600_000n),
    certainNano: nano(24_998_600_000n),
    ...changes,
  });
  const sentence = (...failures: Failure[]): string => budgetRefusal(admission, failures, caller).message;

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

  test('shows of a spanning budget its name and reset only', () => {
    const refusal = budgetRefusal(admission, [failure(ORGANISATION)], caller);
    expect(refusal.message).toBe(
      'Quarterly budget has no room for this call (tollgate-system/organisation). Resets at 2027-01-01T00:00:00Z. ask #claude-costs',
    );
    expect(refusalBody(refusal, 'req_1')).toBe(
      '{"type":"error","error":{"type":"budget_exceeded","message":"Quarterly budget has no room for this call (tollgate-system/organisation). Resets at 2027-01-01T00:00:00Z. ask #claude-costs","reset_at":"2027-01-01T00:00:00Z","budget":"tollgate-system/organisation","details":{"error_code":"budget_exceeded"}},"request_id":"req_1"}',
    );
  });

  test('shows of a spanning budget only what it discloses, and the same of a spent and of a small one', () => {
    const refusalUnder = (disclosure: Disclosure, limitNano: bigint, spentNano: bigint) => {
      const company = budgetOf({
        namespace: 'tollgate-system',
        name: 'company',
        limitNano: nano(limitNano),
        spanning: { selector: {}, disclosure },
      });
      const here = workspaceOf({ budgets: [company] });
      const failures = [failure(0, { spentNano: nano(spentNano), certainNano: nano(spentNano) })];
      const refusal = budgetRefusal(admitted({ workspace: here }), failures, new Caller(here, keyOf()));
      return { message: refusal.message, error: JSON.parse(refusalBody(refusal, 'req_1')).error };
    };
    const UNTIL = 'Resets at 2026-11-24T05:00:00Z. ask #claude-costs';
    const tooSmall = refusalUnder('Name', 1_000_000n, 0n);
    expect(tooSmall).toEqual(refusalUnder('Name', 25n * USD, 25n * USD));
    expect(tooSmall.message).toBe(`Daily budget has no room for this call (tollgate-system/company). ${UNTIL}`);
    expect(Object.keys(tooSmall.error)).toEqual(['type', 'message', 'reset_at', 'budget', 'details']);
    expect(refusalUnder('Percent', 1_000_000n, 990_001n)).toEqual(refusalUnder('Percent', 25n * USD, 25n * USD - 1n));
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

  test('says if the limit is below the cost of the call, and if the budget never resets', () => {
    expect(sentence(failure(EVER, { spentNano: nano(0n) }))).toBe(
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

  test('has a body that clients understand, with amounts that keep their decimals', () => {
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

  test('has status 402 if the workspace asks for it', () => {
    const stern = workspaceOf({ budgets, refusal: { status: 402, message: '' } });
    const refusal = budgetRefusal(admission, [failure(DAILY)], new Caller(stern, keyOf()));
    expect(refusalStatus(refusal)).toBe(402);
    expect(JSON.parse(refusalBody(refusal, 'req_1'))).toMatchObject({
      error: { type: 'billing_error', budget_limit: 25 },
    });
    expect(refusal.message.endsWith('05:00:00Z.')).toBe(true);
  });

  test('may be retried soon if calls in flight hold the room', () => {
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

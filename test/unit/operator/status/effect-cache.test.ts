import { expect, test } from '@jest/globals';
import { EffectCache } from '../../../../operator/status/effect-cache.ts';
import type { BudgetOutcome, WorkspaceOutcome } from '../../../../policy/compile/compile-output.ts';
import type { CompiledWorkspace } from '../../../../policy/core/compiled-policy.ts';
import { nano } from '../../../../policy/core/money.ts';
import { budgetOf } from '../../../support/budget.ts';
import { bookOf } from '../../../support/prices.ts';

const END = Date.parse('2026-12-01T00:00:00Z');
const book = bookOf({ '2026-01-01': '5' });
const budget = budgetOf({
  scope: { keys: ['api'] },
  grants: [{ amountNano: nano(10_000_000_000n), from: 0, until: END }],
});
const workspace = {
  keys: [{ name: 'api', priority: 'Normal', attributes: {} }],
  headers: {},
  models: { allow: ['*'], unknown: 'Refuse' },
  guards: {},
} as unknown as CompiledWorkspace;

function inputOf(inForce: CompiledWorkspace) {
  const outcome = { inForce, budgets: [budget] } as unknown as WorkspaceOutcome;
  return { published: { output: { workspaces: new Map([['payments/checkout', outcome]]) } }, book, now: END - 1 };
}
const required = [{ workspace: 'payments/checkout', shard: 's', version: 1 }];
const outcome = { inForce: budget, required } as unknown as BudgetOutcome;

test('the finding is the same object until what it follows from changes, or a grant ends', () => {
  const cache = new EffectCache({ requireBudget: 'Any' });
  const of = (inForce: CompiledWorkspace, now = END - 1) => cache.ofBudget('uid', outcome, inputOf(inForce), now);
  const first = of(workspace);
  expect(first.reason).toBe('Effective');
  expect(of(workspace)).toBe(first);
  expect(of({ ...workspace })).toBe(first); // an edit elsewhere writes no status
  expect(of({ ...workspace, keys: [{ name: 'appi', priority: 'Normal', attributes: {} }] }).reason).toBe(
    'MatchesNothing',
  );
  expect(of(workspace, END).reason).toBe('GrantsExpired');
});

test('nothing is said of what is not in force', () => {
  const cache = new EffectCache({ requireBudget: 'Any' });
  const gone = { inForce: null, required: [] } as unknown as BudgetOutcome;
  expect(cache.ofBudget('uid', gone, inputOf(workspace), END).reason).toBe('NotInForce');
});

import { expect } from '@jest/globals';
import { Caller } from '../../../../policy/admit/caller.ts';
import { type CallPlan, type Plan, plan } from '../../../../policy/admit/plan.ts';
import type { ResolvedWorkspace } from '../../../../policy/admit/resolved-workspace.ts';
import type { Settings } from '../../../../policy/config/settings.ts';
import type { Attributes, CompiledBudget, CompiledKey } from '../../../../policy/core/compiled-policy.ts';
import type { Check } from '../../../../policy/core/counter-check.ts';
import { SHIPPED_NAMES } from '../../../../policy/names/name-list.ts';
import { parsePriceBook } from '../../../../policy/prices/price-book-file.ts';
import type { RequestFacts } from '../../../../policy/request/request.ts';
import { budgetOf } from '../../../support/budget.ts';
import { factsOf as plainFacts } from '../../../support/facts.ts';
import { OWNER } from '../../../support/owner.ts';
import { BOOK, NOW } from '../compile/stored.ts';

const prices = parsePriceBook(JSON.parse(BOOK));

export const workspaceOf = (changes: Partial<ResolvedWorkspace> = {}): ResolvedWorkspace => ({
  namespace: 'payments',
  name: 'checkout',
  uid: OWNER.workspaceUid,
  namespaceUid: OWNER.namespaceUid,
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
  unknownFields: 'Forward',
  names: SHIPPED_NAMES,
  upstreamKey: 'sk-ant',
  ...changes,
});

export const keyOf = (changes: Partial<CompiledKey> = {}): CompiledKey => ({
  name: 'api',
  priority: 'Normal',
  attributes: {},
  ...changes,
});

/** 1,000 tokens at most in and 3,400 out: $0.018. */
export const factsOf = (changes: Partial<RequestFacts> = {}): RequestFacts =>
  plainFacts({
    model: 'claude-haiku-5-5',
    maxTokens: 3_400,
    inputTokens: 1_000,
    maxTokensSpan: { start: 41, end: 45 },
    ...changes,
  });

export interface Asked {
  readonly workspace?: Partial<ResolvedWorkspace>;
  readonly budgets?: readonly Partial<CompiledBudget>[];
  readonly key?: Partial<CompiledKey>;
  readonly facts?: Partial<RequestFacts>;
  readonly claimed?: Attributes;
  readonly countedTokens?: number;
  readonly now?: number;
  readonly requireBudget?: Settings['requireBudget'];
}

export function planned({
  workspace,
  budgets,
  key,
  facts,
  now = NOW,
  requireBudget = 'Any',
  countedTokens,
  ...asked
}: Asked): Plan {
  const resolved = workspaceOf({ ...workspace, ...(budgets && { budgets: budgets.map(budgetOf) }) });
  const call = { caller: new Caller(resolved, keyOf(key)), facts: factsOf(facts), claimed: {}, ...asked };
  return plan(call, now, { requireBudget }, countedTokens);
}

export function admitted(asked: Asked): CallPlan {
  const answer = planned(asked);
  if (!answer.ok) throw new Error(answer.error.message);
  return answer.value;
}

export const only = (asked: Asked): Check => {
  const { checks } = admitted(asked);
  expect(checks).toHaveLength(1);
  return checks[0]!;
};
export const refused = (asked: Asked): string => {
  const answer = planned(asked);
  return answer.ok ? 'planned' : `${answer.error.reason}: ${answer.error.message}`;
};

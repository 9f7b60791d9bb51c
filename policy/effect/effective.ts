/**
 * The condition Effective: whether what a resource says can have an effect. What has none is no error, since keys and models
 * come later; but most often it is a slip of the pen, and a budget that matches nothing protects nothing.
 */

import type { Settings } from '../config/settings.ts';
import { modeAt } from '../core/budget-period.ts';
import { type CompiledBudget, type CompiledWorkspace, keysOf } from '../core/compiled-policy.ts';
import type { Finding } from '../core/conditions.ts';
import { scopeMatch, scopeMatchers, spanningScopeMatch } from '../core/matching.ts';
import { add, formatUsd, type Nano, usdAtMost } from '../core/money.ts';
import { rfc3339 } from '../core/period.ts';
import type { PriceBook } from '../prices/price-book.ts';
import { namesNoModel } from './models.ts';
import { possibleCalls } from './possible-calls.ts';
import { restrictionSlips } from './restrictions.ts';
import { unmatchedExemption, unmatchedOverrides, unmatchedPer, unmatchedScope } from './unmatched.ts';
import { cheapestUsualCall } from './usual-call.ts';

/** What a resource is held against. */
export interface EffectContext {
  readonly book: PriceBook;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

type EffectFinding = Finding<'Effective'>;
type Lack = Exclude<EffectFinding['reason'], 'Effective' | 'NotInForce'>;

/** Most messages have one or two sentences; a list with many slips has more than anybody reads at once. */
const MAX_SENTENCES = 8;

/** Whether a budget in force can have the effect that it says. `workspaces`: those in force that it applies to. */
export function budgetEffective(
  budget: CompiledBudget,
  workspaces: readonly CompiledWorkspace[],
  context: EffectContext,
): EffectFinding {
  return summed([
    ['MatchesNothing', matchesNothing(budget, workspaces, context)],
    ['OverridesUnmatched', hasKeys(workspaces) ? unmatchedOverrides(budget, possibleCalls(budget, workspaces)) : []],
    ['LimitBelowCall', limitsBelowCall(budget, workspaces, context)],
    ['GrantsExpired', expiredGrants(budget, context)],
  ]);
}

/** Whether a workspace in force can have the effect that it says. `budgets`: those in force that apply to it. */
export function workspaceEffective(
  workspace: CompiledWorkspace,
  budgets: readonly CompiledBudget[],
  { book, now, requireBudget }: EffectContext & Pick<Settings, 'requireBudget'>,
): EffectFinding {
  const granting = budgets.filter((one) => requireBudget !== 'Enforcing' || modeAt(one, now) === 'Enforce');
  const idle = requireBudget === 'Off' || granting.length === 0 ? [] : keysWithoutBudget(workspace, granting);
  const models = workspace.models.allow.flatMap(
    (pattern) => namesNoModel('spec.models.allow', pattern, [workspace], book) ?? [],
  );
  return summed([
    [
      'MatchesNothing',
      [...(workspace.keys.length === 0 ? [NO_KEY] : []), ...models, ...restrictionSlips(workspace, book), ...idle],
    ],
    ['LimitBelowCall', guardBelowCall(workspace, book, now)],
  ]);
}

const NO_KEY = 'spec.keys: it has no key, so nobody can call. Add one, such as {name: api, secretName: api-claude}.';

/** The first reason that has sentences, with the sentences of all. */
function summed(found: readonly (readonly [Lack, readonly string[]])[]): EffectFinding {
  const sentences = found.flatMap(([, some]) => some);
  const [reason] = found.find(([, some]) => some.length > 0) ?? [];
  if (reason === undefined) return { reason: 'Effective', message: 'All that it names can be matched by a call.' };
  const rest = sentences.length - MAX_SENTENCES;
  const more = rest > 0 ? ` There are ${rest} more.` : '';
  return { reason, message: `${sentences.slice(0, MAX_SENTENCES).join(' ')}${more}` };
}

function matchesNothing(
  budget: CompiledBudget,
  workspaces: readonly CompiledWorkspace[],
  { book }: EffectContext,
): readonly string[] {
  if (workspaces.length === 0) return budget.spanning === undefined ? [] : [NO_WORKSPACE];
  if (!hasKeys(workspaces)) return []; // the workspace says so
  const calls = possibleCalls(budget, workspaces);
  return [
    ...unmatchedScope('spec.scope', budget.scope, { calls, workspaces, book }),
    ...unmatchedPer(budget, calls),
    ...unmatchedExemption(budget, calls),
  ];
}

const NO_WORKSPACE =
  'spec.namespaceSelector: no namespace with these labels has a workspace. Compare it with kubectl get namespaces --show-labels.';

function hasKeys(workspaces: readonly CompiledWorkspace[]): boolean {
  return workspaces.some(({ keys }) => keys.length > 0);
}

/** What is 0 is so on purpose. */
function limitsBelowCall(
  { limitNano, totalNano, overrides, toleranceNano, scope }: CompiledBudget,
  workspaces: readonly CompiledWorkspace[],
  { book, now }: EffectContext,
): readonly string[] {
  const call = cheapestUsualCall(workspaces, scope, book, now);
  if (call === null) return [];
  const isBelow = (limit: Nano): boolean => limit > 0n && add(limit, toleranceNano) < call.costNano;
  const limits = [
    { field: 'spec.limit.usd', limit: limitNano },
    ...(totalNano === undefined ? [] : [{ field: 'spec.limit.totalUsd', limit: totalNano }]),
    ...overrides.map((one, i) => ({ field: `spec.limit.overrides[${i}].usd`, limit: one.limitNano })),
  ];
  return limits
    .filter(({ limit }) => isBelow(limit))
    .map(
      ({ field, limit }) =>
        `${field}: $${formatUsd(limit)} is less than one usual call may cost: $${usdAtMost(call.costNano)} with ${call.model}, the cheapest model here. Raise it; amounts are US dollars, not cents.`,
    );
}

function guardBelowCall(workspace: CompiledWorkspace, book: PriceBook, now: number): readonly string[] {
  const limit = workspace.guards.maxRequestNano;
  const call = cheapestUsualCall([workspace], {}, book, now);
  if (limit === undefined || call === null || limit >= call.costNano) return [];
  return [
    `spec.guards.maxRequestUsd: $${formatUsd(limit)} is less than one usual call may cost: $${usdAtMost(call.costNano)} with ${call.model}, the cheapest model that is allowed. Raise it; amounts are US dollars, not cents.`,
  ];
}

function expiredGrants({ grants }: CompiledBudget, { now }: EffectContext): readonly string[] {
  return grants.flatMap(({ amountNano, until }, i) =>
    until > now
      ? []
      : `spec.grants[${i}]: the grant of $${formatUsd(amountNano)} ended at ${rfc3339(until)}. Remove it, or write a later untilTime.`,
  );
}

/** The keys of whose calls no budget can match one, so that they are refused. */
function keysWithoutBudget(workspace: CompiledWorkspace, budgets: readonly CompiledBudget[]): readonly string[] {
  const fixed = workspace.namespaceAttributes ?? {};
  const limits = budgets.map(({ scope, spanning }) => ({ scope: scopeMatchers(scope), spanning }));
  return keysOf(workspace)
    .filter((key) =>
      limits.every(({ scope, spanning }) =>
        spanning === undefined
          ? scopeMatch(scope, workspace, key) === false
          : spanningScopeMatch(scope, fixed, key) === false,
      ),
    )
    .map(
      ({ name }) =>
        `spec.keys: no budget's scope matches calls with key "${name}", so they are refused (NoBudget). Create a budget for them, or widen the scope of one.`,
    );
}

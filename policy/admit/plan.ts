/** Whether a call may go, and what the ledger must check for it: allow-list, price, guards, then budgets. */

import type { ResolvedWorkspace } from '../compile/resolved-workspace.ts';
import type { Settings } from '../config/settings.ts';
import type { Attributes } from '../core/compiled-policy.ts';
import { refOf } from '../core/compiled-policy.ts';
import type { Check } from '../core/counter-check.ts';
import {
  batchesNotAllowed,
  budgetSuspended,
  modelNotAllowed,
  modelUnknown,
  noBudget,
  unboundedIn,
  upstreamKeyMissing,
  workspaceSuspended,
} from '../core/refusal-sentences.ts';
import type { Refusal, RefusalReason } from '../core/refusals.ts';
import { withCount, worstCost } from '../cost/worst-cost.ts';
import { highestRateAt, type Rate, rateAt } from '../prices/price-book.ts';
import { modelsOf, type RequestFacts } from '../request/request.ts';
import type { Caller } from './caller.ts';
import { type Edit, applyRequestLimits, type LimitedRequest } from './request-limits.ts';

/** One call as the plan sees it. */
export interface Call {
  readonly caller: Caller;
  readonly facts: RequestFacts;
  /** What the caller said of itself by header; overlaid by what the credential fixes. */
  readonly claimed: Attributes;
  /** How many tokens the upstream counts in the prompt, where it was asked. */
  readonly countedTokens?: number;
  /** What calls like it cost lately in this gateway, in nano-dollars; null before the first. */
  readonly expectedNano?: bigint | null;
}

/** A call that may go upstream once the ledger has reserved `worstNano` with `checks`. */
export interface PlannedCall {
  readonly kind: 'Forward';
  /** What is sent, the edits made. */
  readonly facts: RequestFacts;
  /** What replaces bytes of the body, in ascending order; empty where the body goes on byte for byte. */
  readonly edits: readonly Edit[];
  /** What is reserved. */
  readonly worstNano: bigint;
  /** By how much that is below the bound that the bytes of the body give: a count of tokens is no promise. */
  readonly gapNano: bigint;
  /** The instants between which caps and prices hold, half-open, in milliseconds. */
  readonly from: number;
  readonly until: number;
  readonly checks: readonly Check[];
}

/** What becomes of a call before the ledger is asked. */
export type Plan = PlannedCall | { readonly kind: 'Refuse'; readonly refusal: Refusal };

/**
 * Decides a call: it is refused, or it may go once the ledger has reserved its worst cost. `now` is in milliseconds;
 * after `wrongPeriod` plan again at the ledger's. Pure and fast: what can be known before a call is kept by workspace.
 */
export function plan(call: Call, now: number, settings: Pick<Settings, 'requireBudget'>): Plan {
  const { workspace } = call.caller;
  const { prices } = workspace;
  const models = modelsOf(call.facts);
  const refusal =
    closed(workspace) ?? first(models, (model) => disallowed(call.caller, model) ?? unpriced(workspace, model, now));
  if (refusal !== null) return { kind: 'Refuse', refusal };
  const rates = models.map((model) => rateAt(prices, model, now) ?? highestRateAt(prices, now));
  const guarded = applyRequestLimits(call.facts, workspace.guards, { rate: rates[0]!, book: prices, at: now });
  if (guarded.kind === 'Blocked') return refuse(guarded.reason, guarded.message);
  const worstNano = counted(call, guarded, now);
  return admit(call, { ...guarded, worstNano, gapNano: guarded.worstNano - worstNano }, rates, now, settings);
}

/** Whether a call that costs nothing (count_tokens) may go: null, or the refusal. */
export function planFree(caller: Caller, model: string): Refusal | null {
  return closed(caller.workspace) ?? disallowed(caller, model);
}

/** Whether batches may be sent, or one that is there be asked for: null, or the refusal. */
export function planBatches({ workspace }: Caller, isNew: boolean): Refusal | null {
  const refusal = closed(workspace);
  if (refusal !== null || !isNew || workspace.batches === 'Allow') return refusal;
  return { reason: 'BatchesNotAllowed', message: batchesNotAllowed(refOf(workspace)) };
}

function closed(workspace: ResolvedWorkspace): Refusal | null {
  const ref = refOf(workspace);
  if (workspace.suspend) return { reason: 'WorkspaceSuspended', message: workspaceSuspended(ref) };
  if (workspace.upstreamKey === null) return { reason: 'UpstreamKeyMissing', message: upstreamKeyMissing(ref) };
  return null;
}

function disallowed(caller: Caller, model: string): Refusal | null {
  if (caller.allows(model)) return null;
  const { workspace } = caller;
  return { reason: 'ModelNotAllowed', message: modelNotAllowed(model, refOf(workspace), workspace.models.allow) };
}

function unpriced({ models, prices }: ResolvedWorkspace, model: string, now: number): Refusal | null {
  if (models.unknown === 'HighestPrice' || rateAt(prices, model, now) !== null) return null;
  return { reason: 'ModelUnknown', message: modelUnknown(model) };
}

/** What is reserved of the bound: as much, or as little as the tokens that were counted ask for. */
function counted({ caller, countedTokens }: Call, { facts, worstNano }: LimitedRequest, now: number): bigint {
  if (countedTokens === undefined || !facts.countable) return worstNano;
  const tight = worstCost(withCount(facts, countedTokens), caller.workspace.prices, now);
  return tight < worstNano ? tight : worstNano;
}

function first(models: readonly string[], refusalOf: (model: string) => Refusal | null): Refusal | null {
  for (const model of models) {
    const refusal = refusalOf(model);
    if (refusal !== null) return refusal;
  }
  return null;
}

function admit(
  call: Call,
  { worstNano, gapNano, loose, edits, facts }: LimitedRequest & { readonly gapNano: bigint },
  rates: readonly Rate[],
  now: number,
  settings: Pick<Settings, 'requireBudget'>,
): Plan {
  const { workspace, key, budgets } = call.caller;
  const attributes = { ...call.claimed, ...key.attributes };
  const named = [...modelsOf(facts), ...rates.flatMap(({ names }) => names)];
  const checks: Check[] = [];
  let granted = !settings.requireBudget;
  let from = Math.max(...rates.map((rate) => rate.from));
  let until = Math.min(...rates.map((rate) => rate.until));
  for (const applied of budgets) {
    if (!applied.appliesTo(attributes, named)) continue;
    const limit = applied.limitAt(now);
    from = Math.max(from, limit.from);
    until = Math.min(until, limit.until);
    if (!limit.begun) continue;
    if (applied.budget.suspend) return refuse('BudgetSuspended', budgetSuspended(applied.budget));
    if (loose.length > 0 && applied.isStrict) return refuse('Unbounded', unboundedIn(loose, applied.ref));
    granted ||= applied.budget.mode === 'Enforce';
    checks.push(applied.check(limit, attributes, { worstNano, gapNano }));
  }
  if (!granted) return refuse('NoBudget', noBudget(refOf(workspace)));
  return { kind: 'Forward', facts, edits, worstNano, gapNano, from, until, checks };
}

function refuse(reason: RefusalReason, message: string): Plan {
  return { kind: 'Refuse', refusal: { reason, message } };
}

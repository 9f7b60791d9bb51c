/** Plans a call: whether it may be forwarded, and what the ledger must check. Allow-list, price, guards, then budgets. */

import type { Settings } from '../config/settings.ts';
import { refOf } from '../core/compiled-policy.ts';
import type { Check } from '../core/counter-check.ts';
import { min, type Nano, subtract } from '../core/money.ts';
import { err, ok, type Result } from '../core/result.ts';
import { isCountable, unboundedPaths, withCount, worstCost } from '../cost/worst-cost.ts';
import { highestRateAt, possibleNames, type Rate, rateAt } from '../prices/price-book.ts';
import * as sentences from '../refusals/refusal-sentences.ts';
import { type Refusal, type RefusalReason, refusalFor } from '../refusals/refusals.ts';
import type { CountFacts } from '../request/count-reading.ts';
import { modelsOf, type RequestFacts } from '../request/request.ts';
import type { AttributedCaller, Caller } from './caller.ts';
import { disallowed, unpriced } from './model-refusal.ts';
import { rejectedCapability } from './rejected-capability.ts';
import { applyRequestLimits, type Edit, type LimitedRequest } from './request-limits.ts';
import type { ResolvedWorkspace } from './resolved-workspace.ts';
import { pathsOf, unknownRefusal, withoutHarmless } from './unknown-names.ts';

export interface Call extends AttributedCaller {
  readonly facts: RequestFacts;
}

/** How a call is forwarded once the ledger has reserved `reservedNano` with `checks`. */
export interface CallPlan {
  /** The request as it will be sent, with the edits. */
  readonly facts: RequestFacts;
  /** Edits of the body, in ascending order; without any, the body is forwarded byte for byte. */
  readonly edits: readonly Edit[];
  /** The most that the call can cost, by the body's bytes. Nano-dollars. */
  readonly worstNano: Nano;
  /** The amount to reserve: the worst case, or less if the prompt's tokens were counted. Nano-dollars. */
  readonly reservedNano: Nano;
  /** The interval in which caps and prices hold, half-open, in milliseconds. */
  readonly from: number;
  readonly until: number;
  readonly checks: readonly Check[];
}

/** The decision on a call before the ledger is asked. */
export type Plan = Result<CallPlan, Refusal>;

/**
 * Decides on a call: it is refused, or it may be forwarded once the ledger has reserved its worst cost. `now` is in
 * milliseconds; after `wrongPeriod` plan again at the ledger's time. `countedTokens`: the upstream's count of the
 * prompt's tokens, null if it was not asked.
 */
export function plan(
  call: Call,
  now: number,
  settings: Pick<Settings, 'requireBudget'>,
  countedTokens: number | null = null,
): Plan {
  const { workspace } = call.caller;
  const { prices } = workspace;
  const facts = withoutHarmless(call.facts, workspace);
  const models = modelsOf(facts);
  const refusal =
    closed(workspace) ??
    (facts.files.length > 0 ? filesRefused(workspace) : null) ??
    first(models, (model) => disallowed(call, model) ?? unpriced(call, model));
  if (refusal !== null) return err(refusal);
  const rates = models.map((model) => rateAt(prices, model, now) ?? highestRateAt(prices, now));
  const unknown = unknownRefused(facts, workspace, now);
  if (unknown !== null) return err(unknown);
  const limited = applyRequestLimits(facts, workspace.guards, { rate: rates[0]!, book: prices, at: now });
  if (!limited.ok) return err(unfit(limited.error, facts));
  const reservedNano = amountToReserve(call, limited.value, countedTokens, now);
  return applyBudgets(call, { ...limited.value, reservedNano }, rates, now, settings);
}

function unknownRefused(facts: RequestFacts, workspace: ResolvedWorkspace, now: number): Refusal | null {
  if (facts.unknown.length === 0) return null;
  const refusal = unknownRefusal(facts, workspace, worstCost(facts, workspace.prices, now));
  return refusal && rejectedCapability(refusal, pathsOf(facts.unknown), facts);
}

/** The refusal of a request beyond the limits of its workspace. */
function unfit(refusal: Refusal, facts: RequestFacts): Refusal {
  return refusal.reason === 'Unbounded' ? rejectedCapability(refusal, unboundedPaths(facts), facts) : refusal;
}

/** The refusal of a call that costs nothing (count_tokens); null if it may be forwarded. */
export function planFree(call: AttributedCaller, { model, files }: CountFacts): Refusal | null {
  const { workspace } = call.caller;
  return closed(workspace) ?? (files.length > 0 ? filesRefused(workspace) : null) ?? disallowed(call, model);
}

/** The refusal of a call to the Message Batches API; null if it may be forwarded. `isNew`: it sends a batch. */
export function planBatches({ workspace }: Caller, isNew: boolean): Refusal | null {
  const refusal = closed(workspace);
  if (refusal !== null || !isNew) return refusal;
  if (workspace.uid === undefined) return refusalFor('PolicyNotReady'); // nobody would own it
  if (workspace.batches === 'Allow') return null;
  return { reason: 'BatchesNotAllowed', message: sentences.batchesNotAllowed(refOf(workspace)) };
}

/** The refusal of a call to the Files API; null if it may be forwarded. */
export function planFiles({ workspace }: Caller): Refusal | null {
  return closed(workspace) ?? filesRefused(workspace);
}

function filesRefused(workspace: ResolvedWorkspace): Refusal | null {
  if (workspace.files !== 'Allow')
    return { reason: 'FilesNotAllowed', message: sentences.filesNotAllowed(refOf(workspace)) };
  return workspace.uid === undefined ? refusalFor('PolicyNotReady') : null; // nobody would own them
}

function closed(workspace: ResolvedWorkspace): Refusal | null {
  const ref = refOf(workspace);
  if (workspace.suspend) return { reason: 'WorkspaceSuspended', message: sentences.workspaceSuspended(ref) };
  if (workspace.upstreamKey === null)
    return { reason: 'UpstreamKeyMissing', message: sentences.upstreamKeyMissing(ref) };
  return null;
}

/** The amount to reserve: the bound by the body's bytes, or less if the upstream counted fewer tokens. */
function amountToReserve(
  { caller }: Call,
  { facts, worstNano }: LimitedRequest,
  countedTokens: number | null,
  now: number,
): Nano {
  if (countedTokens === null || !isCountable(facts)) return worstNano;
  return min(worstNano, worstCost(withCount(facts, countedTokens), caller.workspace.prices, now));
}

function first(models: readonly string[], refusalOf: (model: string) => Refusal | null): Refusal | null {
  for (const model of models) {
    const refusal = refusalOf(model);
    if (refusal !== null) return refusal;
  }
  return null;
}

function applyBudgets(
  call: Call,
  limited: LimitedRequest & { readonly reservedNano: Nano },
  rates: readonly Rate[],
  now: number,
  settings: Pick<Settings, 'requireBudget'>,
): Plan {
  const { facts, edits, unbounded, worstNano, reservedNano } = limited;
  const amounts = { worstNano: reservedNano, gapNano: subtract(worstNano, reservedNano) };
  const { workspace, key, budgets } = call.caller;
  const attributes = { ...call.claimed, ...key.attributes };
  const models = modelsOf(facts).flatMap((model) => possibleNames(workspace.prices, model));
  const checks: Check[] = [];
  let granted = settings.requireBudget === 'Off';
  let from = Math.max(...rates.map((rate) => rate.from));
  let until = Math.min(...rates.map((rate) => rate.until));
  for (const applied of budgets.values()) {
    if (!applied.appliesTo(attributes, models)) continue;
    const period = applied.periodAt(now);
    from = Math.max(from, period.from);
    until = Math.min(until, period.until);
    if (!period.begun) continue;
    if (applied.budget.suspend) return refused('BudgetSuspended', sentences.budgetSuspended(applied.budget));
    if (unbounded.length > 0 && applied.isStrict(period)) {
      const message = sentences.unboundedIn(unbounded, applied.ref, applied.disclosure);
      return err(rejectedCapability({ reason: 'Unbounded', message }, unbounded, facts));
    }
    granted ||= settings.requireBudget === 'Any' || period.mode === 'Enforce';
    checks.push(applied.check(period, attributes, amounts));
  }
  if (!granted) return refused('NoBudget', sentences.noBudget(refOf(workspace), settings.requireBudget));
  return ok({ facts, edits, worstNano, reservedNano, from, until, checks });
}

function refused(reason: RefusalReason, message: string): Plan {
  return err({ reason, message });
}

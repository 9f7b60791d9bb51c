import { type CompiledRestriction, refOf } from '../core/compiled-policy.ts';
import { attributeLists, isSetByCaller } from '../core/matching.ts';
import { nearestModel } from '../prices/nearest-model.ts';
import { knownName, retiredOn } from '../prices/price-book.ts';
import { type ModelHint, modelNotAllowed, modelRestricted, modelUnknown } from '../refusals/refusal-sentences.ts';
import type { Refusal } from '../refusals/refusals.ts';
import type { AttributedCaller } from './caller.ts';

/** The refusal of a model that the workspace, or a restriction of it, does not allow; null if the call may use it. */
export function disallowed(call: AttributedCaller, model: string): Refusal | null {
  const { workspace } = call.caller;
  const lackedBy = call.caller.lackedBy(model, call.claimed);
  if (lackedBy === null) return null;
  const hint = hintOf(call, model);
  const message =
    lackedBy === 'Workspace'
      ? modelNotAllowed(model, refOf(workspace), workspace.models.allow, hint)
      : modelRestricted(model, refOf(workspace), lackedBy, headersLeftOut(call, lackedBy), hint);
  return { reason: 'ModelNotAllowed', message };
}

/** The refusal of a model without a price; null if it has one, or the workspace takes the highest price for it. */
export function unpriced(call: AttributedCaller, model: string): Refusal | null {
  const { models, prices } = call.caller.workspace;
  if (models.unknown === 'HighestPrice' || knownName(prices, model) !== null) return null;
  return { reason: 'ModelUnknown', message: modelUnknown(model, hintOf(call, model)) };
}

/** The headers, or the field, that the call leaves out, and without which it meets a restriction whatever that lists. */
function headersLeftOut(
  { caller: { workspace, key }, claimed }: AttributedCaller,
  { match }: CompiledRestriction,
): readonly string[] {
  return [...attributeLists(match)]
    .filter(({ attribute }) => isSetByCaller(workspace, key, attribute) && (claimed[attribute] ?? '') === '')
    .map(({ attribute }) => workspace.headers[attribute] ?? 'metadata.user_id');
}

/** The nearest of the models that the call may use, and only for a name that no model has. */
function hintOf({ caller, claimed }: AttributedCaller, model: string): ModelHint {
  const { prices, models } = caller.workspace;
  const retired = retiredOn(prices, model);
  if (retired !== null || knownName(prices, model) !== null) return { retiredOn: retired, nearest: null };
  const known = [...new Set([...prices.models.values()].map((rates) => rates[0]!.names[0]!))];
  const listed = models.allow.filter((pattern) => !pattern.includes('*'));
  const usable = [...known, ...listed].filter((one) => caller.allows(one, claimed) && retiredOn(prices, one) === null);
  return { retiredOn: null, nearest: nearestModel(model, usable) };
}

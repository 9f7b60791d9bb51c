import { refOf } from '../core/compiled-policy.ts';
import { type ModelHint, modelNotAllowed, modelUnknown } from '../core/refusal-sentences.ts';
import type { Refusal } from '../core/refusals.ts';
import { nearestModel } from '../prices/nearest-model.ts';
import { knownName, retiredOn } from '../prices/price-book.ts';
import type { Caller } from './caller.ts';

/** The refusal of a model that the workspace does not allow; null if it does. */
export function disallowed(caller: Caller, model: string): Refusal | null {
  if (caller.allows(model)) return null;
  const { workspace } = caller;
  const message = modelNotAllowed(model, refOf(workspace), workspace.models.allow, hintOf(caller, model));
  return { reason: 'ModelNotAllowed', message };
}

/** The refusal of a model without a price; null if it has one, or the workspace takes the highest price for it. */
export function unpriced(caller: Caller, model: string): Refusal | null {
  const { models, prices } = caller.workspace;
  if (models.unknown === 'HighestPrice' || knownName(prices, model) !== null) return null;
  return { reason: 'ModelUnknown', message: modelUnknown(model, hintOf(caller, model)) };
}

/** The nearest of the models that the caller may use, and only for a name that no model has. */
function hintOf(caller: Caller, model: string): ModelHint {
  const { prices, models } = caller.workspace;
  const retired = retiredOn(prices, model);
  if (retired !== null || knownName(prices, model) !== null) return { retiredOn: retired, nearest: null };
  const known = [...new Set([...prices.models.values()].map((rates) => rates[0]!.names[0]!))];
  const listed = models.allow.filter((pattern) => !pattern.includes('*'));
  const usable = [...known, ...listed].filter((one) => caller.allows(one) && retiredOn(prices, one) === null);
  return { retiredOn: null, nearest: nearestModel(model, usable) };
}

import type { Attributes, CompiledBudget, CompiledKey, CompiledWorkspace } from './compiled.ts';
import type { Check, Failure } from './counter.ts';
import type { PriceBook } from './prices.ts';
import type { Refusal } from './refusals.ts';
import type { RequestFacts } from './request.ts';
import type { Settings } from './settings.ts';

/** A workspace with everything its addresses name, ready to be enforced. */
export interface ResolvedWorkspace extends Omit<CompiledWorkspace, 'budgets' | 'spanning' | 'prices' | 'credentials'> {
  /** Its own budgets and the spanning ones. */
  readonly budgets: readonly CompiledBudget[];
  readonly prices: PriceBook;
  /** Null where the Secret that held it is gone. */
  readonly upstreamKey: string | null;
}

/** Who calls: proved by the credential. */
export interface Caller {
  readonly workspace: ResolvedWorkspace;
  readonly key: CompiledKey;
}

/** One call as the plan sees it. */
export interface Call {
  readonly caller: Caller;
  readonly facts: RequestFacts;
  /** What the caller said of itself by header; overlaid by what the credential fixes. */
  readonly claimed: Attributes;
}

/** A call that may go upstream once the ledger has reserved `worstNano` with `checks`. */
export interface Admission {
  readonly kind: 'Forward';
  /** The model that is sent; differs from the one asked only where a rule changed it. */
  readonly model: string;
  /** What replaces bytes of the body, in ascending order; empty where the body goes on byte for byte. */
  readonly edits: readonly Edit[];
  readonly worstNano: bigint;
  /** The instants between which caps and prices hold, half-open, in milliseconds. */
  readonly from: number;
  readonly until: number;
  readonly checks: readonly Check[];
}

/** The bytes [start, end) of the body are replaced by `text` (ASCII JSON). */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

export type Plan = Admission | { readonly kind: 'Refuse'; readonly refusal: Refusal };

/**
 * Decides a call: it is refused, or it may go once the ledger has reserved its worst cost. `now` is in milliseconds;
 * after `wrongPeriod` plan again at the ledger's. Pure and fast: what can be known before a call is kept by workspace.
 */
export function plan(call: Call, now: number, settings: Settings): Plan {
  throw new Error(String([call, now, settings]));
}

/** Whether a call that costs nothing (count_tokens) may go: null, or the refusal. */
export function planFree(caller: Caller, model: string, now: number): Refusal | null {
  throw new Error(String([caller, model, now]));
}

/** Whether the workspace allows the model by its list; the price book is not asked. */
export function modelAllowed(workspace: ResolvedWorkspace, model: string): boolean {
  throw new Error(String([workspace, model]));
}

/**
 * The refusal for a reservation that the ledger did not admit: of several budgets the one that resets last is named,
 * and a spent one before one that calls in flight hold.
 */
export function refusalOf(admission: Admission, failures: readonly Failure[], caller: Caller, now: number): Refusal {
  throw new Error(String([admission, failures, caller, now]));
}

import type { Attributes, CompiledBudget, CompiledKey, CompiledWorkspace } from './compiled.ts';
import type { Check } from './counter.ts';
import type { PriceBook } from './prices.ts';
import type { Refusal } from './refusals.ts';
import type { RequestFacts } from './request.ts';

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

import type { Refusal } from '../../policy/core/refusals.ts';
import type { Result } from '../../policy/core/result.ts';
import type { Planner } from '../admission/admission.ts';
import type { AdmittedCall, AttributedCall, AuthenticatedCall, ReadCall } from '../http/call.ts';
import type { CallerGone } from '../http/read-body.ts';

/**
 * An endpoint whose calls cost money: what it does at each stage of the pipeline. `C`: its call once it is read; `E`: what
 * became of it upstream.
 */
export interface PaidEndpoint<C extends ReadCall, E> extends Planner<C> {
  read(call: AttributedCall): Promise<Result<C, Refusal | CallerGone>>;
  /** Sends the call upstream. */
  forward(call: C & AdmittedCall): Promise<E>;
  /** Answers the caller where `forward` has not, and ends the reservation. */
  finish(call: C & AdmittedCall, end: E): Promise<void>;
  /** Frees what `read` took, whatever became of the call. */
  close?(call: C): Promise<void>;
}

/** An endpoint whose calls cost nothing. Resolves to null once the caller has its answer. */
export type FreeEndpoint = (call: AuthenticatedCall) => Promise<Refusal | CallerGone | null>;

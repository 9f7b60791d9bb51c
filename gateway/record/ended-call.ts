import type { Spender } from '../../metrics/call-metrics.ts';
import { type Attributes, refOf } from '../../policy/core/compiled-policy.ts';
import { knownName } from '../../policy/prices/price-book.ts';
import type { AdmittedCall, ReadCall } from '../http/call.ts';
import type { CallCost } from './call-cost.ts';

/** What became of an admitted call. */
export interface CallOutcome {
  readonly cost: CallCost;
  /** How it ended, in one word. */
  readonly ending: string;
  /** The upstream's status, 0 if none came. */
  readonly status: number;
  /** The upstream's id of the call. */
  readonly requestId: string | null;
  /** The upstream's `error.type`; null if there was none. */
  readonly errorType: string | null;
  /** From sending the call to the beginning of its answer; null if none began. */
  readonly firstByteMs: number | null;
}

export interface EndedCall extends AdmittedCall, CallOutcome {
  /** Milliseconds since the epoch. */
  readonly endedAt: number;
  readonly durationMs: number;
}

/** The attributes that count: those that the credential fixes override those that the caller claimed. */
export function attributesOf({ caller, claimed }: ReadCall): Attributes {
  return { ...claimed, ...caller.key.attributes };
}

/** Whom a call is counted for; `model` is the one that its cost is for. */
export function spenderOf(call: ReadCall, model: string): Spender {
  const { workspace } = call.caller;
  const { feature = '', department = '', user = '' } = attributesOf(call);
  return { workspace: refOf(workspace), feature, department, user, model: knownName(workspace.prices, model) };
}

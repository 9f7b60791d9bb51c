import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Caller } from '../../policy/admit/caller.ts';
import type { CallPlan } from '../../policy/admit/plan.ts';
import type { Attributes } from '../../policy/core/compiled-policy.ts';
import type { Nano } from '../../policy/core/money.ts';
import type { Refusal } from '../../policy/refusals/refusals.ts';
import type { RequestFacts } from '../../policy/request/request.ts';
import type { QuotaShare } from './byte-quota.ts';
import type { HeadersDown } from './headers-down.ts';
import type { Route } from './route.ts';
import { refuse } from './send-refusal.ts';

/** What time it is, as functions so that tests set it. Milliseconds. */
export interface Clocks {
  /** Since the epoch. */
  readonly now: () => number;
  /** The monotonic clock, for durations. */
  readonly elapsed: () => number;
}

/** A request and its answer, one object that grows: each stage adds what it found, and its type extends the last. */
export class ReceivedCall {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly route: Route;
  /** The gateway's own id of the call. */
  readonly id: string;
  /** When it arrived, by the monotonic clock. Milliseconds. */
  readonly arrived: number;
  /** Its share of the memory for bodies, held until the call is over. */
  readonly memory: QuotaShare;
  /** The headers of the upstream's answer that it gets. */
  readonly headersDown: HeadersDown;
  /** It has met a stale connection, so that it takes a fresh one. */
  readonly isSecondAttempt: boolean = false;

  constructor(
    req: IncomingMessage,
    res: ServerResponse,
    route: Route,
    arrival: Pick<ReceivedCall, 'id' | 'arrived' | 'memory' | 'headersDown'>,
  ) {
    this.req = req;
    this.res = res;
    this.route = route;
    this.id = arrival.id;
    this.arrived = arrival.arrived;
    this.memory = arrival.memory;
    this.headersDown = arrival.headersDown;
  }

  /** Whether the caller can no longer be answered. */
  get hasLeft(): boolean {
    return this.res.destroyed;
  }

  refuse(refusal: Refusal): void {
    refuse(this.res, refusal, `req_${this.id}`);
  }
}

/** The same call for a second attempt, with an id, and so a reservation, of its own. */
export function secondAttempt<C extends ReceivedCall>(call: C, id: string): C {
  const second = Object.create(ReceivedCall.prototype) as C;
  return Object.assign(second, call, { id, isSecondAttempt: true });
}

/** Its credential is known, and what the caller says of itself: by header, and once a message is read in that as well. */
export interface AuthenticatedCall extends ReceivedCall {
  /** The workspace and key in force now; another one after a change of policy. */
  readonly caller: Caller;
  /** SHA-256 (hex) of the key, to find the caller again in a changed policy. The key itself is kept nowhere. */
  readonly keyHash: string;
  /** Overlaid by the attributes that the credential fixes. */
  readonly claimed: Attributes;
}

/** Its body is read. */
export interface ReadCall extends AuthenticatedCall {
  /** What it asks for; of a batch, what its first request asks for. */
  readonly facts: RequestFacts;
  /** What calls like it cost lately in this gateway. Nano-dollars; null before the first, and of a batch. */
  readonly expectedNano: Nano | null;
}

/** Its maximum cost is reserved in every budget that applies to it. */
export interface AdmittedCall extends ReadCall {
  readonly plan: CallPlan;
  /** By the ledger's clock; by this gateway's where the ledger was not reached. Milliseconds. */
  readonly admittedAt: number;
  /** For each check, what its counter holds with this reservation. Nano-dollars. Null where the ledger was not reached. */
  readonly committedNano: readonly Nano[] | null;
}

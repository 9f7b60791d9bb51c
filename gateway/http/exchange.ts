import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Refusal } from '../../policy/core/refusals.ts';
import type { QuotaShare } from './byte-quota.ts';
import type { Route } from './route.ts';
import { refuse } from './send-refusal.ts';

/** One request and its answer, on its way through the stages. */
export class Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly route: Route;
  /** The gateway's own id of the call. */
  readonly id: string;
  /** When it arrived, by the monotonic clock. Milliseconds. */
  readonly arrived: number;
  /** Of the memory for bodies, until the call is over. */
  readonly memory: QuotaShare;

  constructor(
    req: IncomingMessage,
    res: ServerResponse,
    route: Route,
    begun: Pick<Exchange, 'id' | 'arrived' | 'memory'>,
  ) {
    this.req = req;
    this.res = res;
    this.route = route;
    this.id = begun.id;
    this.arrived = begun.arrived;
    this.memory = begun.memory;
  }

  /** Whether the caller can no longer be answered. */
  get hasLeft(): boolean {
    return this.res.destroyed;
  }

  refuse(refusal: Refusal): void {
    refuse(this.res, refusal, `req_${this.id}`);
  }
}

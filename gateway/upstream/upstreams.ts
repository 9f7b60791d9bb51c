import type { Readable } from 'node:stream';
import { type buildConnector, type Dispatcher, Pool } from 'undici';
import type { ResolvedWorkspace } from '../../policy/admit/resolved-workspace.ts';
import type { AuthenticatedCall } from '../http/call.ts';
import type { RawHeaders } from '../http/headers.ts';
import type { Route } from '../http/route.ts';
import { headersUp } from './headers-up.ts';
import { KeptClient } from './kept-connection.ts';

export interface Upstream {
  /** Its connections are kept alive. A call that meets a stale one fails with StaleConnection. */
  readonly pool: Dispatcher;
  /** Makes a connection for each call: for one that met a stale connection. */
  readonly fresh: Dispatcher;
  /** The path of the base URL, without a slash at its end. */
  readonly prefix: string;
}

/** The path of a route at an upstream, with its query. */
export function pathUp({ prefix }: Pick<Upstream, 'prefix'>, { path, query }: Route): string {
  return `${prefix}${path}${query}`;
}

/** What goes up beside the caller's headers; by default a GET. */
export interface FreeRequest {
  readonly method?: Dispatcher.HttpMethod;
  readonly headers?: RawHeaders;
  readonly body?: Readable | null;
}

/** The longest call that the API allows, in whole or between two bytes of it. Milliseconds. */
const TIMEOUT_MS = 600_000;

type Pools = Pick<Upstream, 'pool' | 'fresh'>;

/**
 * The connections to the upstreams: pools for each origin, without retries and without a limit. The installation limits the
 * origins; the paths are the workspaces' own and are dropped with them.
 */
export class Upstreams {
  readonly #pools = new Map<string, Pools>();
  readonly #known = new WeakMap<ResolvedWorkspace, Upstream>();
  readonly #connect: buildConnector.connector;
  readonly #timeoutMs: number;

  /** `timeoutMs`: how long an upstream may be silent, before its answer and within it. */
  constructor(connect: buildConnector.connector, timeoutMs: number = TIMEOUT_MS) {
    this.#connect = connect;
    this.#timeoutMs = timeoutMs;
  }

  of(workspace: ResolvedWorkspace): Upstream {
    const known = this.#known.get(workspace);
    if (known !== undefined) return known;
    const { origin, pathname } = new URL(workspace.baseURL);
    const upstream = { ...this.#poolsOf(origin), prefix: pathname.replace(/\/+$/, '') };
    this.#known.set(workspace, upstream);
    return upstream;
  }

  /** Sends a call that costs nothing, and null if it is not answered; `route` may be another than the caller's. Never rejects. */
  ask(
    { req, caller }: AuthenticatedCall,
    route: Route,
    { method = 'GET', headers = [], body = null }: FreeRequest = {},
  ): Promise<Dispatcher.ResponseData | null> {
    const upstream = this.of(caller.workspace);
    const up = [...headersUp(req, caller.workspace), ...headers];
    return upstream.pool.request({ path: pathUp(upstream, route), method, headers: up, body }).catch(() => null);
  }

  async close(): Promise<void> {
    const pools = [...this.#pools.values()].flatMap(({ pool, fresh }) => [pool, fresh]);
    await Promise.all(pools.map((one) => one.close()));
  }

  #poolsOf(origin: string): Pools {
    const existing = this.#pools.get(origin);
    if (existing !== undefined) return existing;
    const connect = this.#connect;
    const options = {
      connections: null,
      allowH2: false,
      connect,
      headersTimeout: this.#timeoutMs,
      bodyTimeout: this.#timeoutMs,
    };
    const pools = {
      pool: new Pool(origin, {
        ...options,
        pipelining: 1,
        factory: (to, of) => new KeptClient(to, { ...of, connect }),
      }),
      fresh: new Pool(origin, { ...options, pipelining: 0 }),
    };
    this.#pools.set(origin, pools);
    return pools;
  }
}

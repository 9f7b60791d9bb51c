import { type Dispatcher, Pool } from 'undici';
import type { Route } from './route.ts';

/** Where a workspace's calls go. */
export interface Upstream {
  readonly pool: Dispatcher;
  /** The path of the base URL, without a slash at its end. */
  readonly prefix: string;
}

/** The path of a route at an upstream, with its query. */
export function pathUp({ prefix }: Pick<Upstream, 'prefix'>, { path, query }: Route): string {
  return `${prefix}${path}${query}`;
}

/** The longest call that the API allows, in whole or between two bytes of it. Milliseconds. */
const TIMEOUT_MS = 600_000;

/** The connections to the upstreams: one pool for each base URL, kept alive, without retries and without a limit. */
export class Upstreams {
  readonly #byBaseURL = new Map<string, Upstream>();

  of(baseURL: string): Upstream {
    const known = this.#byBaseURL.get(baseURL);
    if (known !== undefined) return known;
    const { origin, pathname } = new URL(baseURL);
    const pool = new Pool(origin, {
      connections: null,
      pipelining: 1,
      allowH2: false,
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
    });
    const made: Upstream = { pool, prefix: pathname.replace(/\/+$/, '') };
    this.#byBaseURL.set(baseURL, made);
    return made;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#byBaseURL.values()].map(({ pool }) => pool.close()));
  }
}

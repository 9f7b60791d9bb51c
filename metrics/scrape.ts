import type { Registry } from 'prom-client';

/** The answer to `GET /metrics`. */
export interface ScrapeAnswer {
  readonly status: 200 | 401 | 404;
  readonly type: string;
  readonly text: string;
}

const PLAIN = 'text/plain; charset=utf-8';

/**
 * Answers a scrape that shows the token as `Authorization: Bearer`, and no other: metrics tell what every workspace spends, and
 * any Pod of a cluster may reach the port where NetworkPolicies are not enforced. Null: there is no scraper, so nothing is served.
 */
export async function answerScrape(
  registry: Registry,
  token: string | null,
  authorization: string | undefined,
): Promise<ScrapeAnswer> {
  if (token === null) return { status: 404, type: PLAIN, text: 'no scraper is configured (TOLLGATE_METRICS_TOKEN)\n' };
  if (!isSame(authorization ?? '', `Bearer ${token}`)) {
    return { status: 401, type: PLAIN, text: 'send the token of TOLLGATE_METRICS_TOKEN as Authorization: Bearer\n' };
  }
  return { status: 200, type: registry.contentType, text: await registry.metrics() };
}

/** Takes the same time wherever two texts differ. */
function isSame(one: string, other: string): boolean {
  let difference = one.length ^ other.length;
  for (let i = 0; i < other.length; i++) difference |= one.charCodeAt(i) ^ other.charCodeAt(i);
  return difference === 0;
}

import type { IncomingMessage, ServerResponse } from 'node:http';

/** How long a browser may keep the answer to a preflight. Seconds. */
const MAX_AGE = '600';
/** What scripts may read of an answer beside its body. */
const EXPOSED =
  'request-id, retry-after, x-should-retry, x-tollgate-cost-usd, x-tollgate-budget-remaining-usd, x-tollgate-model';
/** The names of headers that a browser asks to send. Which of them go upstream is decided elsewhere. */
const NAMES = /^[\w\-, ]{1,2000}$/;

/**
 * Lets pages of some origins call from a browser (CORS). No cookie proves a caller, so an origin gains nothing but that
 * its scripts may send a key that they have, and read the answer.
 */
export class BrowserAccess {
  readonly #origins: ReadonlySet<string>;

  /** The setting `browserOrigins`. */
  constructor(origins: readonly string[]) {
    this.#origins = new Set(origins);
  }

  /**
   * Answers the preflight of an allowed page, and sets the headers of every other answer to it, refusals too. A preflight
   * of another page is refused; its calls are served as those of any client, and its browser keeps the answer from it.
   */
  admit({ method, headers }: IncomingMessage, res: ServerResponse): 'Call' | 'Answered' | 'Refused' {
    const { origin } = headers;
    // Also where there is no origin: a cache must not give a page the answer of another.
    if (this.#origins.size > 0) res.setHeader('vary', 'origin');
    const isPreflight = method === 'OPTIONS' && origin !== undefined;
    if (origin === undefined || !this.#origins.has(origin)) return isPreflight ? 'Refused' : 'Call';
    res.setHeader('access-control-allow-origin', origin);
    if (isPreflight) {
      this.#allow(headers, res);
      return 'Answered';
    }
    res.setHeader('access-control-expose-headers', EXPOSED);
    return 'Call';
  }

  #allow(headers: IncomingMessage['headers'], res: ServerResponse): void {
    const asked = headers['access-control-request-headers'];
    res.setHeader('access-control-allow-methods', 'GET, POST, DELETE');
    if (asked !== undefined && NAMES.test(asked)) res.setHeader('access-control-allow-headers', asked);
    if (headers['access-control-request-private-network'] === 'true') {
      res.setHeader('access-control-allow-private-network', 'true');
    }
    res.setHeader('access-control-max-age', MAX_AGE);
    res.writeHead(204).end();
  }
}

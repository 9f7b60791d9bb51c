/** What the gateway serves. `Probe`: clients check whether a server answers. */
export type Endpoint =
  | 'Messages'
  | 'CountTokens'
  | 'CreateBatch'
  | 'ListBatches'
  | 'Batch'
  | 'Models'
  | 'Budgets'
  | 'Probe';

export interface Route {
  readonly endpoint: Endpoint;
  /** The path to send upstream: the part that was recognised, without any prefix that the caller wrote. */
  readonly path: string;
  /** With the question mark, or empty. */
  readonly query: string;
}

/** Plain characters only: an empty or dot segment or an escape is not found, since the upstream might normalise it. */
const CLEAN = /^(?:\/(?!\.{1,2}(?:\/|$))[\w.~:-]+)*$/;
const API =
  /\/v1\/(?:messages|messages\/count_tokens|messages\/batches(?:\/[\w.:-]+(?:\/results|\/cancel)?)?|models|models\/[\w.:-]+)$/;
const BATCHES = '/v1/messages/batches';
const BUDGETS = '/tollgate/v1/budgets';

/** The route of a request, with any prefix before `/v1`; null if it is not served. */
export function routeOf(method: string, url: string): Route | null {
  const mark = url.indexOf('?');
  const path = mark === -1 ? url : url.slice(0, mark);
  const query = mark === -1 ? '' : url.slice(mark);
  if (method === 'HEAD') return isProbe(path) ? { endpoint: 'Probe', path, query } : null;
  if (!CLEAN.test(path)) return null;
  if (method === 'GET' && path.endsWith(BUDGETS)) return { endpoint: 'Budgets', path: BUDGETS, query };
  const served = API.exec(path)?.[0];
  if (served === undefined) return null;
  const endpoint = endpointOf(method, served);
  return endpoint === null ? null : { endpoint, path: served, query };
}

function endpointOf(method: string, path: string): Endpoint | null {
  if (path === '/v1/messages') return method === 'POST' ? 'Messages' : null;
  if (path === '/v1/messages/count_tokens') return method === 'POST' ? 'CountTokens' : null;
  if (path.startsWith(BATCHES)) return batchEndpointOf(method, path.slice(BATCHES.length));
  return method === 'GET' ? 'Models' : null;
}

/** `rest`: empty, or an id and an action. */
function batchEndpointOf(method: string, rest: string): Endpoint | null {
  if (rest === '') return method === 'POST' ? 'CreateBatch' : method === 'GET' ? 'ListBatches' : null;
  if (rest.endsWith('/cancel')) return method === 'POST' ? 'Batch' : null;
  if (rest.endsWith('/results')) return method === 'GET' ? 'Batch' : null;
  return method === 'GET' || method === 'DELETE' ? 'Batch' : null;
}

/** The base URL itself may end in a slash. */
function isProbe(path: string): boolean {
  const base = path.endsWith('/') ? path.slice(0, -1) : path;
  return CLEAN.test(base) && !base.includes('/v1');
}

/** What the gateway serves. `Probe`: clients and load balancers check whether a server answers. */
export type Endpoint =
  | 'Messages'
  | 'CountTokens'
  | 'CreateBatch'
  | 'ListBatches'
  | 'Batch'
  | 'UploadFile'
  | 'ListFiles'
  | 'File'
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
  /(\/v1)?(\/(?:messages|messages\/count_tokens|messages\/batches(?:\/[\w.:-]+(?:\/results|\/cancel)?)?|files(?:\/[\w.:-]+(?:\/content)?)?|models|models\/[\w.:-]+))$/;
/** A prefix that is itself a path of the API: what follows it is another path of the API, which is not served. */
const API_PREFIX = /\/(?:v1|messages|files|models)(?:\/|$)/;
const BATCHES = '/v1/messages/batches';
const FILES = '/v1/files';
const BUDGETS = '/tollgate/v1/budgets';

/** The route of a request, with any prefix before `/v1`; null if it is not served. */
export function routeOf(method: string, url: string): Route | null {
  const mark = url.indexOf('?');
  const path = mark === -1 ? url : url.slice(0, mark);
  const query = mark === -1 ? '' : url.slice(mark);
  if (isProbe(method, path)) return { endpoint: 'Probe', path, query };
  if (!CLEAN.test(path)) return null;
  if (method === 'GET' && path.endsWith(BUDGETS)) return { endpoint: 'Budgets', path: BUDGETS, query };
  const served = servedPath(path);
  if (served === null) return null;
  const endpoint = endpointOf(method, served);
  return endpoint === null ? null : { endpoint, path: served, query };
}

/** Some clients append `/v1/messages` to their base URL, others only `/messages`: each kind works with and without `/v1` in it. */
function servedPath(path: string): string | null {
  const found = API.exec(path);
  if (found === null) return null;
  const [, version, rest] = found;
  const prefix = path.slice(0, found.index);
  return version === undefined && API_PREFIX.test(prefix) ? null : `/v1${rest}`;
}

function endpointOf(method: string, path: string): Endpoint | null {
  if (path === '/v1/messages') return method === 'POST' ? 'Messages' : null;
  if (path === '/v1/messages/count_tokens') return method === 'POST' ? 'CountTokens' : null;
  if (path.startsWith(BATCHES)) return batchEndpointOf(method, path.slice(BATCHES.length));
  if (path.startsWith(FILES)) return fileEndpointOf(method, path.slice(FILES.length));
  return method === 'GET' ? 'Models' : null;
}

/** `rest`: empty, or an id and an action. */
function batchEndpointOf(method: string, rest: string): Endpoint | null {
  if (rest === '') return method === 'POST' ? 'CreateBatch' : method === 'GET' ? 'ListBatches' : null;
  if (rest.endsWith('/cancel')) return method === 'POST' ? 'Batch' : null;
  if (rest.endsWith('/results')) return method === 'GET' ? 'Batch' : null;
  return method === 'GET' || method === 'DELETE' ? 'Batch' : null;
}

/** `rest`: empty, or an id and `/content`. */
function fileEndpointOf(method: string, rest: string): Endpoint | null {
  if (rest === '') return method === 'POST' ? 'UploadFile' : method === 'GET' ? 'ListFiles' : null;
  return method === 'GET' || (method === 'DELETE' && !rest.endsWith('/content')) ? 'File' : null;
}

/** Load balancers ask for `GET /`; clients for HEAD of their base URL, which may itself end in a slash. */
function isProbe(method: string, path: string): boolean {
  if (method === 'GET') return path === '/';
  if (method !== 'HEAD') return false;
  const base = path.endsWith('/') ? path.slice(0, -1) : path;
  return CLEAN.test(base) && !base.includes('/v1/');
}

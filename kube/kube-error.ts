/**
 * Why a call to the API server failed.
 *
 * - `NotFound`, `Conflict` (also: exists already), `Gone` (the resource version is too old), `Forbidden` (also: not
 *   authenticated), `Invalid` (the object or the request is wrong): a retry does not help.
 * - `TooMany`, `Unavailable` (5xx, no connection, time-out): a later retry may help.
 */
export type KubeErrorKind = 'NotFound' | 'Conflict' | 'Gone' | 'Forbidden' | 'Invalid' | 'TooMany' | 'Unavailable';

/** The only error that calls of kube/ throw. It holds no header, body or credential, so it can be logged whole. */
export class KubeError extends Error {
  override readonly name = 'KubeError';
  readonly kind: KubeErrorKind;
  /** The HTTP status; 0 without an answer. */
  readonly status: number;
  /** The time to wait that the server asked for; undefined if it did not. */
  readonly retryAfterMs: number | undefined;

  constructor(kind: KubeErrorKind, message: string, status = 0, retryAfterMs?: number) {
    super(message);
    this.kind = kind;
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

export function isKubeError(error: unknown, ...kinds: KubeErrorKind[]): error is KubeError {
  return error instanceof KubeError && kinds.includes(error.kind);
}

/** For `catch`: undefined in place of a KubeError of these kinds. Throws every other error. */
export function undefinedIf(...kinds: KubeErrorKind[]): (error: unknown) => undefined {
  return (error) => {
    if (!isKubeError(error, ...kinds)) throw error;
  };
}

const kinds: Readonly<Record<number, KubeErrorKind>> = {
  401: 'Forbidden',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  410: 'Gone',
  429: 'TooMany',
};

/** The error for an HTTP status or the code of a watch's ERROR event. `said` is the message of the server. */
export function kubeErrorOf(status: number, what: string, said: string | undefined, retryAfter?: string): KubeError {
  const kind = kinds[status] ?? (status >= 500 ? 'Unavailable' : 'Invalid');
  const seconds = Number(retryAfter);
  const retryAfterMs = retryAfter !== undefined && seconds >= 0 ? seconds * 1000 : undefined;
  return new KubeError(kind, `${what}: ${said ?? `status ${status}`}`, status, retryAfterMs);
}

/** Where the API server is. */
export interface ServerPlace {
  /** E.g. `https://10.0.0.1:443`, perhaps with a path. */
  readonly server: string;
  /** The end of an error's sentence: what to look at if no connection can be made. */
  readonly unreachableHint?: string;
}

/** Codes of a connection that was never made: nothing listens there, or something on the way drops or refuses it. */
const UNCONNECTED: ReadonlySet<string> = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'ETIMEDOUT',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);

/** The error of a call without an answer. Only the cause's code is kept: its message may hold what was sent. */
export function unreachable(what: string, error: unknown, { server, unreachableHint = '' }: ServerPlace): KubeError {
  const { code, name } = error as { code?: unknown; name?: string };
  const cause = typeof code === 'string' ? code : (name ?? 'no answer'); // that of a time-out is a number
  if (!UNCONNECTED.has(cause)) return new KubeError('Unavailable', `${what}: ${cause}`);
  const { hostname, port } = new URL(server);
  const place = `${hostname}:${port || 443}`;
  return new KubeError(
    'Unavailable',
    `${what}: no connection to the API server at ${place} (${cause})${unreachableHint}`,
  );
}

/** The error of a call without a credential. Only the cause's code is kept: a plugin may print a token. */
export function unauthorized(what: string, error: unknown): KubeError {
  const { code, name } = error as { code?: string; name?: string };
  const source = "the credential of the kubeconfig or of the ServiceAccount (a plugin, a token's file) cannot be read";
  return new KubeError('Unavailable', `${what}: ${source} (${code ?? name}); try kubectl with the same kubeconfig`);
}

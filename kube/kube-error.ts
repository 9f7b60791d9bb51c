/**
 * Why the API server did not do what was asked.
 *
 * - `NotFound`, `Conflict` (also: exists already), `Gone` (the resource version is too old), `Forbidden` (also: not
 *   authenticated), `Invalid` (the object or the request is wrong): asking again changes nothing.
 * - `TooMany`, `Unavailable` (5xx, no connection, time-out): asking later may help.
 */
export type KubeErrorKind = 'NotFound' | 'Conflict' | 'Gone' | 'Forbidden' | 'Invalid' | 'TooMany' | 'Unavailable';

/** The only error that kube/ throws for a call. It carries no header, body or credential, so it can be logged whole. */
export class KubeError extends Error {
  override readonly name = 'KubeProblem';
  readonly kind: KubeErrorKind;
  /** The HTTP status; 0 where there was no answer. */
  readonly status: number;
  /** What the server asked for before the next attempt; undefined where it did not. */
  readonly retryAfterMs: number | undefined;

  constructor(kind: KubeErrorKind, message: string, status = 0, retryAfterMs?: number) {
    super(message);
    this.kind = kind;
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Whether an error is a problem of one of these kinds. */
export function isKubeError(error: unknown, ...kinds: KubeErrorKind[]): error is KubeError {
  return error instanceof KubeError && kinds.includes(error.kind);
}

const kinds: Readonly<Record<number, KubeErrorKind>> = {
  401: 'Forbidden',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  410: 'Gone',
  429: 'TooMany',
};

/** The problem that an HTTP status (or the code of a watch's ERROR event) stands for. `said` is the server's sentence. */
export function kubeErrorOf(status: number, what: string, said: string | undefined, retryAfter?: string): KubeError {
  const kind = kinds[status] ?? (status >= 500 ? 'Unavailable' : 'Invalid');
  const seconds = Number(retryAfter);
  const retryAfterMs = retryAfter !== undefined && seconds >= 0 ? seconds * 1000 : undefined;
  return new KubeError(kind, `${what}: ${said ?? `status ${status}`}`, status, retryAfterMs);
}

/** The problem of a call without an answer. Only the error's code is kept: its message may name what was sent. */
export function unreachable(what: string, error: unknown): KubeError {
  const { code, name } = error as { code?: string; name?: string };
  return new KubeError('Unavailable', `${what}: ${code ?? name ?? 'no answer'}`);
}

/** The problem of a call for which there is no credential. Of the error only the code is kept: a plugin may print a token. */
export function unauthorized(what: string, error: unknown): KubeError {
  const { code, name } = error as { code?: string; name?: string };
  const source =
    "the credential that the kubeconfig or the ServiceAccount names (a plugin, a token's file) is not to be had";
  return new KubeError('Unavailable', `${what}: ${source} (${code ?? name}); see what kubectl says with it`);
}

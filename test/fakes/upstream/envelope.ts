import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Edge } from './behaviour.ts';

/** An error as the API answers it. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly status: number;
  readonly type: string;
  /** Seconds. */
  readonly retryAfter: number | undefined;

  constructor(status: number, type: string, message: string, retryAfter?: number) {
    super(message);
    this.status = status;
    this.type = type;
    this.retryAfter = retryAfter;
  }
}

const TYPES: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  504: 'timeout_error',
  529: 'overloaded_error',
};

/** The type that goes with a status. */
export function typeOf(status: number): string {
  return TYPES[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error');
}

/** The headers of every answer to a known caller. */
export function headers(requestId: string, type: string): OutgoingHttpHeaders {
  return {
    'content-type': type,
    'request-id': requestId,
    'anthropic-organization-id': '00000000-0000-4000-8000-000000000000',
    'anthropic-ratelimit-requests-limit': '4000',
    'anthropic-ratelimit-requests-remaining': '3999',
    'anthropic-ratelimit-requests-reset': '2026-01-01T00:00:00Z',
  };
}

/** Sends a JSON body that is already made. */
export function sendJson(response: ServerResponse, requestId: string, json: string): void {
  const body = Buffer.from(json);
  response.writeHead(200, { ...headers(requestId, 'application/json'), 'content-length': body.length });
  response.end(body);
}

/** Sends what something in front of the API answers. */
export function sendEdge(response: ServerResponse, { status, type = 'text/html', body = PAGE }: Edge): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

const PAGE = '<html><body><h1>Bad gateway</h1></body></html>';

/** Sends an error. */
export function sendProblem(response: ServerResponse, requestId: string, problem: Problem): void {
  const { status, type, message, retryAfter } = problem;
  const body = JSON.stringify({ type: 'error', error: { type, message }, request_id: requestId });
  response.writeHead(status, {
    ...headers(requestId, 'application/json'),
    'content-length': Buffer.byteLength(body),
    ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
  });
  response.end(body);
}

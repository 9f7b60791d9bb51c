import type { ServerResponse } from 'node:http';
import { refusalBody, refusalHeaders, refusalStatus } from '../../policy/admit/refusal-response.ts';
import type { Refusal } from '../../policy/core/refusals.ts';

/** Answers with a refusal, unless the caller has left or an answer has begun. */
export function refuse(res: ServerResponse, refusal: Refusal, requestId: string): void {
  if (res.headersSent || res.destroyed) return;
  const body = Buffer.from(refusalBody(refusal, requestId));
  res.writeHead(refusalStatus(refusal), { ...refusalHeaders(refusal, requestId), 'content-length': body.length });
  res.end(body);
}

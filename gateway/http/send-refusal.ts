import type { ServerResponse } from 'node:http';
import { refusalBody, refusalHeaders, refusalStatus } from '../../policy/admit/refusal-response.ts';
import type { Refusal } from '../../policy/refusals/refusals.ts';

/** Answers with a refusal, unless the caller has left or an answer has begun. */
export function refuse(res: ServerResponse, refusal: Refusal, requestId: string): void {
  if (res.headersSent || res.destroyed) return;
  const body = refusalBody(refusal, requestId);
  const headers = { ...refusalHeaders(refusal, requestId), 'content-length': Buffer.byteLength(body) };
  res.writeHead(refusalStatus(refusal), headers);
  res.end(body); // as text Node sends it in one piece with the headers
}

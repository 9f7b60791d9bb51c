import type { IncomingHttpHeaders } from 'node:http';
import { isWithheld } from '../../policy/config/answer-headers.ts';
import { hopHeaders, mediaType, type RawHeaders } from './headers.ts';

/** The headers of an upstream's answer that its caller gets. */
export type HeadersDown = (headers: IncomingHttpHeaders) => RawHeaders;

/** What clients act on. All others speak of the upstream's account, of its quota, or of what stands in front of it. */
const PASSED: readonly string[] = [
  'cache-control',
  'content-encoding',
  'request-id',
  'retry-after',
  'retry-after-ms',
  'x-should-retry',
];

/** The types that the API answers with, in our spelling. */
const TYPES: ReadonlyMap<string, string> = new Map([
  ['application/json', 'application/json'],
  ['text/event-stream', 'text/event-stream; charset=utf-8'],
  ['application/x-jsonl', 'application/x-jsonl'],
  ['application/jsonl', 'application/x-jsonl'],
  ['application/x-ndjson', 'application/x-jsonl'],
  ['application/octet-stream', 'application/octet-stream'],
  ['application/binary', 'application/octet-stream'],
]);

/** Anything else, such as the page of a proxy, is shown as text: no browser runs it in the gateway's name. */
const AS_TEXT: RawHeaders = ['content-type', 'text/plain; charset=utf-8', 'x-content-type-options', 'nosniff'];

/** `also`: the setting `answerHeaders`, names that may end in `*`. */
export function headersDownWith(also: readonly string[]): HeadersDown {
  const names = new Set([...PASSED, ...also.filter((name) => !name.endsWith('*'))]);
  const beginnings = also.filter((name) => name.endsWith('*')).map((name) => name.slice(0, -1));
  const isPassed = (name: string): boolean =>
    names.has(name) || (beginnings.some((beginning) => name.startsWith(beginning)) && !isWithheld(name));
  return (headers) => {
    const hops = hopHeaders(headers);
    const type = TYPES.get(mediaType(headers));
    const down: RawHeaders = type === undefined ? [...AS_TEXT] : ['content-type', type];
    for (const name of Object.keys(headers)) {
      const value = headers[name];
      if (value === undefined || !isPassed(name) || hops.includes(name)) continue;
      for (const one of typeof value === 'string' ? [value] : value) down.push(name, one);
    }
    return down;
  };
}

/** The same for an answer that was read, and is written again as `text`. */
export function textHeadersDown(headersDown: HeadersDown, headers: IncomingHttpHeaders, text: string): RawHeaders {
  const { 'content-encoding': _decoded, ...rest } = headers;
  return [...headersDown(rest), 'content-length', String(Buffer.byteLength(text))];
}

import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { ResolvedWorkspace } from '../../policy/admit/resolved-workspace.ts';

/** A flat list of names and values, as Node and undici take them. */
export type RawHeaders = string[];

const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];

/**
 * Never sent upstream: the caller's credential, headers that choose an Anthropic account, and those of the caller's
 * connection. The answer is requested uncompressed, because it is metered on the way.
 */
const NOT_UP = new Set([
  ...HOP_BY_HOP,
  'accept-encoding',
  'anthropic-organization-id',
  'anthropic-user-profile-id',
  'anthropic-workspace-id',
  'authorization',
  'cookie',
  'expect',
  'forwarded',
  'host',
  'x-anthropic-billing-header',
  'x-api-key',
]);

/** Never sent to the caller: credentials, and whatever would lead it past the gateway. */
const NOT_DOWN = new Set([
  ...HOP_BY_HOP,
  'alt-svc',
  'authorization',
  'content-length',
  'location',
  'set-cookie',
  'x-api-key',
]);

const OURS = /^x-(?:tollgate|forwarded)-/;

/**
 * Not sent upstream either: what would have the upstream read another request than the gateway has read. The body is
 * UTF-8 JSON whatever the caller says of it, and method and path are those that were routed.
 */
const REREADS = /^(?:content-|x-(?:http-)?method|x-original-|x-rewrite-)/;

/** The media type of a message, in lower case and without its parameters; '' if it has none. */
export function mediaType({ 'content-type': type = '' }: IncomingHttpHeaders): string {
  return type.split(';', 1)[0]!.trim().toLowerCase();
}

export function isJSON(headers: IncomingHttpHeaders): boolean {
  return mediaType(headers) === 'application/json';
}

/** The headers of the upstream call: the caller's, without those named above and those that carry its attributes. */
export function headersUp(
  { rawHeaders, headers }: IncomingMessage,
  { headers: attributes, upstreamKey }: ResolvedWorkspace,
): RawHeaders {
  const dropped = named(headers.connection, Object.values(attributes));
  const up: RawHeaders = ['x-api-key', upstreamKey ?? '', 'accept-encoding', 'identity'];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!.toLowerCase();
    if (NOT_UP.has(name) || OURS.test(name) || REREADS.test(name) || dropped?.has(name) === true) continue;
    up.push(name, rawHeaders[at + 1]!);
  }
  return up;
}

/** The same for a call with a body. */
export function jsonHeadersUp(req: IncomingMessage, workspace: ResolvedWorkspace): RawHeaders {
  return [...headersUp(req, workspace), 'content-type', 'application/json'];
}

export function headersDown(headers: IncomingHttpHeaders): RawHeaders {
  const dropped = named(headers.connection, []);
  const down: RawHeaders = [];
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || NOT_DOWN.has(name) || OURS.test(name) || dropped?.has(name) === true) continue;
    for (const one of typeof value === 'string' ? [value] : value) down.push(name, one);
  }
  return down;
}

/** The headers that `connection` lists are hop-by-hop too. Null in the usual case of none. */
function named(connection: string | undefined, more: Iterable<string>): Set<string> | null {
  const names = new Set(more);
  if (connection !== undefined && !/^(?:keep-alive|close)$/i.test(connection)) {
    for (const name of connection.split(',')) names.add(name.trim().toLowerCase());
  }
  return names.size === 0 ? null : names;
}

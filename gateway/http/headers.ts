import type { IncomingHttpHeaders } from 'node:http';

/** A flat list of names and values, as Node and undici take them. */
export type RawHeaders = string[];

/** The media type of a message, in lower case and without its parameters; '' if it has none. */
export function mediaType({ 'content-type': type = '' }: IncomingHttpHeaders): string {
  return type.split(';', 1)[0]!.trim().toLowerCase();
}

export function isJSON(headers: IncomingHttpHeaders): boolean {
  return mediaType(headers) === 'application/json';
}

/** The betas that a caller asks for. */
export function betasOf({ 'anthropic-beta': betas }: IncomingHttpHeaders): readonly string[] {
  if (betas === undefined) return [];
  const names = (typeof betas === 'string' ? betas : betas.join()).split(',').map((name) => name.trim());
  return names.filter((name) => name !== '');
}

/** The headers that `connection` lists are of this connection only. Empty in the usual case of none. */
export function hopHeaders({ connection }: IncomingHttpHeaders): readonly string[] {
  if (connection === undefined || /^(?:keep-alive|close)$/i.test(connection)) return [];
  return connection.split(',').map((name) => name.trim().toLowerCase());
}

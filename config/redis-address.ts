import * as v from 'valibot';
import { text } from '../policy/schema/schema-parts.ts';

export interface RedisNode {
  readonly host: string;
  readonly port: number;
}

/** Where Redis is: one server, the Sentinels that know which server is the master, or some servers of a cluster. */
export interface RedisAddress {
  readonly kind: 'Standalone' | 'Sentinel' | 'Cluster';
  readonly isTls: boolean;
  readonly nodes: readonly RedisNode[];
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly db: number;
  /** The Sentinels' name for the master; '' without Sentinels. */
  readonly master: string;
  readonly sentinelPassword: string | undefined;
}

/**
 * The text is not an address of a Redis. The message begins with a verb (`names several hosts: write …`) and holds nothing
 * of the text, which may hold a password.
 */
export class RedisUrlInvalid extends Error {
  override readonly name = 'RedisUrlInvalid';
}

const FORMS = 'redis://, redis+sentinel:// or redis+cluster:// (rediss for TLS) and hosts';
// The URL parser refuses several hosts with commas between them.
const FORM = /^(rediss?)(?:\+(sentinel|cluster))?:\/\/(?:(.*)@)?([^/?@]+)(?:\/([^?]*))?(?:\?(.*))?$/s;
const NODE = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/;

/**
 * Reads `redis://:password@host:port/db`, `redis+sentinel://:password@host:port,…/master/db?sentinelPassword=…` or
 * `redis+cluster://:password@host:port,…`; with `rediss` for TLS. Throws `RedisUrlInvalid`.
 */
export function parseRedisUrl(url: string): RedisAddress {
  const [, scheme, mode, user, hosts = '', path = '', query = ''] = FORM.exec(url) ?? [];
  if (scheme === undefined) throw new RedisUrlInvalid(`is not an address: write ${FORMS}`);
  const kind = mode === undefined ? 'Standalone' : mode === 'sentinel' ? 'Sentinel' : 'Cluster';
  const nodes = hosts.split(',').map((host) => readNode(host, kind === 'Sentinel' ? 26_379 : 6379));
  if (kind === 'Standalone' && nodes.length > 1)
    throw new RedisUrlInvalid('names several hosts: write redis+sentinel:// or redis+cluster:// before them');
  const [username, password] = readUser(user);
  return {
    kind,
    isTls: scheme === 'rediss',
    nodes,
    username,
    password,
    ...readPath(kind, path),
    sentinelPassword: readQuery(kind, query),
  };
}

/** The schema of an address that `parseRedisUrl` reads. */
export const redisUrl = v.pipe(
  text(FORMS),
  v.check(
    (url) => problemOf(url) === null,
    (issue) => problemOf(issue.input)!,
  ),
);

function problemOf(url: string): string | null {
  try {
    parseRedisUrl(url);
    return null;
  } catch (error) {
    if (error instanceof RedisUrlInvalid) return error.message;
    throw error;
  }
}

/** Puts `password` into an address that has none. */
export function withPassword(url: string, password: string | undefined): string {
  const [, scheme, , user] = FORM.exec(url) ?? [];
  if (!password || scheme === undefined || user !== undefined) return url;
  return url.replace('://', () => `://:${encodeURIComponent(password)}@`);
}

function readNode(text: string, defaultPort: number): RedisNode {
  const [, bracketed, plain, port] = NODE.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(port ?? 0) > 65_535)
    throw new RedisUrlInvalid('names a host that is not valid: write each as host:port, with commas between them');
  return { host, port: Number(port ?? defaultPort) };
}

function readUser(user: string | undefined): readonly [string | undefined, string | undefined] {
  if (user === undefined) return [undefined, undefined];
  const colon = user.indexOf(':');
  const [name, password] = colon < 0 ? [user, ''] : [user.slice(0, colon), user.slice(colon + 1)];
  return [decoded(name) || undefined, decoded(password) || undefined];
}

function readPath(kind: RedisAddress['kind'], path: string): Pick<RedisAddress, 'master' | 'db'> {
  const parts = path.split('/').map(decoded);
  const master = kind === 'Sentinel' ? (parts.shift() ?? '') : '';
  const [db = '', ...rest] = parts;
  if (kind === 'Sentinel' && master === '')
    throw new RedisUrlInvalid(
      'does not name the master that the Sentinels watch: write redis+sentinel://host:26379/master',
    );
  if (!/^\d{0,5}$/.test(db) || rest.length > 0)
    throw new RedisUrlInvalid('does not end in the number of a database: write redis://host:port/0');
  if (kind === 'Cluster' && Number(db) > 0)
    throw new RedisUrlInvalid('names a database, but a cluster has only 0: write no path');
  return { master, db: Number(db) };
}

function readQuery(kind: RedisAddress['kind'], query: string): string | undefined {
  if (query === '') return undefined;
  const [, password] = kind === 'Sentinel' ? (/^sentinelPassword=([^&]*)$/.exec(query) ?? []) : [];
  if (password === undefined)
    throw new RedisUrlInvalid('has unknown options: write only sentinelPassword, with redis+sentinel://');
  return decoded(password);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new RedisUrlInvalid('has a % that begins no escape: write %25 for it');
  }
}

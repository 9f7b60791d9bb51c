import { BlockList, isIP } from 'node:net';

/** The environment names a proxy that cannot be used. The message holds nothing of the value, which may hold a password. */
export class ProxyInvalid extends Error {
  override readonly name = 'ProxyInvalid';
}

/** The proxy on the way to an origin, with its password in it (never print it); null: none. */
export type ProxyFor = (origin: URL) => URL | null;

export const NO_PROXY: ProxyFor = () => null;

/**
 * Reads HTTPS_PROXY, HTTP_PROXY and NO_PROXY as curl and Go do: the lower-case names first, for `https` origins HTTPS_PROXY
 * only. @throws ProxyInvalid
 */
export function proxiesOf(env: Readonly<Record<string, string | undefined>>): ProxyFor {
  const read = (name: string) => env[name.toLowerCase()] || env[name] || undefined;
  const proxies: Readonly<Record<string, URL | null>> = {
    'https:': proxyOf('HTTPS_PROXY', read('HTTPS_PROXY')),
    'http:': proxyOf('HTTP_PROXY', read('HTTP_PROXY')),
  };
  const isDirect = exceptions(read('NO_PROXY') ?? '');
  return (origin) => {
    const proxy = proxies[origin.protocol] ?? null;
    return proxy === null || isDirect(origin) ? null : proxy;
  };
}

function proxyOf(name: string, text: string | undefined): URL | null {
  if (text === undefined) return null;
  const url = URL.parse(text.includes('://') ? text : `http://${text}`);
  if (url !== null && ['http:', 'https:'].includes(url.protocol) && url.hostname !== '') return url;
  throw new ProxyInvalid(`${name} is not valid: write http://proxy:port or https://proxy:port`);
}

/**
 * What NO_PROXY excepts: `*`, hosts with the hosts below them, addresses, and networks (`10.0.0.0/8`) of hosts that are
 * written as addresses; each with a port or without. Names are not resolved.
 */
function exceptions(list: string): (origin: URL) => boolean {
  const entries = list
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== '');
  const networks = new BlockList();
  const hosts: { readonly host: string; readonly port: string }[] = [];
  for (const entry of entries) {
    const [, address = '', bits] = /^\[?([^\]/]+)\]?\/(\d{1,3})$/.exec(entry) ?? [];
    const family = familyOf(address);
    if (bits !== undefined && family !== null && Number(bits) <= (family === 'ipv4' ? 32 : 128)) {
      networks.addSubnet(address, Number(bits), family);
    } else hosts.push(hostOf(entry));
  }
  return ({ protocol, hostname, port }) => {
    const host = hostname.replace(/^\[(.+)\]$|\.$/, '$1').toLowerCase();
    const ownPort = port || (protocol === 'https:' ? '443' : '80');
    const family = familyOf(host);
    if (family !== null && networks.check(host, family)) return true;
    return hosts.some((one) => (one.port === '' || one.port === ownPort) && isWithin(host, one.host));
  };
}

/** `.example.com`, `*.example.com` and `example.com` mean the same. */
function hostOf(entry: string): { host: string; port: string } {
  const [, bracketed, plain, port = ''] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(entry) ?? [];
  const host = bracketed ?? plain ?? entry;
  return { host: host === '*' ? host : host.replace(/^\*?\.|\.$/g, ''), port };
}

function isWithin(host: string, one: string): boolean {
  return one === '*' || host === one || host.endsWith(`.${one}`);
}

function familyOf(host: string): 'ipv4' | 'ipv6' | null {
  const family = isIP(host);
  if (family === 0) return null;
  return family === 4 ? 'ipv4' : 'ipv6';
}

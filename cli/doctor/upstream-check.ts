/** Checks whether the upstreams of workspaces can be reached on the way that the environment names: its proxy, its CAs, its exceptions. */

import { Agent, request } from 'undici';
import { upstreamConnector } from '../../proxy/connector.ts';
import type { CheckedInstallation } from './checked-installation.ts';
import { type Finding, type Findings, fine, listed, unknown, warning } from './finding.ts';

const TIMEOUT_MS = 10_000;
/** Workspaces may use many; more are not tried. */
const MOST = 16;
/** Codes of Node for a certificate whose issuer it does not know. */
const UNTRUSTED = /UNABLE_TO_|SELF_SIGNED|UNKNOWN_CA|CERT_UNTRUSTED/;

/** Any answer is one: without a key an upstream only says that there is none. */
export async function checkUpstreams(installation: CheckedInstallation): Promise<Findings> {
  const { settings, proxies } = installation;
  const { policy } = await installation.shards();
  const inForce = [...policy.values()].flatMap((shard) => (shard.ok ? [...shard.value.workspaces.values()] : []));
  const origins = [...new Set(inForce.map(({ baseURL }) => new URL(baseURL).origin))].toSorted();
  const dispatcher = new Agent({ allowH2: false, connect: upstreamConnector(proxies.inForce) });
  const findings = await Promise.all(
    origins.slice(0, MOST).map((origin) => upstreamFinding(origin, proxies, dispatcher)),
  );
  await dispatcher.destroy();
  const rest = origins.slice(MOST);
  return [
    fine(`The settings allow ${listed(settings.upstreams)}; workspaces use ${listed(origins) || 'none yet'}.`),
    ...findings,
    rest.length > 0 && unknown(`Not tried: ${listed(rest)}.`, `Only ${MOST} upstreams are tried.`),
  ];
}

async function upstreamFinding(
  origin: string,
  { inForce, withoutExceptions }: CheckedInstallation['proxies'],
  dispatcher: Agent,
): Promise<Finding> {
  const proxy = inForce(new URL(origin));
  const isExcepted = proxy === null && withoutExceptions(new URL(origin)) !== null;
  const way = isExcepted ? ' without the proxy, as NO_PROXY says' : proxy === null ? '' : ` by the proxy ${proxy.host}`;
  try {
    const { body } = await request(origin, { dispatcher, signal: AbortSignal.timeout(TIMEOUT_MS) });
    body.on('error', () => {}).destroy();
    return fine(`${origin} answers${way}.`);
  } catch (error) {
    const { code, name, message } = error as { code?: unknown; name: string; message: string };
    const cause = typeof code === 'string' ? code : name === 'TimeoutError' ? 'no answer in time' : message;
    return warning(
      `${origin} does not answer from here${way}: ${cause}.`,
      remedyFor(cause, proxy !== null, isExcepted),
    );
  }
}

function remedyFor(cause: string, hasProxy: boolean, isExcepted: boolean): string {
  const page = 'docs/how-to/networks.md';
  if (UNTRUSTED.test(cause)) return `Name the CA of its certificate, or of what inspects TLS, in caBundle (${page}).`;
  if (isExcepted) return `Remove it from proxy.noProxy if only the proxy reaches it (${page}).`;
  if (hasProxy) return `Check proxy.url, and what the proxy lets through (${page}).`;
  return `Check its name in spec.upstream.baseURL of its workspaces, and networkPolicies.egress; write proxy.url if only a proxy reaches it (${page}).`;
}

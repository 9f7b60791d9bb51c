/**
 * Checks whether the NetworkPolicies of the namespace let operators and gateways to what they need. Only ports are compared:
 * to where a rule leads is not judged, and whether the cluster enforces policies at all cannot be seen.
 */

import { parseRedisUrl, RedisUrlInvalid } from '../../config/redis-address.ts';
import { type EndpointSlice, endpointSlices } from '../../kube/kinds.ts';
import { undefinedIf } from '../../kube/kube-error.ts';
import { selects } from '../../policy/core/label-selector.ts';
import type { CheckedInstallation } from './checked-installation.ts';
import { type Findings, fine, warning } from './finding.ts';
import { type NetworkPolicy, networkPolicies } from './kube-kinds.ts';

/** Something that is called by TCP, and the value of the chart that opens its port. */
interface Destination {
  readonly what: string;
  readonly port: number;
  readonly value: string;
  /** Absent: operator and gateway. */
  readonly callers?: readonly string[];
}

export async function checkNetwork(installation: CheckedInstallation): Promise<Findings> {
  const { client, namespace } = installation;
  const policies = (await client.list<NetworkPolicy>(networkPolicies, { namespace })).items;
  const destinations = [...(await apiServers(installation)), ...upstreams(installation), ...stores(installation)];
  const pods = await installation.pods();
  return ['operator', 'gateway'].flatMap((part) => {
    const labels = pods.map(({ metadata }) => metadata.labels ?? {});
    const own = labels.find((some) => some['app.kubernetes.io/component'] === part);
    const rules = own && egressOf(own, policies);
    if (rules === undefined) return []; // no Pod here, or no policy that holds it
    const asked = destinations.filter(({ callers = [part] }) => callers.includes(part));
    const closed = asked.filter(({ port }) => !rules.some((rule) => opens(rule, port)));
    if (closed.length === 0) return [fine(`The NetworkPolicies let the ${part} out to every port that it needs.`)];
    return closed.map(({ what, port, value }) =>
      warning(
        `No NetworkPolicy lets the ${part} out to port ${port} of ${what}.`,
        `Write ${value} in the chart's values (docs/how-to/networks.md).`,
      ),
    );
  });
}

type Rule = NonNullable<NonNullable<NetworkPolicy['spec']>['egress']>[number];

/** The rules for what leaves a Pod; undefined if no policy limits that. */
function egressOf(labels: Labels, policies: readonly NetworkPolicy[]): readonly Rule[] | undefined {
  const own = policies.flatMap(({ spec = {} }) =>
    isOfEgress(spec) && selects(spec.podSelector ?? {}, labels) ? [spec] : [],
  );
  return own.length === 0 ? undefined : own.flatMap(({ egress }) => egress ?? []);
}

function isOfEgress({ policyTypes, egress }: NonNullable<NetworkPolicy['spec']>): boolean {
  return policyTypes?.includes('Egress') ?? egress !== undefined;
}

type Labels = Readonly<Record<string, string>>;

/** A port that is named belongs to the Pods that the rule leads to, which are the chart's own. */
function opens({ ports = [] }: Rule, wanted: number): boolean {
  if (ports.length === 0) return true;
  return ports.some(({ port, endPort, protocol = 'TCP' }) => {
    if (protocol !== 'TCP' || typeof port === 'string') return false;
    return port === undefined || (port <= wanted && wanted <= (endPort ?? port));
  });
}

/** A policy acts on the API server's own port, behind its Service. */
async function apiServers({ client }: CheckedInstallation): Promise<Destination[]> {
  const ref = { namespace: 'default', name: 'kubernetes' };
  const slice = await client.get<EndpointSlice>(endpointSlices, ref).catch(undefinedIf('NotFound', 'Forbidden'));
  const ports = (slice?.ports ?? []).flatMap(({ port }) => port ?? []);
  return ports.map((port) => ({
    what: 'the API server',
    port,
    value: `networkPolicies.apiServerPorts: [${ports.join(', ')}]`,
  }));
}

/** Of an upstream behind a proxy, the proxy. */
function upstreams({ settings, proxies }: CheckedInstallation): Destination[] {
  return settings.upstreams.map((origin) => {
    const proxy = proxies.inForce(new URL(origin));
    if (proxy !== null) return { what: `the proxy ${proxy.host}`, port: portOf(proxy), value: 'proxy.ports' };
    return { what: origin, port: portOf(new URL(origin)), value: 'settings.upstreams or networkPolicies.egress' };
  });
}

function portOf({ protocol, port }: URL): number {
  return Number(port || (protocol === 'https:' ? 443 : 80));
}

/** The stores that are not the chart's own, for which it has rules by name. */
function stores({ redisUrl, databaseUrl }: CheckedInstallation): Destination[] {
  const redis = nodesOf(redisUrl).map((node) => ({ what: 'Redis', ...node, value: 'redis.external.ports' }));
  const url = databaseUrl === undefined ? null : URL.parse(databaseUrl);
  const postgres = url && {
    what: 'Postgres',
    host: url.hostname,
    port: Number(url.port || 5432),
    value: 'postgres.external.ports',
    callers: ['operator'],
  };
  return [...redis, ...(postgres ? [postgres] : [])].filter(({ host }) => !OWN.test(host));
}

/** The chart's own stores, and a port that is forwarded to a laptop. */
const OWN = /^(tollgate-(redis|postgres)(\.|$)|localhost$|127\.|\[?::1)/;

function nodesOf(url: string | undefined) {
  try {
    return url === undefined ? [] : parseRedisUrl(url).nodes;
  } catch (error) {
    if (error instanceof RedisUrlInvalid) return []; // the check of Redis says so
    throw error;
  }
}

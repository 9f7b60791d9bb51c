import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { chart, helm } from '../../../hack/generate/helm.ts';
import { cluster } from '../../support/cluster.ts';
import type { Resource } from './render.ts';

interface Policy {
  readonly egress: readonly { readonly ports?: readonly { readonly port: number | string }[] }[];
}

/** What an API server writes of itself; that of the tests listens on a loopback address, which cannot be an endpoint. */
const OWN_ENDPOINTS = `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: kubernetes, namespace: default, labels: { kubernetes.io/service-name: kubernetes } }
addressType: IPv4
endpoints: [{ addresses: [192.0.2.10] }]
ports: [{ name: https, port: 16443, protocol: TCP }]`;

beforeAll(() => cluster().apply(OWN_ENDPOINTS));
afterAll(() => cluster().kubectl('delete', 'endpointslice', 'kubernetes', '-n', 'default'));

/**
 * The egress ports of a NetworkPolicy in what Helm would apply to the cluster. Other tests may have made objects of the chart
 * there, such as its CRDs, which Helm would not take over at an installation, but does not look for at an upgrade.
 */
function ports(name: string, ...values: string[]): readonly (number | string)[] {
  const args = [
    'template',
    'tollgate',
    chart,
    '--dry-run=server',
    '--is-upgrade',
    '--kubeconfig',
    cluster().kubeconfig,
  ];
  const made = parseAllDocuments(helm([...args, '--set=crds.enabled=false', ...values]));
  const policies = made
    .map((document) => document.toJS() as Resource | null)
    .filter((one) => one?.kind === 'NetworkPolicy');
  const { egress } = policies.find((one) => one?.metadata.name === name)!.spec as Policy;
  return egress.flatMap((rule) => rule.ports?.map(({ port }) => port) ?? []);
}

test.each(['tollgate-operator', 'tollgate-gateway'])(
  'the NetworkPolicy %s opens the port that the API server of the cluster says it has, unless the values name others',
  (name) => {
    expect(ports(name)).toEqual(expect.arrayContaining([443, 16443]));
    expect(ports(name, '--set=networkPolicies.apiServerPorts={8443}')).not.toContain(16443);
  },
);

/** What `tollgate doctor` says of networks, of names in calls and of resources, in an installation with a real operator. */

import { mkdtempSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { readConfig } from '../../../cli/doctor/config.ts';
import { diagnose } from '../../../cli/doctor/diagnose.ts';
import { readOptions } from '../../../cli/doctor/options.ts';
import type { Diagnosis } from '../../../cli/doctor/run-checks.ts';
import { startUpstream, type Upstream } from '../../fakes/upstream/upstream.ts';
import { writeCertificate } from '../../support/certificate.ts';
import { type ConnectProxy, startConnectProxy } from '../../support/connect-proxy.ts';
import { startPostgres } from '../../support/postgres.ts';
import { budget, condition, Reader, text, workspace } from '../../support/resources.ts';
import { until } from '../../support/until.ts';
import { render } from '../chart/render.ts';
import { Calls } from '../operator/calls.ts';
import { install, type Installation, NAMESPACE, SimulatedGateway } from '../operator/harness.ts';

const HOSTS = ['http://inside.test', 'http://unknown.test', 'http://upstream.test'];

let here: Installation;
let read: Reader;
let gateway: SimulatedGateway;
let calls: Calls;
let postgres: Awaited<ReturnType<typeof startPostgres>>;
let upstream: Upstream;
let inspected: Server;
/** The upstream that the TLS server is. */
let untrusted: string;

beforeAll(async () => {
  upstream = await startUpstream();
  postgres = await startPostgres();
  inspected = await startTls();
  untrusted = `https://localhost:${(inspected.address() as AddressInfo).port}`;
  const allowed = [upstream.url, ...HOSTS, untrusted, 'https://api.anthropic.com'];
  here = await install({ databaseUrl: postgres.url, settings: stringify({ upstreams: allowed }) });
  read = new Reader(here);
  await here.startOperator('operator-1');
  gateway = new SimulatedGateway(here.redis().url, 'gateway-1', read.shards);
  gateway.start();
  calls = new Calls(here, read, gateway);
}, 300_000);

afterAll(async () => {
  await gateway?.stop();
  await here?.stop();
  await postgres?.stop();
  await upstream?.close();
  inspected?.close();
});

/** What one of the checks finds. `fields`: of the settings. */
async function found(check: string, env: Record<string, string> = {}, fields: object = {}): Promise<Diagnosis[]> {
  const settings = { gatewayURL: 'http://gateway.test:8080', upstreams: [upstream.url], ...fields };
  const metadata = { name: 'tollgate-settings', namespace: NAMESPACE };
  const data = { 'settings.yaml': stringify(settings) };
  await here.apply(stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data }));
  const own = { REDIS_URL: here.redis().url, TOLLGATE_DATABASE_URL: postgres.url };
  const config = readConfig({ KUBECONFIG: here.kubeconfig, ...own, ...env }, readOptions([]));
  const all = await diagnose(config, { now: Date.now, random: Math.random });
  return all.filter((one) => one.check === check);
}

const said = (findings: readonly Diagnosis[]) => findings.map(({ level, message }) => `${level}: ${message}`);

test('upstreams of workspaces are tried by the proxy, the CAs and the exceptions that the environment names', async () => {
  const proxy: ConnectProxy = await startConnectProxy({ 'upstream.test:80': Number(new URL(upstream.url).port) });
  const { host } = new URL(proxy.url);
  const env = { HTTP_PROXY: proxy.url.replace('//', '//user:p%40ss@'), NO_PROXY: '127.0.0.1,inside.test' };
  expect(said(await found('Upstreams', env, { upstreams: ['http://unused.test'] }))).toEqual([
    'Fine: The settings allow http://unused.test; workspaces use none yet.',
  ]);
  const ns = await here.tenant();
  const used = [upstream.url, ...HOSTS, untrusted];
  await here.apply(used.map((url, i) => workspaceOf(ns, `at-${i}`, url)).join(''));
  const findings = await until(async () => {
    const some = await found('Upstreams', env, { upstreams: ['http://unused.test'] });
    return some.length === 1 + used.length && some.slice(1);
  });
  expect(said(findings)).toEqual([
    `Fine: ${upstream.url} answers without the proxy, as NO_PROXY says.`,
    expect.stringMatching(
      /^Warning: http:\/\/inside\.test does not answer from here without the proxy, as NO_PROXY says: E/,
    ),
    `Warning: http://unknown.test does not answer from here by the proxy ${host}: the proxy ${host} answered 403 to CONNECT unknown.test:80.`,
    `Fine: http://upstream.test answers by the proxy ${host}.`,
    expect.stringMatching(`^Warning: ${untrusted} does not answer from here: `),
  ]);
  expect(findings.map(({ remedy }) => /proxy\.url|proxy\.noProxy/.exec(remedy)?.[0])).toEqual([
    undefined,
    'proxy.noProxy',
    'proxy.url',
    undefined,
    undefined,
  ]);
  expect(JSON.stringify(findings)).not.toContain('p%40ss');
  await proxy.stop();
  expect(findings.at(-1)!.remedy).toContain('caBundle');
  await here.kubectl('delete', 'cw', '--all', '-n', ns);
}, 240_000);

test('a port that the NetworkPolicies of the chart do not open is named with the value that opens it', async () => {
  await here.apply(`apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: kubernetes, namespace: default, labels: { kubernetes.io/service-name: kubernetes } }
addressType: IPv4
endpoints: [{ addresses: [192.0.2.10] }]
ports: [{ name: https, port: 16443, protocol: TCP }]`);
  await here.apply(['operator', 'gateway'].map(podOf).join('---\n'));
  expect(await found('Network')).toEqual([]);

  const external = { bundled: false, external: { urlSecret: { name: 'own' } } };
  await applyPolicies({ redis: external, postgres: external });
  const stores = { REDIS_URL: 'redis://redis.corp:6390', TOLLGATE_DATABASE_URL: 'postgres://db.corp:6432/tollgate' };
  const upstreams = ['https://api.anthropic.com', 'http://vllm.test:8000'];
  const env = { ...stores, HTTPS_PROXY: 'http://proxy.test:3128' };
  const findings = await found('Network', env, { upstreams });
  expect(said(findings)).toEqual(
    [
      ['operator', '16443 of the API server'],
      ['operator', '3128 of the proxy proxy.test:3128'],
      ['operator', '8000 of http://vllm.test:8000'],
      ['operator', '6390 of Redis'],
      ['operator', '6432 of Postgres'],
      ['gateway', '16443 of the API server'],
      ['gateway', '3128 of the proxy proxy.test:3128'],
      ['gateway', '8000 of http://vllm.test:8000'],
      ['gateway', '6390 of Redis'],
    ].map(([part, what]) => `Warning: No NetworkPolicy lets the ${part} out to port ${what}.`),
  );
  expect(findings[0]!.remedy).toContain('networkPolicies.apiServerPorts: [16443]');

  await applyPolicies({
    networkPolicies: { apiServerPorts: [16443] },
    proxy: { url: 'http://proxy.test:3128', ports: [3128] },
    settings: { upstreams },
    redis: { bundled: false, external: { ...external.external, ports: [6390] } },
    postgres: { bundled: false, external: { ...external.external, ports: [6432] } },
  });
  expect(said(await found('Network', env, { upstreams }))).toEqual([
    'Fine: The NetworkPolicies let the operator out to every port that it needs.',
    'Fine: The NetworkPolicies let the gateway out to every port that it needs.',
  ]);
}, 240_000);

test('names that callers send and nobody knows are counted, and those that are refused are named', async () => {
  expect(said(await found('Names'))).toEqual(['Fine: No call of the last day had a name that Tollgate does not know.']);
  const ns = await calls.tenant();
  const record = (names: readonly string[], exceeded = false) => ({
    timestamp: new Date().toISOString(),
    workspace: `${ns}/checkout`,
    unknown: JSON.stringify({ names, ...(exceeded ? { exceeded } : {}) }),
  });
  await calls.make(ns, '0.40', '0.10', record(['messages[].dream', 'odd\u001b[31m']));
  await calls.make(ns, '0.40', '0.10', record(['messages[].dream']));
  await calls.make(ns, '0.40', '0.10', record(['greedy'], true));
  const findings = await until(async () => {
    const some = await found('Names');
    return some.length === 2 && some[1]!.message.includes('greedy') && some;
  });
  expect(said(findings)).toEqual([
    'Warning: Names that every workspace is refused, because a call with one cost more than its highest bound: greedy.',
    `Warning: Names that Tollgate does not know, for which calls of the last day reserved the highest bound: messages[].dream (2 calls of ${ns}/checkout), greedy (1 call of ${ns}/checkout), odd\\u001b[31m (1 call of ${ns}/checkout).`,
  ]);
  for (const { remedy } of findings) expect(remedy).toContain('docs/how-to/unknown-names.md');
}, 240_000);

test('what has no effect, and a Secret that may not be written, are told in their own words', async () => {
  const ns = await calls.tenant();
  await here.apply(budget(ns, 'typo', '25.00', 'workspaceRef: { name: checkout }\n  scope: { keys: [app] }'));
  await condition(() => read.budget(ns, 'typo'), 'Effective', 'False MatchesNothing');
  const frozen = { immutable: true, stringData: { ANTHROPIC_BASE_URL: 'http://before.test:8080' } };
  await here.kubectl('patch', 'secret', 'checkout-claude', '-n', ns, '--type=merge', '-p', JSON.stringify(frozen));
  await condition(() => read.workspace(ns), 'Ready', 'False KeySecretDenied');
  const findings = await found('Resources');
  expect(said(findings)).toEqual([
    expect.stringMatching(
      `^Warning: ClaudeWorkspace ${ns}/checkout, KeySecretDenied: The API server does not let Tollgate write Secret checkout-claude of key api: .*immutable`,
    ),
    expect.stringMatching(
      `^Warning: ClaudeBudget ${ns}/typo, MatchesNothing: spec\\.scope\\.keys: .*"app".* "api"\\?$`,
    ),
  ]);
  expect(findings[1]!.remedy).toContain('docs/runbooks/conditions/MatchesNothing.md');
  expect(text(await read.secret(ns, 'checkout-claude'), 'ANTHROPIC_BASE_URL')).toBe('http://before.test:8080');
}, 240_000);

/** A workspace without a key, of an upstream. */
function workspaceOf(namespace: string, name: string, url: string): string {
  return workspace(namespace, name).replace('upstream: {', `upstream: { baseURL: "${url}",`);
}

test('a Message Batch that is at another upstream than its workspace is named, with the command that resolves it', async () => {
  const ns = await calls.tenant();
  await calls.openBatch(ns, '2.00', 'msgbatch_elsewhere', 'https://elsewhere.test');
  const findings = await found('Batches');
  expect(said(findings)).toEqual([
    `Warning: Message Batches that nothing follows, because their workspace is gone or has another upstream now, hold their worst case: msgbatch_elsewhere (${ns}/checkout).`,
  ]);
  expect(findings[0]!.remedy).toContain("tollgate.dev/resolve-presumed='book msgbatch_elsewhere'");
}, 240_000);

/** The policies of operator and gateway as the chart makes them with these values, in place of those before. */
async function applyPolicies(values: object): Promise<void> {
  const policies = render(values).filter(({ kind }) => kind === 'NetworkPolicy');
  const own = policies.filter(({ metadata }) => ['tollgate-operator', 'tollgate-gateway'].includes(metadata.name));
  expect(own).toHaveLength(2);
  await here.apply(own.map((policy) => stringify(policy)).join('---\n'));
}

/** A Pod that stays pending, since nothing here runs Pods. */
function podOf(component: string): string {
  const labels = Object.entries({ name: 'tollgate', instance: 'tollgate', component });
  return stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${component}-pod`,
      namespace: NAMESPACE,
      labels: Object.fromEntries(labels.map(([name, value]) => [`app.kubernetes.io/${name}`, value])),
    },
    spec: {
      automountServiceAccountToken: false,
      containers: [
        {
          name: 'main',
          image: 'registry.local/none:1',
          securityContext: {
            allowPrivilegeEscalation: false,
            capabilities: { drop: ['ALL'] },
            runAsNonRoot: true,
            seccompProfile: { type: 'RuntimeDefault' },
          },
        },
      ],
    },
  });
}

/** A server whose certificate no CA of the system has signed. */
function startTls(): Promise<Server> {
  const files = writeCertificate(mkdtempSync(join(tmpdir(), 'tollgate-doctor-')), { name: 'DNS:localhost' });
  const [cert, key] = [files.certificate, files.key].map((file) => readFileSync(file, 'utf8'));
  const server = createServer({ cert: cert!, key: key! }, (_, response) => void response.end());
  return new Promise((resolve) => server.listen(0, 'localhost', () => resolve(server)));
}

/** `tollgate doctor` against a real API server, operator, Redis and Postgres, which are then broken one by one. */

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { stringify } from 'yaml';
import { readConfig } from '../../../cli/doctor/config.ts';
import { diagnose } from '../../../cli/doctor/diagnose.ts';
import { readOptions } from '../../../cli/doctor/options.ts';
import { exitCode } from '../../../cli/doctor/output.ts';
import type { Diagnosis as Finding } from '../../../cli/doctor/run-checks.ts';
import type { Postgres } from '../../../hack/services/postgres.ts';
import type { Child } from '../../../hack/services/processes.ts';
import { startRedisCluster } from '../../../hack/services/redis-cluster.ts';
import { migrate } from '../../../log/database/migrate.ts';
import { openDatabase } from '../../../log/database/open-database.ts';
import { startUpstream, type Upstream } from '../../fakes/upstream/upstream.ts';
import { writeCertificate } from '../../support/certificate.ts';
import { createDatabase, startPostgres } from '../../support/postgres.ts';
import { budget, workspace } from '../../support/resources.ts';
import { until } from '../../support/until.ts';
import { install, type Installation, NAMESPACE, Shards, SimulatedGateway } from '../operator/harness.ts';

const repository = join(import.meta.dirname, '../../..');
const KEY = '  keys: [{ name: api, secretName: checkout-claude }]';

let here: Installation;
let postgres: Postgres & { directory: string };
let gateway: SimulatedGateway;
let operator: Child;
let tenant: string;
let upstream: Upstream;
let inside: Record<string, string>;
const directory = mkdtempSync(join(tmpdir(), 'tollgate-doctor-'));

beforeAll(async () => {
  upstream = await startUpstream();
  postgres = await startPostgres();
  here = await install({ databaseUrl: postgres.url, settings: `upstreams: [${upstream.url}]\n` });
  operator = await here.startOperator('operator-1');
  gateway = new SimulatedGateway(here.redis().url, 'gateway-1', new Shards(here));
  gateway.start();
  inside = { REDIS_URL: here.redis().url, TOLLGATE_DATABASE_URL: postgres.url };
  await settings({});
  await here.apply(slice('gateway-1'));
  tenant = await here.tenant();
  await here.apply(standInWorkspace(tenant, 'checkout'));
  await here.apply(budget(tenant, 'daily'));
  await here.kubectl('wait', '--for=condition=Ready', '--timeout=30s', '-n', tenant, 'cw/checkout', 'cb/daily');
});

afterAll(async () => {
  await gateway?.stop();
  await here?.stop();
  await upstream?.close();
  await postgres?.stop();
  rmSync(postgres.directory, { recursive: true, force: true });
  rmSync(directory, { recursive: true, force: true });
});

/** A workspace of the stand-in, so that no test calls the real API. */
function standInWorkspace(namespace: string, name: string, spec = KEY): string {
  return workspace(namespace, name, spec).replace('upstream: {', `upstream: { baseURL: "${upstream.url}",`);
}

/** Runs the command as a person does. */
function doctor(args: readonly string[], env: Record<string, string> = {}) {
  return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    const command = [join(repository, 'cli/doctor/main.ts'), 'doctor', ...args];
    const known = { PATH: process.env['PATH'], HOME: directory, KUBECONFIG: here.kubeconfig };
    const options = { env: { ...known, ...env }, timeout: 60_000 };
    execFile(process.execPath, command, options, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr }),
    );
  });
}

/** All findings that are not fine, as `level check: message`, and the exit code. */
async function runDoctor(
  env: Record<string, string> = inside,
): Promise<{ code: number; said: string[]; all: Finding[] }> {
  const config = readConfig({ KUBECONFIG: here.kubeconfig, ...env }, readOptions([]));
  const all = [...(await diagnose(config, { now: Date.now, random: Math.random }))];
  const said = all
    .filter(({ level, check }) => level !== 'Fine' && check !== 'Pods') // this machine runs none
    .map(({ level, check, message }) => `${level} ${check}: ${message}`);
  return { code: exitCode(all), said, all };
}

async function settings(fields: object): Promise<void> {
  await here.apply(
    stringify({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'tollgate-settings', namespace: NAMESPACE },
      data: {
        'settings.yaml': stringify({ gatewayURL: 'http://gateway.test:8080', upstreams: [upstream.url], ...fields }),
      },
    }),
  );
}

function slice(...pods: string[]): string {
  return JSON.stringify({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: 'tollgate-gateway-test',
      namespace: NAMESPACE,
      labels: { 'kubernetes.io/service-name': 'tollgate-gateway', 'endpointslice.kubernetes.io/managed-by': 'test' },
    },
    addressType: 'IPv4',
    endpoints: pods.map((name, i) => ({
      addresses: [`10.1.0.${i + 1}`],
      targetRef: { kind: 'Pod', name, namespace: NAMESPACE },
    })),
    ports: [],
  });
}

/** A Pod that stays pending, since nothing here runs Pods. */
function podOf(name: string, labels: object, volumes: object[] = []): string {
  const securityContext = {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    runAsNonRoot: true,
    seccompProfile: { type: 'RuntimeDefault' },
  };
  const containers = [{ name: 'main', image: 'registry.local/none:1', securityContext }];
  const all = { 'app.kubernetes.io/name': 'tollgate', ...labels };
  const spec = { containers, volumes, automountServiceAccountToken: false };
  return JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: NAMESPACE, labels: all }, spec });
}

test('finds no problem in a working installation, and lists what it checked', async () => {
  const { code, said, all } = await runDoctor();
  expect(said).toEqual([]);
  expect(code).toBe(0);
  expect([...new Set(all.map(({ check }) => check))]).toEqual([
    'API server',
    'CRDs',
    'Namespace',
    'Rights',
    'Pods',
    'Lease',
    'Ledger',
    'Usage log',
    'Shards',
    'Fences',
    'Gateways',
    'Batches',
    'Upstreams',
    'Prices',
    'Names',
    'Resources',
  ]);
  const { code: exit, stdout } = await doctor([], inside);
  expect(exit).toBe(0);
  expect(stdout).toMatch(/^ok {7}Gateways {4}1 gateway sends heartbeats and enforces the newest policy\.$/m);
  for (const secret of [here.redis().password, postgres.password]) expect(stdout).not.toContain(secret);
});

test('says what it cannot check from a laptop', async () => {
  const { code, said } = await runDoctor({});
  expect(code).toBe(0);
  expect(said).toEqual([
    'Unknown Ledger: Redis cannot be checked from here: REDIS_URL is not set.',
    'Unknown Usage log: The usage log cannot be checked from here: TOLLGATE_DATABASE_URL is not set.',
  ]);
});

test('reports a mistake of a tenant as a warning, and as a problem where it refuses every call', async () => {
  const other = await here.tenant();
  const found = async (start: string): Promise<Finding> =>
    until(async () => (await runDoctor()).all.find(({ message }) => message.startsWith(start)));
  await here.apply(budget(tenant, 'stray', '25.00', 'workspaceRef: { name: nobody }'));
  expect(await found(`ClaudeBudget ${tenant}/stray, WorkspaceNotFound: `)).toMatchObject({
    level: 'Warning',
    remedy: 'docs/runbooks/conditions/WorkspaceNotFound.md says what to do.',
  });
  expect((await runDoctor()).code).toBe(0);

  await here.apply(standInWorkspace(other, 'idle'));
  const idle = `ClaudeWorkspace ${other}/idle, `;
  expect(await found(`${idle}NoBudget: No ClaudeBudget applies to it, so its calls`)).toMatchObject({
    level: 'Problem',
    remedy: 'docs/runbooks/conditions/NoBudget.md says what to do.',
  });
  await here.kubectl('delete', 'secret', 'anthropic', '-n', other);
  const { level, message } = await found(`${idle}UpstreamKeyMissing: `);
  expect(level).toBe('Problem');
  expect(message).toContain('Secret anthropic does not exist in this namespace. Create it.');
  await here.apply(standInWorkspace(other, 'new', KEY.replace('checkout', 'new')));
  expect((await found(`ClaudeWorkspace ${other}/new, SecretNotFound: `)).level).toBe('Problem');
  expect((await runDoctor()).code).toBe(1);
  await here.kubectl('delete', 'cw', 'idle', 'new', '-n', other);
  await here.kubectl('delete', 'cb', 'stray', '-n', tenant);
});

describe('a broken part', () => {
  test('a missing shard', async () => {
    const name = 'tollgate-policy-shared';
    const before = await here.kubectl('get', 'configmap', name, '-n', NAMESPACE, '-o', 'json');
    await here.kubectl('delete', 'configmap', name, '-n', NAMESPACE);
    const { code, said } = await runDoctor();
    expect(code).toBe(1);
    expect(said).toContain(`Problem Shards: ${name}: the ConfigMap does not exist.`);
    const { metadata, ...rest } = JSON.parse(before) as { metadata: { labels: object } };
    const { labels } = metadata;
    await here.apply(JSON.stringify({ ...rest, metadata: { name, namespace: NAMESPACE, labels } }));
    await until(async () => (await runDoctor()).code === 0);
  });

  test('a price book and a list of names that are invalid', async () => {
    const own = (name: string, data: object): string =>
      JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: NAMESPACE }, data });
    await here.apply(own('tollgate-prices', { 'prices.json': '{' }));
    await here.apply(own('tollgate-names', { 'names.json': '{"version":"1","harmless":[5]}' }));
    const { code, said } = await runDoctor();
    expect(code).toBe(0);
    expect(said).toEqual([
      'Warning Prices: ConfigMap tollgate-prices: prices.json is not used: it is not JSON. The last accepted prices stay in force.',
      expect.stringMatching(
        /^Warning Names: ConfigMap tollgate-names: names\.json is not used: .*harmless\[0\] is 5: .* The last accepted list stays in force\.$/,
      ),
    ]);
    await here.kubectl('delete', 'configmap', 'tollgate-prices', 'tollgate-names', '-n', NAMESPACE);
  });

  test('a missing role, and one that is too wide', async () => {
    const role = await here.kubectl('get', 'rolebinding', 'tollgate-gateway', '-n', NAMESPACE, '-o', 'json');
    await here.kubectl('delete', 'rolebinding', 'tollgate-gateway', '-n', NAMESPACE);
    const wide = ['--clusterrole=admin', `--serviceaccount=${NAMESPACE}:tollgate-gateway`];
    await here.kubectl('create', 'rolebinding', 'too-wide', '-n', tenant, ...wide);
    const said = await until(async () => {
      const lines = (await runDoctor()).said;
      return lines.some((line) => line.includes('may not')) && lines;
    });
    expect(said.join('\n')).toContain(
      'Problem Rights: tollgate-gateway may not watch configmaps/tollgate-policy-shared',
    );
    await here.kubectl('create', 'clusterrolebinding', 'too-wide', ...wide);
    await until(async () => {
      const lines = (await runDoctor()).said.join('\n');
      return lines.includes('Warning Rights: tollgate-gateway may list secrets in every namespace');
    });
    await here.kubectl('delete', 'clusterrolebinding', 'too-wide');
    await here.kubectl('delete', 'rolebinding', 'too-wide', '-n', tenant);
    const { kind, apiVersion, roleRef, subjects, metadata } = JSON.parse(role) as Record<string, { labels: object }>;
    const restored = { name: 'tollgate-gateway', namespace: NAMESPACE, labels: metadata!.labels };
    await here.apply(JSON.stringify({ kind, apiVersion, roleRef, subjects, metadata: restored }));
    await until(async () => (await runDoctor()).code === 0);
  });

  test('CRDs of another version', async () => {
    const crd = 'claudebudgets.tollgate.dev';
    const spec = '/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties';
    const patch = async (...operations: object[]) =>
      here.kubectl('patch', 'crd', crd, '--type=json', '-p', JSON.stringify(operations));
    const said = async (what: string) =>
      until(async () => (await runDoctor()).said.find((line) => line.includes(what)));
    await patch({ op: 'add', path: `${spec}/later`, value: { type: 'string' } });
    expect(await said('newer')).toBe(
      'Warning CRDs: The CRDs are newer than this version, which ignores ClaudeBudget.spec.later.',
    );
    await patch({ op: 'remove', path: `${spec}/later` }, { op: 'remove', path: `${spec}/suspend` });
    expect(await said('older')).toBe(
      'Problem CRDs: The CRDs are older than this version: they lack ClaudeBudget.spec.suspend.',
    );
    await here.apply(readFileSync(join(repository, 'crds/claudebudgets.yaml'), 'utf8'));
    await until(async () => (await runDoctor()).code === 0);
  });

  test('a gateway that serves without heartbeats, one that lags, and one that cannot start', async () => {
    await here.apply(slice('gateway-1', 'gateway-2'));
    expect((await runDoctor()).said).toEqual(['Problem Gateways: gateway-2 serves but does not reach Redis.']);
    await here.apply(slice('gateway-1'));
    gateway.isLagging = true;
    await here.kubectl('patch', 'cb', 'daily', '-n', tenant, '--type=merge', '-p', '{"spec":{"limit":{"usd":"77"}}}');
    const behind = await until(async () => {
      const lines = (await runDoctor()).said;
      return lines.find((line) => line.includes('old policy')) && lines;
    });
    expect(behind[0]).toMatch(/^Problem Gateways: Gateways with an old policy: gateway-1 \(tollgate-policy-\d\)\.$/);
    gateway.isLagging = false;
    await here.apply(podOf('stuck', { 'app.kubernetes.io/component': 'gateway' }));
    const { all } = await runDoctor();
    expect(all.filter(({ check }) => check === 'Pods').map(({ message }) => message)).toEqual([
      'The operator has no Pod.',
      'stuck is not ready: phase Pending.',
    ]);
    const waiting = { reason: 'CreateContainerConfigError', message: 'secret "absent" not found' };
    const status = {
      containerStatuses: [{ name: 'main', image: '', imageID: '', ready: false, restartCount: 0, state: { waiting } }],
    };
    const patch = ['patch', 'pod', 'stuck', '-n', NAMESPACE, '--subresource=status', '-p', JSON.stringify({ status })];
    await here.kubectl(...patch);
    await here.kubectl('label', 'pod', 'stuck', '-n', NAMESPACE, 'app.kubernetes.io/component=redis', '--overwrite');
    expect((await runDoctor()).all.map(({ message }) => message)).toContain(
      'stuck is not ready: CreateContainerConfigError: secret "absent" not found.',
    );
    await here.kubectl('delete', 'pod', 'stuck', '-n', NAMESPACE, '--force');
    await until(async () => (await runDoctor()).code === 0);
  });

  test('a Redis that evicts keys, that has another password, that holds another ledger, that does not answer', async () => {
    const redis = new Redis(here.redis().url);
    await redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
    await redis.config('SET', 'appendonly', 'no');
    expect((await runDoctor()).said).toEqual([
      'Problem Ledger: Redis evicts keys (allkeys-lru), so money can be lost.',
      'Warning Ledger: Redis has no append-only file.',
    ]);
    await redis.config('SET', 'maxmemory-policy', 'noeviction');
    await redis.config('SET', 'appendonly', 'yes');
    redis.disconnect();
    const wrong = here.redis().url.replace(here.redis().password, 'not-the-password');
    const refused = await runDoctor({ ...inside, REDIS_URL: wrong });
    expect(refused.code).toBe(1);
    expect(refused.said.join('\n')).toMatch(/^Problem Ledger: Redis does not answer: .*/m);
    expect(JSON.stringify(refused.all)).not.toContain('not-the-password');
    await settings({ installation: 'elsewhere' });
    expect((await runDoctor()).said[0]).toMatch(/^Problem Ledger: The ledger is empty/);
    await settings({});
    const gone = await runDoctor({ ...inside, REDIS_URL: 'redis://:secret@127.0.0.1:1/0' });
    expect(gone.said[0]).toMatch(/^Problem Ledger: Redis does not answer: .*ECONNREFUSED/);
  });

  test('a database with dead letters, without tables, and one that does not answer', async () => {
    const database = await openDatabase({ url: postgres.url });
    await database.query("insert into dead_letters values ('1-1', now(), 'a test', '{}', '', 0)");
    expect((await runDoctor()).said).toEqual(['Warning Usage log: 1 record is in dead_letters.']);
    await database.query('delete from dead_letters');
    const bare = await createDatabase(postgres.url, 'bare');
    expect((await runDoctor({ ...inside, TOLLGATE_DATABASE_URL: bare })).said).toEqual([
      'Problem Usage log: The tables lack the migrations 0001-log, 0002-batches, 0003-owners, 0004-sums, 0005-corrections.',
    ]);
    await database.query('alter database bare set default_transaction_read_only = on');
    await database.close();
    expect((await runDoctor({ ...inside, TOLLGATE_DATABASE_URL: bare })).said).toEqual([
      'Problem Usage log: The database accepts no writes.',
    ]);
    const gone = await runDoctor({ ...inside, TOLLGATE_DATABASE_URL: 'postgres://a:secret@127.0.0.1:1/b' });
    expect(gone.said[0]).toMatch(/^Problem Usage log: The database does not answer: .*ECONNREFUSED/);
    expect(JSON.stringify(gone.all)).not.toContain('secret@');
  });

  test('a usage log in a folder is read through the process that has it open', async () => {
    const folder = join(directory, 'log');
    const env = { REDIS_URL: here.redis().url, TOLLGATE_USAGE_LOG_FOLDER: folder };
    expect((await runDoctor(env)).said).toEqual([
      `Problem Usage log: The database does not answer: there is no usage log in ${folder}.`,
    ]);
    const database = await openDatabase({ folder });
    expect((await runDoctor(env)).said).toEqual([
      expect.stringMatching(/^Problem Usage log: The tables lack the migrations 0001-log, /),
    ]);
    await migrate(database);
    const { said, all } = await runDoctor(env);
    expect(said).toEqual([]);
    expect(all.map(({ check, message }) => `${check}: ${message}`)).toEqual(
      expect.arrayContaining([
        'Usage log: The database answers, and its tables are up to date.',
        'Names: No call of the last day had a name that Tollgate does not know.',
      ]),
    );
    await database.query("insert into dead_letters values ('1-1', now(), 'a test', '{}', '', 0)");
    expect((await runDoctor(env)).said).toEqual(['Warning Usage log: 1 record is in dead_letters.']);
    await database.close();
  });

  test('a certificate that expires soon or is for another host', async () => {
    const cases = [
      ['localhost', 40, 'Fine Certificate: The certificate of localhost is valid until'],
      ['localhost', 5, 'Warning Certificate: The certificate of localhost expires on'],
      [
        'elsewhere.example',
        40,
        'Problem Certificate: The certificate is not for localhost but for DNS:elsewhere.example.',
      ],
    ] as const;
    for (const [host, days, expected] of cases) {
      const server = await tlsServer(host, days);
      await settings({ gatewayURL: `https://localhost:${(server.address() as AddressInfo).port}` });
      const { all } = await runDoctor();
      const { level, check, message } = all.find((one) => one.check === 'Certificate')!;
      expect(`${level} ${check}: ${message}`).toContain(expected);
      server.close();
    }
    await here.apply(tlsSecret('localhost', 5));
    await settings({ gatewayURL: 'https://localhost:1' });
    const { said } = await runDoctor();
    expect(said).toEqual(['Unknown Certificate: The certificate of localhost:1 cannot be read from here.']);
    await here.apply(tlsSecret('elsewhere.example', 40, 'redis-tls'));
    const ofRedis = { name: 'redis-ca', secret: { secretName: 'redis-tls' } };
    await here.apply(podOf('mounts', {}, [ofRedis, { name: 'tls', secret: { secretName: 'gateway-tls' } }]));
    expect((await runDoctor()).said[0]).toMatch(/^Warning Certificate: The certificate of localhost expires on/);
    await here.kubectl('delete', 'pod', 'mounts', '-n', NAMESPACE, '--force');
    await settings({});
  });

  test('a mail server that answers, one that is none, one that does not answer', async () => {
    let greeting = '220 mail.test ESMTP\r\n';
    const server = createTcpServer((socket) => socket.end(greeting));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await settings({ smtp: { host: '127.0.0.1', port, from: 'tollgate@example.com' } });
    const name = `The mail server 127.0.0.1:${port}`;
    const { all } = await runDoctor();
    expect(all.filter(({ check }) => check === 'Mail').map(({ message }) => message)).toEqual([`${name} answers.`]);
    greeting = 'SSH-2.0-other\r\n';
    expect((await runDoctor()).said).toEqual([
      `Warning Mail: ${name} does not greet like a mail server: "SSH-2.0-other".`,
    ]);
    greeting = '';
    expect((await runDoctor()).said).toEqual([
      `Warning Mail: ${name} does not answer from here: it closed the connection.`,
    ]);
    await new Promise((resolve) => server.close(resolve));
    const { code, said } = await runDoctor();
    expect(said).toEqual([expect.stringMatching(/^Warning Mail: .* does not answer from here: .*ECONNREFUSED/)]);
    expect(code).toBe(0);
    await settings({});
  });

  test('no leading operator', async () => {
    await operator.stop();
    const { code, said } = await runDoctor();
    expect(code).toBe(1);
    expect(said).toContain('Problem Lease: No operator leads, so no edit takes effect.');
    const stale = { spec: { holderIdentity: 'operator-0', renewTime: '2026-01-01T00:00:00.000000Z' } };
    await here.kubectl(
      'patch',
      'lease',
      'tollgate-operator',
      '-n',
      NAMESPACE,
      '--type=merge',
      '-p',
      JSON.stringify(stale),
    );
    expect((await runDoctor()).said.join('\n')).toContain('The leading operator, operator-0, last renewed its Lease');
  });
});

test('a Redis Cluster that stops answering is reported without a long wait', async () => {
  const cluster = await startRedisCluster(join(directory, 'cluster'));
  const servers = cluster.servers.map(({ url }) => new Redis(url));
  const examined = doctor([], { ...inside, REDIS_URL: cluster.url });
  // Its last question before it is connected.
  await until(async () => {
    const lists = await Promise.all(servers.map((server) => server.client('LIST')));
    return lists.some((list) => String(list).includes('cmd=cluster|info'));
  });
  await Promise.all(servers.map((server) => server.client('PAUSE', 60_000)));
  const { code, stdout } = await examined;
  expect([code, stdout]).toEqual([1, expect.stringContaining('Redis does not answer')]);
  for (const server of servers) server.disconnect();
  await cluster.stop();
});

describe('its flags', () => {
  test('a missing kubeconfig, a missing context, a namespace without Tollgate', async () => {
    const missing = await doctor(['--kubeconfig', '/nowhere/config']);
    expect(missing).toMatchObject({ code: 2, stdout: '' });
    expect(missing.stderr).toContain('/nowhere/config does not exist; name another one (--kubeconfig');
    const { stderr: withoutCa } = await doctor([], { ...inside, REDIS_CA_FILE: '/nowhere/ca.crt' });
    expect(withoutCa).toContain('/nowhere/ca.crt does not exist; name another one (--kubeconfig, REDIS_CA_FILE');
    expect((await doctor(['--context', 'prod'])).stderr).toContain('no current cluster');
    const config = JSON.parse(readFileSync(here.kubeconfig, 'utf8')) as { users: { user: object }[] };
    config.users[0]!.user = { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: 'no-such-plugin' } };
    const plugin = join(directory, 'plugin.kubeconfig');
    writeFileSync(plugin, JSON.stringify(config));
    const { code, stderr } = await doctor(['--kubeconfig', plugin]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('cannot be read (ENOENT); try kubectl with')]);
    const elsewhere = await doctor(['-n', 'default']);
    expect(elsewhere.code).toBe(1);
    expect(elsewhere.stdout).toContain('Tollgate is not in default.');
    expect(elsewhere.stdout).toContain('Name its namespace by --namespace');
    expect(elsewhere.stdout).toContain('1 problem');
    expect(elsewhere.stdout).not.toContain('Shards');
  });

  test('missing rights are reported as unknown, not as a problem', async () => {
    await here.kubectl('create', 'serviceaccount', 'stranger', '-n', tenant);
    const token = (await here.kubectl('create', 'token', 'stranger', '-n', tenant)).trim();
    const config = JSON.parse(readFileSync(here.kubeconfig, 'utf8')) as { users: { user: object }[] };
    config.users[0]!.user = { token };
    const file = join(directory, 'stranger.kubeconfig');
    writeFileSync(file, JSON.stringify(config));
    const { code, stdout } = await doctor(['-o', 'json', '--kubeconfig', file]);
    const { findings, problems } = JSON.parse(stdout) as { findings: Finding[]; problems: number };
    expect(findings.filter(({ level }) => level === 'Problem')).toEqual([]);
    expect([code, problems]).toEqual([0, 0]);
    expect(findings.filter(({ level }) => level === 'Unknown').length).toBeGreaterThan(5);
  });
});

function certificate(host: string, days: number): { key: string; cert: string } {
  const { key, certificate: cert } = writeCertificate(directory, { name: `DNS:${host}`, days });
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
}

function tlsServer(host: string, days: number): Promise<Server> {
  const server = createServer(certificate(host, days));
  return new Promise((resolve) => server.listen(0, () => resolve(server)));
}

function tlsSecret(host: string, days: number, name = 'gateway-tls'): string {
  const { key, cert } = certificate(host, days);
  const metadata = { name, namespace: NAMESPACE };
  const stringData = { 'tls.key': key, 'tls.crt': cert };
  return JSON.stringify({ apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/tls', metadata, stringData });
}

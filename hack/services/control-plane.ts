import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { assetFolder } from '../assets/asset-folder.ts';
import { kubectl } from './kubectl.ts';
import { freePort } from './ports.ts';
import { type Child, type Launch, type Probe, launch, responds } from './processes.ts';

/** Where the control plane runs. The same directory and ports bring back what was there. */
export interface ControlPlaneOptions {
  /** Holds the keys, etcd's data, the administrator's kubeconfig and `logs/`. */
  directory: string;
  /** A folder of CRDs, installed before the controllers start so that the garbage collector knows them from its start. */
  crds?: string;
  /**
   * Whether kube-controller-manager runs, default true. Without it nothing is deleted with its owner or its namespace,
   * and namespaces have no default ServiceAccount.
   */
  controllers?: boolean;
  ports?: ControlPlanePorts;
  /** How its processes are started; by default they end with this process. */
  launch?: Launch;
}

/** Ports on 127.0.0.1. */
interface ControlPlanePorts {
  etcd: number;
  server: number;
}

/** A running control plane. Authorization is RBAC; the kubeconfig is the administrator's. */
export interface ControlPlane {
  server: string;
  kubeconfig: string;
  caFile: string;
  stop: () => Promise<void>;
}

/** The controllers that tests need: ownership, namespaces, ServiceAccounts, Services, types in policies. Others would only cost memory. */
const CONTROLLERS = [
  'clusterrole-aggregation-controller',
  'endpointslice-controller',
  'garbage-collector-controller',
  'namespace-controller',
  'root-ca-certificate-publisher-controller',
  'serviceaccount-controller',
  'serviceaccount-token-controller',
  'validatingadmissionpolicy-status-controller',
];

/** Starts etcd, kube-apiserver and kube-controller-manager, and returns once they serve. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { directory, controllers = true } = options;
  const programs = assetFolder(controllers ? 'control_plane' : 'api_server');
  const ports = options.ports ?? { etcd: await freePort(), server: await freePort() };
  const files = prepare(directory, ports);
  const children: Child[] = [];
  const run = async (name: string, args: string[], probe: Probe) => {
    const command = { name, command: join(programs, name), args, logFile: join(directory, 'logs', `${name}.log`) };
    children.push(await (options.launch ?? launch)(command, probe));
  };
  const stop = async () => {
    for (const child of children.toReversed()) await child.stop();
  };
  try {
    await run('etcd', etcdArguments(directory, ports), () => responds(`http://127.0.0.1:${ports.etcd}/health`));
    await run('kube-apiserver', serverArguments(files, ports), () => serves(files));
    if (options.crds) await installCrds(files.kubeconfig, options.crds);
    if (controllers) await run('kube-controller-manager', managerArguments(files), () => controllersRun(files));
  } catch (error) {
    await stop();
    throw error;
  }
  return { server: files.server, kubeconfig: files.kubeconfig, caFile: files.caFile, stop };
}

/** Installs the CRDs of a folder and waits until they are served. A folder without any changes nothing. */
async function installCrds(kubeconfig: string, folder: string): Promise<void> {
  const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
  if (files.length === 0) return;
  const names = files.flatMap((name) => ['-f', join(folder, name)]);
  await kubectl(kubeconfig, ['apply', '--server-side', '--force-conflicts', ...names]);
  const wait = ['wait', '--for=condition=Established', '--timeout=30s', ...names];
  // kubectl fails instead of waiting while a CRD has no status yet.
  for (let tries = 0; (await succeeds(kubectl(kubeconfig, wait))) === undefined; tries++) {
    if (tries === 20) throw new Error('the CRDs are not served');
    await sleep(250);
  }
}

/** A kubeconfig for a user with a token. JSON is YAML. */
export function kubeconfigFor(server: string, caFile: string, token: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'local', cluster: { server, 'certificate-authority': caFile } }],
    users: [{ name: 'local', user: { token } }],
    contexts: [{ name: 'local', context: { cluster: 'local', user: 'local' } }],
    'current-context': 'local',
  });
}

interface Files {
  server: string;
  certificates: string;
  caFile: string;
  tokens: string;
  privateKey: string;
  publicKey: string;
  kubeconfig: string;
}

/** Writes the files that the processes read. Existing keys and tokens are kept, so that what was issued with them stays valid. */
function prepare(directory: string, ports: ControlPlanePorts): Files {
  const certificates = join(directory, 'certificates');
  mkdirSync(certificates, { recursive: true });
  const files: Files = {
    server: `https://127.0.0.1:${ports.server}`,
    certificates,
    caFile: join(certificates, 'apiserver.crt'), // written by the server: its certificate, and the CA that signed it
    tokens: join(certificates, 'tokens.csv'),
    privateKey: join(certificates, 'service-accounts.key'),
    publicKey: join(certificates, 'service-accounts.pub'),
    kubeconfig: join(directory, 'kubeconfig'),
  };
  if (!existsSync(files.tokens)) {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    writeFileSync(files.privateKey, privateKey.export({ type: 'sec1', format: 'pem' }), { mode: 0o600 });
    writeFileSync(files.publicKey, publicKey.export({ type: 'spki', format: 'pem' }));
    writeFileSync(files.tokens, `${randomBytes(24).toString('hex')},admin,admin,system:masters\n`, { mode: 0o600 });
  }
  const token = readFileSync(files.tokens, 'utf8').split(',')[0] ?? '';
  writeFileSync(files.kubeconfig, kubeconfigFor(files.server, files.caFile, token), { mode: 0o600 });
  return files;
}

function etcdArguments(directory: string, ports: ControlPlanePorts): string[] {
  const url = `http://127.0.0.1:${ports.etcd}`;
  return [
    `--data-dir=${join(directory, 'etcd')}`,
    `--listen-client-urls=${url}`,
    `--advertise-client-urls=${url}`,
    '--listen-peer-urls=http://127.0.0.1:0',
    '--unsafe-no-fsync', // a power cut may lose this cluster
    '--log-level=warn',
  ];
}

function serverArguments(files: Files, ports: ControlPlanePorts): string[] {
  return [
    `--etcd-servers=http://127.0.0.1:${ports.etcd}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    `--secure-port=${ports.server}`,
    `--cert-dir=${files.certificates}`,
    '--authorization-mode=RBAC',
    `--token-auth-file=${files.tokens}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-signing-key-file=${files.privateKey}`,
    `--service-account-key-file=${files.publicKey}`,
    '--service-cluster-ip-range=10.0.0.0/24',
    '--endpoint-reconciler-type=none', // a loopback address cannot be an endpoint
    '--allow-privileged=true',
    '--profiling=false',
  ];
}

function managerArguments(files: Files): string[] {
  return [
    `--kubeconfig=${files.kubeconfig}`,
    `--authentication-kubeconfig=${files.kubeconfig}`,
    `--authorization-kubeconfig=${files.kubeconfig}`,
    `--controllers=${CONTROLLERS.join(',')}`,
    '--use-service-account-credentials=true',
    `--service-account-private-key-file=${files.privateKey}`,
    `--root-ca-file=${files.caFile}`,
    '--leader-elect=false', // the only one
    '--secure-port=0',
    '--profiling=false',
  ];
}

async function serves({ kubeconfig, caFile }: Files): Promise<true | undefined> {
  if (!existsSync(caFile) || readFileSync(caFile, 'utf8') === '') return undefined;
  return succeeds(kubectl(kubeconfig, ['get', '--raw', '/readyz']));
}

/** The controllers run once the default namespace has its ServiceAccount. */
async function controllersRun({ kubeconfig }: Files): Promise<true | undefined> {
  return succeeds(kubectl(kubeconfig, ['get', 'serviceaccount', 'default', '--namespace', 'default']));
}

async function succeeds(work: Promise<unknown>): Promise<true | undefined> {
  return work.then(
    () => true as const,
    () => undefined,
  );
}

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { helm, kubectl, repositoryOf } from '../../../hack/cluster/node.ts';
import { yamlOf } from './pods.ts';
import { UPSTREAM } from './stand-in.ts';

const repository = join(import.meta.dirname, '../../..');

/** Where it is installed. */
export const NAMESPACE = 'tollgate-system';
/** Its chart, as it is in this tree. */
export const CHART = join(repository, 'charts', 'tollgate');
const NAME = 'tollgate';

const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as { version: string };

/** Values as `--values` takes them. */
export type Values = Readonly<Record<string, unknown>>;

/** The images of this tree, volumes that a small node has, and the stand-in among the upstreams. */
const VALUES: Values = {
  image: { repository: repositoryOf('tollgate'), tag: version },
  redis: { image: { repository: repositoryOf('redis'), tag: '7' }, storage: { size: '64Mi' } },
  postgres: { image: { repository: repositoryOf('postgres'), tag: '15' }, storage: { size: '64Mi' } },
};

/** The installation that the tests share: `helm` as a person would use it. */
export const release = {
  /** Installs it, or makes an upgrade of it; returns when all Pods are ready. `settings` are added to those of the tests. */
  async apply(settings: Values = {}, { chart = CHART, flags = [] as readonly string[] } = {}): Promise<void> {
    const values = { ...VALUES, settings: { upstreams: ['https://api.anthropic.com', UPSTREAM], ...settings } };
    const wait = ['--wait', '--timeout', '300s'];
    const command = ['upgrade', '--install', NAME, chart, '-n', NAMESPACE, '-f', '-', ...wait, ...flags];
    await helm(command, { input: stringify(values) });
  },

  /** Returns when the Pods of the revision before are ready. */
  async rollback(): Promise<void> {
    await helm(['rollback', NAME, '-n', NAMESPACE, '--wait', '--timeout', '300s']);
  },

  async uninstall(): Promise<void> {
    await helm(['uninstall', NAME, '-n', NAMESPACE, '--wait', '--timeout', '300s', '--ignore-not-found']);
  },

  /** `deployed` where the last change came to its end. */
  async status(): Promise<string> {
    const { info } = JSON.parse(await helm(['status', NAME, '-n', NAMESPACE, '-o', 'json'])) as {
      info: { status: string };
    };
    return info.status;
  },
};

/** Makes the namespace as an administrator would, who lets no Pod in that is not `restricted`. */
export async function prepareNamespace(): Promise<void> {
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels } };
  await kubectl(['apply', '-f', '-'], { input: yamlOf(namespace) });
}

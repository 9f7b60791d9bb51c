import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { kubectl } from '../../hack/services/kubectl.ts';

/** The control plane of the test run. All test files share it: each works in namespaces of its own. */
export interface Cluster {
  /** Path of the administrator's kubeconfig. */
  kubeconfig: string;
  server: string;
  caFile: string;
  /** Runs kubectl as administrator; rejects with what it said where it fails. */
  kubectl: (...args: string[]) => Promise<string>;
  /** Server-side apply of one or more YAML documents. */
  apply: (yaml: string) => Promise<string>;
  /** Makes a namespace and returns its name, `<prefix>-<random>`. */
  namespace: (prefix?: string) => Promise<string>;
}

/**
 * The real API server that the run's set-up has started.
 * @throws Error where the run was started without one.
 */
export function cluster(): Cluster {
  const kubeconfig = process.env['TOLLGATE_TEST_CLUSTER'];
  if (kubeconfig === undefined || kubeconfig === 'off') {
    throw new Error('This test needs the API server: run jest without TOLLGATE_TEST_CLUSTER=off.');
  }
  const config = JSON.parse(readFileSync(kubeconfig, 'utf8')) as {
    clusters: [{ cluster: { server: string; 'certificate-authority': string } }];
  };
  const { server, 'certificate-authority': caFile } = config.clusters[0].cluster;
  const run = (...args: string[]) => kubectl(kubeconfig, args);
  return {
    kubeconfig,
    server,
    caFile,
    kubectl: run,
    apply: (yaml) => kubectl(kubeconfig, ['apply', '--server-side', '--force-conflicts', '-f', '-'], yaml),
    namespace: async (prefix = 'test') => {
      const name = `${prefix}-${randomBytes(4).toString('hex')}`;
      await run('create', 'namespace', name);
      return name;
    },
  };
}

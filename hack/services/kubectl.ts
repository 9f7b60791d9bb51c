import { join } from 'node:path';
import { assetFolder } from '../assets/asset-folder.ts';
import { run } from '../run/run.ts';

let folder: string | undefined;

/** The folder with etcd, kube-apiserver, kube-controller-manager and kubectl; the first call may have to build them. */
export function assets(): string {
  return (folder ??= assetFolder('control_plane'));
}

/**
 * Runs kubectl and returns what it printed.
 * @throws Error with the command and what kubectl said where it fails.
 */
export function kubectl(kubeconfig: string, args: string[], input = ''): Promise<string> {
  const name = `kubectl ${args.join(' ')}`;
  return run(join(assets(), 'kubectl'), ['--kubeconfig', kubeconfig, ...args], { input, name });
}

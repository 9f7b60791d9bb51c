import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { assetFolder } from './asset-folder.ts';

let folder: string | undefined;

/** The folder with etcd, kube-apiserver, kube-controller-manager and kubectl; the first call may have to build them. */
export function assets(): string {
  return (folder ??= assetFolder('control_plane'));
}

/**
 * Runs kubectl and returns what it printed.
 * @throws Error with the command and what kubectl said where it fails.
 */
export async function kubectl(kubeconfig: string, args: string[], input = ''): Promise<string> {
  const child = spawn(join(assets(), 'kubectl'), ['--kubeconfig', kubeconfig, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  child.stdin.on('error', () => undefined); // it may end without reading
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${errors.trim() || `status ${code}`}`);
  return output;
}

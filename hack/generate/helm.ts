import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { assetFolder } from '../assets/asset-folder.ts';

const repository = join(import.meta.dirname, '../..');

/** Where the chart is. */
export const chart = join(repository, 'charts', 'tollgate');

let program: string | undefined;

/**
 * Runs helm on this machine and returns what it printed; what works on a cluster takes its kubeconfig as an argument.
 * @throws Error with what helm said where it fails.
 */
export function helm(args: readonly string[], input = ''): string {
  program ??= join(assetFolder('helm'), 'helm');
  const run = spawnSync(program, args, { encoding: 'utf8', input, maxBuffer: 64 * 1024 * 1024 });
  if (run.status !== 0) throw new Error(`helm ${args.join(' ')}: ${run.stderr?.trim() || run.error?.message}`);
  return run.stdout;
}

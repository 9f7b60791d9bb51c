import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { assetFolder } from './asset-folder.ts';

/**
 * Runs promtool in a folder and returns what it printed.
 * @throws Error with all that promtool said where it fails.
 */
export function promtool(folder: string, args: readonly string[]): string {
  const program = join(assetFolder('prometheus'), 'promtool');
  const run = spawnSync(program, args, { encoding: 'utf8', cwd: folder });
  if (run.status !== 0) throw new Error(`promtool ${args.join(' ')}:\n${run.stdout}${run.stderr}`);
  return run.stdout;
}

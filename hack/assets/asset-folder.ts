import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/**
 * Brings a part of hack/assets/assets.sh, which may have to download or build it, and returns the folder that holds it (of `node`
 * several, as a PATH has them).
 * @throws Error where that fails; what is missing was printed.
 */
export function assetFolder(part: string): string {
  const script = join(import.meta.dirname, 'assets.sh');
  const run = spawnSync(script, [part], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  if (run.status !== 0) throw new Error(`hack/assets/assets.sh ${part} failed; what is missing is said above`);
  return run.stdout.trim();
}

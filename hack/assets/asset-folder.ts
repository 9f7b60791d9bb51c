import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const folders = new Map<string, string>();

/**
 * Brings programs by hack/assets/assets.sh, which may download or build them for minutes, and returns the folder that
 * holds them (for `node` several folders, separated as in a PATH).
 * @throws Error where that fails; the script has printed the reason.
 */
export function assetFolder(part: string): string {
  const known = folders.get(part);
  if (known !== undefined) return known;
  const script = join(import.meta.dirname, 'assets.sh');
  const { status, stdout } = spawnSync(script, [part], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  if (status !== 0) throw new Error(`hack/assets/assets.sh ${part} failed; see its output above`);
  folders.set(part, stdout.trim());
  return stdout.trim();
}

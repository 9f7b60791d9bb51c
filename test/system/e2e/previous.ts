import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CHART } from './release.ts';

const CRDS = join(import.meta.dirname, 'previous');

/**
 * The chart before this one, in a folder of its own: with the CRDs that installations have today (`test/system/e2e/previous`,
 * replaced at each release by those of the release), and with the images of this tree.
 */
export function previousChart(): string {
  const folder = join(mkdtempSync(join(tmpdir(), 'tollgate-chart-')), 'tollgate');
  cpSync(CHART, folder, { recursive: true });
  cpSync(CRDS, join(folder, 'files', 'crds'), { recursive: true });
  const file = join(folder, 'Chart.yaml');
  writeFileSync(file, readFileSync(file, 'utf8').replace(/^version: .*$/m, 'version: 0.0.1'));
  return folder;
}

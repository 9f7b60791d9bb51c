import { join } from 'node:path';
import { machine, table } from '../../../bench/figures.ts';
import { Installation } from '../../../bench/installation.ts';
import { assetFolder } from '../../../hack/assets/asset-folder.ts';
import { runAttacks } from './run-attacks.ts';

// `make attack [SEED] [ONLY]`: attacks the real system as hostile callers and tenants would. Exits with a status other than 0
// if something happened that should not, or another tenant waited too long.

const directory = join(import.meta.dirname, '../../../.run/attack');
const [seed = '1', only = ''] = process.argv.slice(2);

assetFolder('control_plane'); // may build for minutes, and prints its progress
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void Installation.stop(directory).finally(() => process.exit(130)));
}
const { violations, figures } = await runAttacks({
  directory,
  seed: Number(seed),
  variants: 40,
  announce: console.error,
  ...(only === '' ? {} : { only: only.split(',') }),
});
console.log(`\n${machine()}\n\n${table(figures)}`);
for (const violation of violations) console.log(`WRONG: ${violation}`);
process.exitCode = violations.length === 0 && figures.every(({ holds }) => holds) ? 0 : 1;

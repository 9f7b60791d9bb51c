import { join } from 'node:path';
import { machine, table } from '../../../bench/figures.ts';
import { Installation } from '../../../bench/installation.ts';
import { assetFolder } from '../../../hack/assets/asset-folder.ts';
import { chaos } from './chaos.ts';

// `make chaos [SECONDS] [SEED]`: breaks the real system at random under load, then checks all spend. The log of the run is
// .run/chaos/chaos.log. Exits with a status other than 0 if a promise did not hold.

const directory = join(import.meta.dirname, '../../../.run/chaos');
const [seconds = '600', seed = '1'] = process.argv.slice(2);

assetFolder('control_plane'); // may build for minutes, and prints its progress
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void Installation.stop(directory).finally(() => process.exit(130)));
}
const figures = await chaos({ directory, seconds: Number(seconds), seed: Number(seed), announce: console.error });
console.log(`\n${machine()}\n\n${table(figures)}`);
process.exitCode = figures.every(({ holds }) => holds) ? 0 : 1;

import { spawnSync } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { extname, join } from 'node:path';

// `npm run build`: the commands in JavaScript, with the files that they read beside them, in dist/. Node strips no types
// under node_modules, and the stripper costs memory in every process.

const repository = join(import.meta.dirname, '../..');
const output = join(repository, 'dist');
const FOLDERS_WITH_DATA = ['policy', 'ledger', 'log', 'crds'];

rmSync(output, { recursive: true, force: true });
const { status } = spawnSync('tsc', ['-p', 'tsconfig.build.json'], { cwd: repository, stdio: 'inherit' });
if (status !== 0) process.exit(1); // tsc has said why
for (const folder of FOLDERS_WITH_DATA) {
  cpSync(join(repository, folder), join(output, folder), {
    recursive: true,
    filter: (path) => extname(path) !== '.ts',
  });
}

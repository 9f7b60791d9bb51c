/**
 * Writes docs/reference/licences.md, which is in the image too: what Tollgate is shipped with and under which licences.
 * With `--check` it writes nothing and exits 1 where the page is out of date. A licence that is not named here fails.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { generate } from './generated.ts';

const repository = join(import.meta.dirname, '../..');

/** Permissive, and without a word about what else is shipped. */
const PERMISSIVE = new Set([
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  '0BSD',
  'ISC',
  'MIT',
  'PSF-2.0',
  'Unlicense',
]);

/** A package in package-lock.json. */
interface Locked {
  readonly version: string;
  readonly license?: string;
  readonly dev?: boolean;
}

/** The compiler: for development here, and an optional peer of valibot, which is why the lock file does not call it `dev`. */
const COMPILER = /^node_modules\/(@typescript\/|typescript$)/;

function shipped(): [name: string, locked: Locked][] {
  const lock = JSON.parse(readFileSync(join(repository, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, Locked>;
  };
  return Object.entries(lock.packages)
    .filter(([path, { dev }]) => path !== '' && dev !== true && !COMPILER.test(path))
    .map(([path, locked]) => [path.replace(/^.*node_modules\//, ''), locked]);
}

function page(packages: readonly [string, Locked][]): string {
  const rows = packages
    .map(([name, { version, license }]) => `| \`${name}\` | ${version} | ${license} |`)
    .toSorted((one, other) => (one < other ? -1 : 1));
  return [
    '# Licences\n',
    'Tollgate is under Apache-2.0. Its image and its npm package bring these packages, each with the text of its licence in its own',
    'folder; the image also holds `sbom.cdx.json`, a bill of materials in CycloneDX. Its base adds Node (MIT) and the C and C++ libraries of the system.\n',
    '| package | version | licence |\n| --- | --- | --- |',
    `${[...new Set(rows)].join('\n')}\n`,
  ].join('\n');
}

const packages = shipped();
for (const [name, { license = 'none' }] of packages) {
  if (PERMISSIVE.has(license)) continue;
  console.error(`${name} is under "${license}", which is none of ${[...PERMISSIVE].join(', ')}: see CONTRIBUTING.md`);
  process.exitCode = 1;
}
generate(new Map([[join(repository, 'docs/reference/licences.md'), page(packages)]]), process.argv.includes('--check'));

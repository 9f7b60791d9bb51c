/** `hack/release/release.sh` in a clone of this repository: what stands in its way, what it builds, what it tags. */

import { execFileSync, spawnSync } from 'node:child_process';
import { hash } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parse } from 'yaml';

const repository = join(import.meta.dirname, '../../..');
const directory = mkdtempSync(join(tmpdir(), 'tollgate-release-'));
const clone = join(directory, 'clone');

beforeAll(() => {
  // What is committed and what is not: the tests are about this tree.
  const listed = git(repository, 'ls-files', '--cached', '--others', '--exclude-standard', '--deduplicate').split('\n');
  for (const file of listed.filter((name) => name !== '')) {
    cpSync(join(repository, file), join(clone, file), { force: true });
  }
  symlinkSync(join(repository, 'node_modules'), join(clone, 'node_modules'));
  git(clone, 'init', '--quiet');
  writeFileSync(join(clone, '.git/info/exclude'), 'node_modules\n'); // a link, which .gitignore does not mean
  commit('The tree');
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

function git(cwd: string, ...args: string[]): string {
  const who = ['-c', 'user.name=a test', '-c', 'user.email=test@example.invalid'];
  return execFileSync('git', [...who, ...args], { cwd, encoding: 'utf8' });
}

function commit(message: string): void {
  git(clone, 'add', '--all');
  git(clone, 'commit', '--quiet', '--allow-empty', '-m', message);
}

/** Runs the script. Its own checks and the image have tests of their own and take minutes. */
function release(...args: string[]) {
  const env = {
    ...process.env,
    RELEASE_PARTS: 'chart crds npm sbom',
    RELEASE_FOLDER: join(directory, 'out'),
    GIT_AUTHOR_NAME: 'a test',
    GIT_COMMITTER_NAME: 'a test',
    GIT_COMMITTER_EMAIL: 'test@example.invalid',
  };
  const run = spawnSync(join(clone, 'hack/release/release.sh'), args, { cwd: clone, encoding: 'utf8', env });
  return { status: run.status, stdout: run.stdout, stderr: run.stderr };
}

function edit(file: string, change: (text: string) => string): void {
  writeFileSync(join(clone, file), change(readFileSync(join(clone, file), 'utf8')));
}

test('every obstacle to a release is printed, and nothing is tagged', () => {
  edit('charts/tollgate/Chart.yaml', (text) => text.replace(/^version: .*$/m, 'version: 0.0.9'));
  const { status, stderr } = release();
  expect(status).toBe(1);
  expect(stderr).toContain('there are changes that are not committed');
  expect(stderr).toMatch(/version in charts\/tollgate\/Chart\.yaml is 0\.0\.9 and not \d/);
  expect(stderr).toContain('CHANGELOG.md has no section');
  expect(git(clone, 'tag')).toBe('');
  git(clone, 'checkout', '--quiet', '--', 'charts');
});

test('a dry run builds everything with its checksums, and tags nothing', () => {
  const { status, stderr } = release('--dry-run');
  expect(stderr).toContain('not tagged: this was a dry run');
  expect(status).toBe(0);
  expect(git(clone, 'tag')).toBe('');
});

test('a release is built, its notes are those of the changelog, and its commit is tagged', () => {
  const { version } = JSON.parse(readFileSync(join(clone, 'package.json'), 'utf8')) as { version: string };
  edit('CHANGELOG.md', (text) => text.replace('## Unreleased', `## Unreleased\n\n## ${version} (2026-12-01)`));
  commit('Release');
  const { status, stdout, stderr } = release();
  expect([status, status === 0 ? '' : stderr]).toEqual([0, '']);
  expect(stdout).toContain(`git push origin v${version}`);
  expect(git(clone, 'tag', '--points-at', 'HEAD')).toBe(`v${version}\n`);
  expect(git(clone, 'tag', '-n99', `v${version}`)).toContain('ClaudeBudget');

  const out = join(directory, 'out', version);
  const files = readdirSync(out).filter((name) => name !== 'SHA256SUMS');
  expect(new Set(files)).toEqual(
    new Set([
      `tollgate-${version}.tgz`,
      `tollgate-npm-${version}.tgz`,
      `tollgate-crds-${version}.yaml`,
      `tollgate-sbom-${version}.cdx.json`,
      'licences.md',
      'notes.md',
    ]),
  );
  const sums = readFileSync(join(out, 'SHA256SUMS'), 'utf8').trim().split('\n');
  const real = files.map((name) => `${hash('sha256', readFileSync(join(out, name)))}  ${name}`);
  expect(new Set(sums)).toEqual(new Set(real));
  expect(readFileSync(join(out, 'notes.md'), 'utf8')).toContain('### Added');
  const chart = execFileSync('tar', ['-xzOf', `tollgate-${version}.tgz`, 'tollgate/Chart.yaml'], { cwd: out });
  expect(parse(chart.toString())).toMatchObject({ version, appVersion: version });
  const { components } = JSON.parse(readFileSync(join(out, `tollgate-sbom-${version}.cdx.json`), 'utf8')) as {
    components: { name: string }[];
  };
  const names = components.map(({ name }) => name);
  expect(names).toContain('undici');
  expect(names).not.toContain('jest');

  expect(release().stderr).toContain(`v${version} exists already`);
});

test('an unknown flag is refused', () => {
  expect(release('--dry')).toMatchObject({ status: 2, stderr: expect.stringContaining('there is no flag --dry') });
  expect(release('--help').stdout).toContain('hack/release/release.sh --dry-run');
});

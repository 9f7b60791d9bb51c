import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import manifest from '../../../package.json' with { type: 'json' };

const repository = join(import.meta.dirname, '../../..');
const directory = mkdtempSync(join(tmpdir(), 'tollgate-package-'));
/** Where npm would put it: node strips no types there. */
const installed = join(directory, 'node_modules', 'tollgate');

beforeAll(() => {
  execFileSync('npm', ['pack', '--pack-destination', directory], { cwd: repository, stdio: 'pipe' });
  mkdirSync(installed, { recursive: true });
  const archive = join(directory, `tollgate-${manifest.version}.tgz`);
  execFileSync('tar', ['-xzf', archive, '-C', installed, '--strip-components=1']);
  symlinkSync(join(repository, 'node_modules'), join(installed, 'node_modules'));
});

afterAll(() => rmSync(directory, { recursive: true }));

function tollgate(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(installed, manifest.bin.tollgate), ...args], {
    encoding: 'utf8',
    env: {},
  });
  return { status, stdout, stderr };
}

test('the package prints its version and its commands', () => {
  expect(tollgate('--version')).toEqual({ status: 0, stdout: `${manifest.version}\n`, stderr: '' });
  const { status, stdout } = tollgate('--help');
  expect(status).toBe(0);
  expect(stdout).toMatch(/^ {2}operator .*\n {2}gateway /m);
  expect(tollgate('gatway')).toMatchObject({
    status: 2,
    stdout: '',
    stderr: expect.stringMatching(/^tollgate: unknown command "gatway"\.\n\nUsage: tollgate <command>/),
  });
});

test('npx runs the commands of a clone, and says what is missing from one that is not installed', () => {
  const npx = spawnSync('npx', ['--offline', 'tollgate', 'doctor', '--help'], { cwd: repository, encoding: 'utf8' });
  expect(npx).toMatchObject({ status: 0, stdout: expect.stringMatching(/^Usage: tollgate doctor /) });
  const clone = join(directory, 'clone');
  for (const file of ['bin/launch.js', 'bin/tollgate.ts', 'package.json']) {
    cpSync(join(repository, file), join(clone, file));
  }
  const bare = spawnSync(process.execPath, [join(clone, manifest.bin.tollgate)], { encoding: 'utf8' });
  expect(bare).toMatchObject({ status: 2, stderr: expect.stringContaining('run `make install` in the clone first') });
});

test('the doctor of the package prints its usage', () => {
  const { status, stdout } = tollgate('doctor', '--help');
  expect(status).toBe(0);
  expect(stdout).toMatch(/^Usage: tollgate doctor /);
});

test.each(['operator', 'gateway'])('the %s of the package starts, and names the settings that it lacks', (command) => {
  const { status, stdout } = tollgate(command);
  expect(status).toBe(1);
  expect(stdout).toContain('REDIS_URL is not set');
});

test('a command ends at SIGTERM while it still waits for its cluster, as the first process of a container must', async () => {
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const kubeconfig = join(directory, 'kubeconfig');
  const named = {
    clusters: [{ name: 'a', cluster: { server: `http://127.0.0.1:${port}` } }],
    users: [{ name: 'a', user: {} }],
  };
  const contexts = [{ name: 'a', context: { cluster: 'a', user: 'a' } }];
  writeFileSync(kubeconfig, JSON.stringify({ ...named, contexts, 'current-context': 'a' }));
  const own = { REDIS_URL: 'redis://127.0.0.1:1', TOLLGATE_DATABASE_URL: 'postgres://127.0.0.1:1/none', PORT: '0' };
  const env = { ...own, POD_NAME: 'one', KUBECONFIG: kubeconfig };
  const child = spawn(process.execPath, [join(installed, manifest.bin.tollgate), 'operator'], { env });
  const ended = once(child, 'exit');
  await once(child.stdout, 'data');
  child.kill('SIGTERM');
  expect(await ended).toEqual([143, null]);
  silent.close();
});

/** Run beside the package's code: what it prints shows that the files are there that the code reads as it goes. */
const OPENS_A_LOG = `
  const [{ readConfig }, { openDatabase }, { migrate }] = await Promise.all(
    ['operator/config.js', 'log/database/open-database.js', 'log/database/migrate.js'].map((file) => import(process.argv[2] + file)));
  const { logPlace, shippedPrices } = readConfig(process.env);
  const log = await openDatabase(logPlace);
  await migrate(log);
  console.log(JSON.parse(shippedPrices).models.length > 0, (await log.query('select name from migrations')).length > 0);
  await log.close();
`;

test('the package brings prices, migrations and the thread of the log', () => {
  const env = { REDIS_URL: 'redis://localhost', POD_NAME: 'one', TOLLGATE_USAGE_LOG_FOLDER: join(directory, 'log') };
  const folder = pathToFileURL(join(installed, 'dist/')).href;
  const script = join(directory, 'opens-a-log.mjs');
  writeFileSync(script, OPENS_A_LOG);
  const { stdout, stderr } = spawnSync(process.execPath, [script, folder], { encoding: 'utf8', env });
  expect(stderr).toBe('');
  expect(stdout).toBe('true true\n');
});

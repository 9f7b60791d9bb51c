import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Upstream, startUpstream } from '../../fakes/upstream/upstream.ts';
import { type ClientGateway, startGateway } from './gateway.ts';
import { python } from './python.ts';

const run = promisify(execFile);
const repository = join(import.meta.dirname, '../../..');
const TEXT = 'The meeting began late because the projector was broken, and ended early for the same reason.';
const USE = {
  python: `import degrade; print(degrade.summarise("${TEXT}"))`,
  ts: `import { summarise } from './degrade.mts'; console.log(await summarise('${TEXT}'));`,
};

/** The page's programs, each as a file. */
const folder = mkdtempSync(join(tmpdir(), 'tollgate-degrade-'));
writeFileSync(join(folder, 'degrade.py'), block('python'));
writeFileSync(join(folder, 'main.py'), USE.python);
writeFileSync(join(folder, 'degrade.mts'), block('ts'));
writeFileSync(join(folder, 'main.mts'), USE.ts);
symlinkSync(join(repository, 'node_modules'), join(folder, 'node_modules'));

let upstream: Upstream;
beforeAll(async () => (upstream = await startUpstream({ behaviour: { text: 'It was short.' } })));
afterAll(async () => {
  await upstream.close();
  rmSync(folder, { recursive: true });
});

function block(language: string): string {
  const page = readFileSync(join(repository, 'docs/how-to/degrade.md'), 'utf8');
  const code = new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\``, 'm').exec(page)?.[1];
  if (code === undefined) throw new Error(`the page has no program in ${language}`);
  return code;
}

async function typescript({ baseURL, apiKey }: { baseURL: string; apiKey: string }): Promise<string> {
  const env = { PATH: process.env['PATH'], ANTHROPIC_BASE_URL: baseURL, ANTHROPIC_API_KEY: apiKey };
  return (await run(process.execPath, [join(folder, 'main.mts')], { env, timeout: 100_000 })).stdout;
}

test('the TypeScript of the page has no type errors', async () => {
  const options = ['--strict', '--noEmit', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2024'];
  const checked = run(join(repository, 'node_modules/.bin/tsc'), [...options, join(folder, 'degrade.mts')], {
    cwd: folder,
  });
  await expect(checked).resolves.toMatchObject({ stdout: '' });
});

describe.each([429, 402] as const)('the programs of the page, where refusals have status %i', (status) => {
  let gateway: ClientGateway;
  beforeAll(async () => {
    gateway = await startGateway(upstream.url, status);
    await gateway.spendPennies();
  });
  afterAll(() => gateway.stop());

  test.each([
    ['TypeScript', typescript],
    ['Python', (endpoint: { baseURL: string; apiKey: string }) => python(endpoint, join(folder, 'main.py'))],
  ])('%s: an answer while there is money, and something useful when there is none', async (_language, program) => {
    expect(await program({ baseURL: gateway.url, apiKey: 'sk-tollgate-rich' })).toBe('It was short.\n');
    expect(await program({ baseURL: gateway.url, apiKey: 'sk-tollgate-poor' })).toMatch(
      /^The meeting began late because the proje… \(summaries are back at \d{4}-\d\d-\d\dT00:00:00Z\)\n$/,
    );
    // A wrong key is no spent budget.
    await expect(program({ baseURL: gateway.url, apiKey: 'sk-tollgate-nobody' })).rejects.toThrow(
      'AuthenticationError',
    );
  });
});

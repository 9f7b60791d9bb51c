import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Upstream, startUpstream } from '../../fakes/upstream/upstream.ts';
import type { Endpoint } from './claude-code.ts';
import { type ClientGateway, startGateway } from './gateway.ts';
import { python } from './python.ts';

const run = promisify(execFile);
const repository = join(import.meta.dirname, '../../..');
const TEXT = 'The meeting began late because the projector was broken, and ended early for the same reason.';
/** When every budget is new. */
const LATER = '9999-01-01T00:00:00Z';
const USE = {
  python: `import degrade; print(degrade.summarise("${TEXT}"))`,
  ts: `import { summarise } from './degrade.mts'; console.log(await summarise('${TEXT}'));`,
};

/** The page's programs, each as a file. */
const folder = mkdtempSync(join(tmpdir(), 'tollgate-degrade-'));
writeFileSync(join(folder, 'degrade.py'), block('python'));
writeFileSync(join(folder, 'main.py'), USE.python);
writeFileSync(join(folder, 'degrade.mts'), block('ts'));
writeFileSync(join(folder, 'later.py'), block('python', 1));
writeFileSync(join(folder, 'later.mts'), block('ts', 1));
writeFileSync(join(folder, 'main.mts'), USE.ts);
symlinkSync(join(repository, 'node_modules'), join(folder, 'node_modules'));

let upstream: Upstream;
beforeAll(async () => (upstream = await startUpstream({ behaviour: { text: 'It was short.' } })));
afterAll(async () => {
  await upstream.close();
  rmSync(folder, { recursive: true });
});

/** The first program of the page in this language, or a later one. */
function block(language: string, index = 0): string {
  const page = readFileSync(join(repository, 'docs/how-to/degrade.md'), 'utf8');
  const code = [...page.matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\``, 'gm'))][index]?.[1];
  if (code === undefined) throw new Error(`the page has no program in ${language}`);
  return code;
}

async function typescript({ baseURL, apiKey }: Endpoint, file = 'main.mts'): Promise<string> {
  const env = { PATH: process.env['PATH'], ANTHROPIC_BASE_URL: baseURL, ANTHROPIC_API_KEY: apiKey };
  return (await run(process.execPath, [join(folder, file)], { cwd: folder, env, timeout: 100_000 })).stdout;
}

/** Runs some lines that use the queue of the page: what it keeps is in a folder that stays from one run to the next. */
const queueing: Readonly<Record<string, (endpoint: Endpoint, call: 'ask' | 'work') => Promise<string>>> = {
  TypeScript: (endpoint, call) => {
    const ask = `import { summaryOrPromise } from './later.mts'; console.log(await summaryOrPromise('${TEXT}'));`;
    const work = `import { workOff } from './later.mts'; await workOff('${LATER}', console.log);`;
    writeFileSync(join(folder, 'queue.mts'), call === 'ask' ? ask : work);
    return typescript(endpoint, 'queue.mts');
  },
  Python: (endpoint, call) => {
    const use = call === 'ask' ? `print(later.summary_or_promise("${TEXT}"))` : `later.work_off("${LATER}", print)`;
    writeFileSync(join(folder, 'queue_later.py'), `import os; os.chdir("${folder}"); import later; ${use}`);
    return python(endpoint, join(folder, 'queue_later.py'));
  },
};

test.each(['degrade.mts', 'later.mts'])('the TypeScript of the page has no type errors: %s', async (file) => {
  const options = ['--strict', '--noEmit', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2024'];
  const checked = run(join(repository, 'node_modules/.bin/tsc'), [...options, join(folder, file)], {
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
    ['Python', (endpoint: Endpoint) => python(endpoint, join(folder, 'main.py'))],
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

  test.each(Object.entries(queueing))('%s: what is queued is sent once there is money', async (_language, use) => {
    rmSync(join(folder, 'later.db'), { force: true });
    const [rich, poor] = ['rich', 'poor'].map((name) => ({ baseURL: gateway.url, apiKey: `sk-tollgate-${name}` }));
    const promise = /^The summary comes after \d{4}-\d\d-\d\dT00:00:00Z\.\n$/;
    expect(await use(poor!, 'ask')).toMatch(promise);
    expect(await use(poor!, 'ask')).toMatch(promise);
    expect(await use(poor!, 'work')).toBe('');
    expect(await use(rich!, 'work')).toBe('It was short.\nIt was short.\n');
    expect(await use(rich!, 'work')).toBe('');
  });
});

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
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
/** Above the five cents of `sk-tollgate-small`; above what is left of them; above what the workspace allows. */
const [FOR_GOOD, FOR_NOW, NEVER_ALLOWED] = [60_000, 35_000, 200_000].map((length) => 'x'.repeat(length)) as [
  string,
  string,
  string,
];
const USE = {
  python: 'import degrade, sys; print(degrade.summarise(sys.argv[1]))',
  ts: "import { summarise } from './degrade.mts'; console.log(await summarise(process.argv[2] ?? ''));",
  vercelRetries: `
    import { anthropic } from '@ai-sdk/anthropic';
    import { generateText } from 'ai';
    import { refusalOf } from './vercel.mts';
    await generateText({ model: anthropic('claude-haiku-4-5'), prompt: process.argv[2] ?? '' }).catch((error) =>
      console.log(error.name, refusalOf(error)?.details.error_code),
    );`,
};

/** The page's programs, each as a file. */
const folder = mkdtempSync(join(tmpdir(), 'tollgate-degrade-'));
writeFileSync(join(folder, 'degrade.py'), block('python'));
writeFileSync(join(folder, 'main.py'), USE.python);
writeFileSync(join(folder, 'degrade.mts'), block('ts'));
writeFileSync(join(folder, 'later.py'), block('python', 1));
writeFileSync(join(folder, 'later.mts'), block('ts', 1));
writeFileSync(join(folder, 'main.mts'), USE.ts);
writeFileSync(join(folder, 'vercel.mts'), block('ts', 2));
writeFileSync(join(folder, 'vercel-main.mts'), USE.ts.replace('degrade', 'vercel'));
writeFileSync(join(folder, 'vercel-retries.mts'), USE.vercelRetries);
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

async function typescript({ baseURL, apiKey }: Endpoint, text: string, file = 'main.mts'): Promise<string> {
  const env = { PATH: process.env['PATH'], ANTHROPIC_BASE_URL: baseURL, ANTHROPIC_API_KEY: apiKey };
  return (await run(process.execPath, [join(folder, file), text], { cwd: folder, env, timeout: 100_000 })).stdout;
}

/** Runs some lines that use the queue of the page: what it keeps is in a folder that stays from one run to the next. */
const queueing: Readonly<Record<string, (endpoint: Endpoint, call: 'ask' | 'work', text?: string) => Promise<string>>> =
  {
    TypeScript: (endpoint, call, text = TEXT) => {
      const ask =
        "import { summaryOrPromise } from './later.mts'; console.log(await summaryOrPromise(process.argv[2] ?? ''));";
      const work = `import { workOff } from './later.mts'; await workOff('${LATER}', console.log);`;
      writeFileSync(join(folder, 'queue.mts'), call === 'ask' ? ask : work);
      return typescript(endpoint, text, 'queue.mts');
    },
    Python: (endpoint, call, text = TEXT) => {
      const use = call === 'ask' ? 'print(later.summary_or_promise(sys.argv[1]))' : `later.work_off("${LATER}", print)`;
      writeFileSync(join(folder, 'queue_later.py'), `import os, sys; os.chdir("${folder}"); import later; ${use}`);
      return python(endpoint, join(folder, 'queue_later.py'), text);
    },
  };

test.each(['degrade.mts', 'later.mts', 'vercel.mts'])(
  'the TypeScript of the page has no type errors: %s',
  async (file) => {
    const options = ['--strict', '--noEmit', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2024'];
    const checked = run(join(repository, 'node_modules/.bin/tsc'), [...options, join(folder, file)], {
      cwd: folder,
    });
    await expect(checked).resolves.toMatchObject({ stdout: '' });
  },
);

describe.each([429, 402] as const)('the programs of the page, where refusals have status %i', (status) => {
  let gateway: ClientGateway;
  beforeAll(async () => {
    gateway = await startGateway(upstream.url, status, { maxInputTokens: 150_000 });
    await gateway.spendPennies();
  });
  afterAll(() => gateway.stop());
  const caller = (name: string): Endpoint => ({ baseURL: gateway.url, apiKey: `sk-tollgate-${name}` });

  test.each([
    ['TypeScript', typescript],
    ['AI SDK', (endpoint: Endpoint, text: string) => typescript(endpoint, text, 'vercel-main.mts')],
    ['Python', (endpoint: Endpoint, text: string) => python(endpoint, join(folder, 'main.py'), text)],
  ])('%s: an answer while there is money, and something useful when there is none', async (_language, program) => {
    expect(await program(caller('rich'), TEXT)).toBe('It was short.\n');
    expect(await program(caller('poor'), TEXT)).toMatch(
      /^The meeting began late because the proje… \(summaries are back at \d{4}-\d\d-\d\dT00:00:00Z\)\n$/,
    );
    // For a call that no reset makes fit, no summary is promised.
    await expect(program(caller('small'), FOR_GOOD)).rejects.toThrow('cannot hold this call');
    // A wrong key is no spent budget.
    await expect(program(caller('nobody'), TEXT)).rejects.toThrow(/AuthenticationError|AI_APICallError/);
  });

  test('AI SDK: with its retries the refusal is found in the last error', async () => {
    const said = await typescript(caller('poor'), TEXT, 'vercel-retries.mts');
    expect(said).toBe(`${status === 429 ? 'AI_RetryError' : 'AI_APICallError'} budget_exceeded\n`);
  });

  test.each(Object.entries(queueing))('%s: what is queued is sent once there is money', async (_language, use) => {
    rmSync(join(folder, 'later.db'), { force: true });
    const promise = /^The summary comes after \d{4}-\d\d-\d\dT00:00:00Z\.\n$/;
    expect(await use(caller('poor'), 'ask')).toMatch(promise);
    expect(await use(caller('poor'), 'ask')).toMatch(promise);
    expect(await use(caller('poor'), 'work')).toBe('');
    // The row that was refused goes last, so that it cannot hold up the others after the reset.
    const queue = new DatabaseSync(join(folder, 'later.db'));
    expect(queue.prepare('select tries from later order by rowid').all()).toMatchObject([{ tries: 1 }, { tries: 0 }]);
    queue.close();
    expect(await use(caller('rich'), 'work')).toBe('It was short.\nIt was short.\n');
    expect(await use(caller('rich'), 'work')).toBe('');
  });

  test.each(Object.entries(queueing))('%s: no row of the queue holds up the others', async (_language, use) => {
    rmSync(join(folder, 'later.db'), { force: true });
    await expect(use(caller('small'), 'ask', FOR_GOOD)).rejects.toThrow('cannot hold this call');
    expect(await use(caller('small'), 'ask', FOR_NOW)).toMatch(/^The summary comes after \d{4}-01-01T00:00:00Z\.\n$/);
    const queue = new DatabaseSync(join(folder, 'later.db'));
    queue.exec('delete from later');
    for (const document of [NEVER_ALLOWED, FOR_GOOD, FOR_NOW, TEXT, TEXT])
      queue.prepare("insert into later (document, due) values (?, '2000-01-01T00:00:00Z')").run(document);
    expect(await use(caller('small'), 'work')).toBe('It was short.\nIt was short.\n');
    const left = queue.prepare('select length(document) as length, due, failed from later order by rowid').all();
    queue.close();
    expect(left).toMatchObject([
      { length: 200_000, due: null, failed: expect.stringContaining('guards.maxInputTokens') },
      { length: 60_000, due: null, failed: expect.stringContaining('cannot hold this call') },
      { length: 35_000, due: expect.stringMatching(/-01-01T00:00:00Z$/), failed: null },
    ]);
  });
});

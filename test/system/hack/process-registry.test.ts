import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ProcessRegistry } from '../../../hack/services/process-registry.ts';
import { type Command, alive } from '../../../hack/services/processes.ts';

const SERVE = 'require("http").createServer((q, s) => s.end(process.env.WORD)).listen(process.env.PORT, "127.0.0.1")';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tollgate-registry-'));
});

afterEach(async () => {
  await ProcessRegistry.use(directory, (registry) => registry.retain([]));
  rmSync(directory, { recursive: true });
});

/** Brings up a process that answers with a word, in a session of its own, and returns its pid and port. */
function up(name: string, options: { word?: string; script?: string } = {}): Promise<{ pid: number; port: number }> {
  return ProcessRegistry.use(directory, async (registry) => {
    const port = await registry.port(name);
    const command: Command = {
      name,
      command: process.execPath,
      args: ['-e', options.script ?? SERVE],
      logFile: join(directory, 'logs', `${name}.log`),
      env: { PORT: String(port), WORD: options.word ?? 'hello' },
    };
    const { pid } = await registry.launch(command, () => word(port));
    return { pid, port };
  });
}

function word(port: number): Promise<string | undefined> {
  return fetch(`http://127.0.0.1:${port}`).then(
    (response) => response.text(),
    () => undefined,
  );
}

describe('a background process', () => {
  test('is kept while its command is the same, and found by another session', async () => {
    const first = await up('a');
    expect(await up('a')).toEqual(first);
    expect(await word(first.port)).toBe('hello');
  });

  test('comes back on its port after it was killed', async () => {
    const first = await up('a');
    process.kill(first.pid, 'SIGKILL');
    const second = await up('a');
    expect(second.pid).not.toBe(first.pid);
    expect(second.port).toBe(first.port);
  });

  test('is replaced when its command has changed', async () => {
    const first = await up('a');
    const second = await up('a', { word: 'goodbye' });
    expect(second.port).toBe(first.port);
    expect(await word(second.port)).toBe('goodbye');
  });

  test('is replaced when it runs and does not answer', async () => {
    const first = await up('a');
    process.kill(first.pid, 'SIGSTOP');
    const second = await up('a');
    expect(second.pid).not.toBe(first.pid);
    expect(await word(second.port)).toBe('hello');
  });

  test('ends when it is no longer wanted, and the others stay', async () => {
    const [a, b] = [await up('a'), await up('b')];
    await ProcessRegistry.use(directory, (registry) => registry.retain(['a']));
    expect(await word(a.port)).toBe('hello');
    expect(await word(b.port)).toBeUndefined();
  });

  test('that cannot start is reported with the end of its log', async () => {
    const broken = up('a', { script: 'throw new Error("no such thing")' });
    await expect(broken).rejects.toThrow(/a ended before it was ready[\s\S]*no such thing/);
  });

  test('is changed by one session at a time', async () => {
    await ProcessRegistry.use(directory, async () => {
      await expect(ProcessRegistry.use(directory, () => Promise.resolve())).rejects.toThrow(
        `process ${process.pid} is at work`,
      );
    });
  });

  test('has an environment that is never written to the file, since it holds passwords', async () => {
    await up('a', { word: 'correct-horse' });
    expect(readFileSync(join(directory, 'processes.json'), 'utf8')).not.toContain('correct-horse');
  });

  test('is not taken for a later process with the same pid', async () => {
    const { pid } = await up('a');
    expect(alive(pid, 'another start time')).toBe(false);
  });
});

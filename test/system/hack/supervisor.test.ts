import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ProcessRegistry } from '../../../hack/services/process-registry.ts';
import { type Command, alive } from '../../../hack/services/processes.ts';
import { Supervisor, supervisorCommand } from '../../../hack/services/supervisor.ts';
import { until } from '../../support/until.ts';

const SERVE = 'require("http").createServer((q, s) => s.end(`${process.pid}`)).listen(process.env.PORT, "127.0.0.1")';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tollgate-supervisor-'));
});

afterEach(async () => {
  await ProcessRegistry.use(directory, (registry) => registry.retain([]));
  rmSync(directory, { recursive: true });
});

async function commandFor(registry: ProcessRegistry, script: string): Promise<Command> {
  const port = await registry.port('gateway');
  const env = { PORT: String(port) };
  const logFile = join(directory, 'logs', 'gateway.log');
  return { name: 'gateway', command: process.execPath, args: ['-e', script], logFile, env };
}

/** The pid of the process that answers on the port of a command. */
async function answering({ env }: Command): Promise<number | undefined> {
  return fetch(`http://127.0.0.1:${env!['PORT']}`).then(
    async (response) => Number(await response.text()),
    () => undefined,
  );
}

test('a gateway that is killed serves again, and log and registry record it', async () => {
  const { command, first, supervisor } = await ProcessRegistry.use(directory, async (registry) => {
    const command = await commandFor(registry, SERVE);
    const first = await registry.launch(command, () => answering(command));
    const supervisor = await registry.launch(supervisorCommand({ directory, commands: [command] }), () => true);
    return { command, first, supervisor };
  });
  process.kill(first.pid, 'SIGKILL');
  const pid = await until(async () => await answering(command), 30_000);
  expect(pid).not.toBe(first.pid);
  const restarts = await ProcessRegistry.use(directory, (registry) => Promise.resolve(registry.restarts));
  expect(restarts.get('gateway')?.count).toBe(1);
  expect(readFileSync(join(directory, 'logs', 'supervisor.log'), 'utf8')).toContain(
    `gateway had ended and was started again as process ${pid}`,
  );

  await ProcessRegistry.use(directory, (registry) => registry.retain([]));
  expect(alive(supervisor.pid, supervisor.identity)).toBe(false);
  expect(await answering(command)).toBeUndefined();
});

test('the wait before a process that keeps ending is started again doubles up to 30 s', async () => {
  const command = await ProcessRegistry.use(directory, async (registry) => {
    const broken = await commandFor(registry, 'process.exit(1)');
    registry.start(broken);
    return broken;
  });
  const restartedAt: number[] = [];
  let now = 0;
  const supervisor = new Supervisor({ directory, commands: [command] }, () => restartedAt.push(now));
  for (let restarts = 0; restarts < 8; restarts++) {
    await until(async () => {
      now += 500;
      await supervisor.check(now);
      return restartedAt.length > restarts ? true : undefined;
    });
    await until(async () => (await ended()) || undefined, 10_000);
  }
  const waits = restartedAt.slice(1).map((at, index) => at - restartedAt[index]!);
  expect(waits.slice(0, 6)).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000]);
  expect(waits[6]).toBe(30_000);
});

async function ended(): Promise<boolean> {
  const { entries } = JSON.parse(readFileSync(join(directory, 'processes.json'), 'utf8')) as {
    entries: Record<string, { pid: number; identity: string }>;
  };
  const { pid, identity } = entries['gateway']!;
  return Promise.resolve(!alive(pid, identity));
}

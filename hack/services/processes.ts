import { spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** What to start. Both outputs of the process are appended to `logFile`. */
export interface Command {
  name: string;
  command: string;
  args: string[];
  logFile: string;
  /** Replaces the environment of this process; absent: inherited. */
  env?: NodeJS.ProcessEnv;
  /** Its standard input; absent: empty. */
  input?: string;
  /** Changes with the files that the process reads only at its start: a process with another stamp is replaced. */
  stamp?: string;
  /** Lives on when this process ends, in a process group of its own. */
  background?: boolean;
}

/** Returns a value once the process works, undefined until then. */
export type Probe<T = unknown> = () => Promise<T | undefined> | T | undefined;

/** Starts a process and waits until its probe returns a value. A registry may find the process running already. */
export type Launch = (command: Command, probe: Probe) => Promise<Child>;

/** A started process. */
export interface Child {
  name: string;
  pid: number;
  /** Distinguishes this process from a later one with the same pid. */
  identity: string;
  logFile: string;
  /** Asks it to end (SIGTERM) and resolves when it is gone; after `graceMs` (default 10 s) it is killed. */
  stop: (graceMs?: number) => Promise<void>;
  /** SIGKILL; resolves when it is gone. */
  kill: () => Promise<void>;
}

/** Starts a process and returns at once; {@link ready} waits for it. */
export function start(command: Command): Child {
  mkdirSync(dirname(command.logFile), { recursive: true });
  const log = openSync(command.logFile, 'a', 0o600);
  const child = spawn(command.command, command.args, {
    stdio: [command.input === undefined ? 'ignore' : 'pipe', log, log],
    env: command.env ?? process.env,
    detached: command.background ?? false,
  });
  closeSync(log);
  if (child.pid === undefined) throw new Error(`${command.name}: ${command.command} could not be started`);
  child.on('error', () => undefined); // the probes see that the process is gone
  child.stdin?.on('error', () => undefined).end(command.input); // it may end without reading
  if (command.background) child.unref();
  return childOf({ ...command, pid: child.pid, identity: identify(child.pid) ?? '' });
}

/** The handle of a process that was started before, possibly by another process. */
export function childOf({ name, pid, identity, logFile }: Omit<Child, 'stop' | 'kill'>): Child {
  return {
    name,
    pid,
    identity,
    logFile,
    stop: (graceMs) => stop(pid, identity, graceMs),
    kill: () => stop(pid, identity, 0),
  };
}

/** Starts a process and waits until it is ready; if it does not become ready, it is stopped. */
export const launch: Launch = async (command, probe) => {
  const child = start(command);
  try {
    await ready(child, probe);
  } catch (error) {
    await child.stop();
    throw error;
  }
  return child;
};

/**
 * Waits until `probe` returns a value, and returns that.
 * @throws Error with the tail of the child's log when the child ends first or `timeoutMs` (default 120 s) pass.
 */
export async function ready<T>(child: Child, probe: Probe<T>, timeoutMs = 120_000): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await Promise.race([
      probe(),
      sleep(Math.max(1, deadline - performance.now()), undefined, { ref: false }),
    ]);
    const gone = !alive(child.pid, child.identity);
    if (value !== undefined && !gone) return value;
    if (gone || performance.now() > deadline) {
      const reason = gone ? 'ended before it was ready' : `was not ready within ${timeoutMs / 1000} s`;
      throw new Error(`${child.name} ${reason}. The end of ${child.logFile}:\n${tail(child.logFile)}`);
    }
    await sleep(50);
  }
}

/** Ends a process by pid, if it still is the one with that identity. SIGTERM, and SIGKILL after `graceMs`. */
export async function stop(pid: number, identity: string, graceMs = 10_000): Promise<void> {
  if (!alive(pid, identity)) return;
  process.kill(pid, graceMs > 0 ? 'SIGTERM' : 'SIGKILL');
  const deadline = performance.now() + graceMs;
  while (alive(pid, identity)) {
    if (performance.now() > deadline) process.kill(pid, 'SIGKILL');
    await sleep(20);
  }
}

/** Whether the process runs, and is the one that had that identity when it was started. */
export function alive(pid: number, identity: string): boolean {
  return identify(pid) === identity && identity !== '';
}

/** A probe: whether a URL answers within 2 s, with a status below the given one. */
export async function responds(url: string, below = 300): Promise<true | undefined> {
  return fetch(url, { signal: AbortSignal.timeout(2_000) }).then(
    async (response) => {
      await response.body?.cancel();
      return response.status < below ? (true as const) : undefined;
    },
    () => undefined,
  );
}

/** The last lines of a log. */
function tail(logFile: string, lines = 15): string {
  if (!existsSync(logFile)) return '(no log)';
  return readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n') || '(empty)';
}

/** When the process started, as the system writes it; undefined if there is none, or only a zombie. */
export function identify(pid: number): string | undefined {
  if (process.platform !== 'linux') {
    const found = spawnSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' }).stdout.trim();
    return found === '' || found.startsWith('Z') ? undefined : found.replace(/^\S+\s+/, '');
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The fields after the command, which is in brackets and may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, threads, started] = [fields[0], Number(fields[17]), fields[19]];
    // A zombie with threads still has its ports.
    return state === 'Z' && threads <= 1 ? undefined : started;
  } catch {
    return undefined;
  }
}

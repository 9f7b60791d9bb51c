import { createHash, randomBytes } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './ports.ts';
import {
  type Child,
  type Command,
  type Launch,
  type Probe,
  alive,
  childOf,
  identify,
  ready,
  start,
  stop,
} from './processes.ts';

/** How often a process ended by itself and was started again, and when that was last. */
export interface Restarts {
  count: number;
  /** RFC 3339. */
  lastAt: string;
}

/** A registered process: enough to find it again, and to see whether it runs the command that is asked for. */
interface Entry {
  pid: number;
  identity: string;
  logFile: string;
  /** Of the command and its environment. */
  checksum: string;
  restarts?: Restarts;
}

/** What the file holds. `entries` are in the order in which they were first started. */
interface State {
  entries: Record<string, Entry>;
  ports: Record<string, number>;
  secrets: Record<string, string>;
}

/** How long a running process may take to answer before it is replaced. */
const ANSWER_MS = 5_000;
/** How long a process that did not answer may take to end. */
const HUNG_MS = 1_000;
/** How long a session waits for the one before it. */
const LOCK_MS = 2_000;

/** Another session uses the registry. */
export class RegistryBusy extends Error {}

/**
 * The background processes of one directory, by name, kept in `processes.json` there. A process that runs the command that
 * is asked for is kept; any other is started again on the same port.
 */
export class ProcessRegistry {
  readonly #directory: string;
  readonly #state: State;

  private constructor(directory: string, state: State) {
    this.#directory = directory;
    this.#state = state;
  }

  /**
   * Opens the registry of a directory for one session, which `work` is.
   * @throws RegistryBusy where another session does not end within 2 s.
   */
  static async use<T>(directory: string, work: (registry: ProcessRegistry) => Promise<T>): Promise<T> {
    mkdirSync(directory, { recursive: true });
    const unlock = await lock(join(directory, 'processes.lock'));
    try {
      return await work(new ProcessRegistry(directory, read(fileIn(directory))));
    } finally {
      unlock();
    }
  }

  /** Keeps the process if it runs this command and its probe answers; else starts it and waits until it is ready. */
  readonly launch: Launch = async (command, probe) => {
    const checksum = checksumOf(command);
    const known = this.#state.entries[command.name];
    if (known !== undefined && (await this.#keeps(command.name, known, checksum, probe))) {
      return childOf({ name: command.name, ...known });
    }
    const child = this.start(command);
    await ready(child, probe);
    return child;
  };

  /** Starts a process that was never started or has ended, and does not wait until it is ready. */
  start(command: Command): Child {
    const child = start({ ...command, background: true });
    this.#state.entries[command.name] = {
      pid: child.pid,
      identity: child.identity,
      logFile: child.logFile,
      checksum: checksumOf(command),
    };
    this.#save();
    return child;
  }

  /** Starts a registered process again if it has ended, and counts that. @returns the new process; undefined while it runs */
  restartEnded(command: Command, now: Date): Child | undefined {
    const ended = this.#state.entries[command.name];
    if (ended === undefined || alive(ended.pid, ended.identity)) return undefined;
    const child = this.start(command);
    const restarts = { count: (ended.restarts?.count ?? 0) + 1, lastAt: now.toISOString() };
    this.#state.entries[command.name]!.restarts = restarts;
    this.#save();
    return child;
  }

  /** The processes that {@link restartEnded} has started again, by name. */
  get restarts(): ReadonlyMap<string, Restarts> {
    const entries = Object.entries(this.#state.entries);
    return new Map(entries.flatMap(([name, { restarts }]) => (restarts === undefined ? [] : [[name, restarts]])));
  }

  /** The port of a process: the one that it had, if the process has it still or it is free. */
  async port(name: string, preferred?: number): Promise<number> {
    const known = this.#state.entries[name];
    const before = this.#state.ports[name];
    const runs = known !== undefined && alive(known.pid, known.identity);
    const port = runs && before !== undefined ? before : await freePort(before ?? preferred);
    this.#state.ports[name] = port;
    this.#save();
    return port;
  }

  /** A random secret that stays the same in this directory. */
  secret(name: string): string {
    const secret = (this.#state.secrets[name] ??= randomBytes(24).toString('hex'));
    this.#save();
    return secret;
  }

  /** Stops all but the named processes, the last started first; each may take 30 s to finish its requests. */
  async retain(names: readonly string[]): Promise<void> {
    for (const [name, { pid, identity }] of Object.entries(this.#state.entries).toReversed()) {
      if (names.includes(name)) continue;
      await stop(pid, identity, 30_000);
      delete this.#state.entries[name];
      delete this.#state.ports[name];
      this.#save();
    }
  }

  async #keeps(name: string, known: Entry, checksum: string, probe: Probe): Promise<boolean> {
    const same = known.checksum === checksum;
    const answers = same && (await answersSoon(childOf({ name, ...known }), probe));
    if (!answers) await stop(known.pid, known.identity, same ? HUNG_MS : undefined);
    return answers;
  }

  #save(): void {
    writeFileSync(fileIn(this.#directory), JSON.stringify(this.#state, undefined, 2), { mode: 0o600 });
  }
}

function fileIn(directory: string): string {
  return join(directory, 'processes.json');
}

function read(file: string): State {
  if (!existsSync(file)) return { entries: {}, ports: {}, secrets: {} };
  return JSON.parse(readFileSync(file, 'utf8')) as State;
}

/**
 * Environment and input may hold passwords, so only this checksum of them is written down. PATH is left out: a shell that
 * has sourced `.run/env` has another one and asks for the same process.
 */
function checksumOf({ command, args, env = {}, stamp = '', input = '' }: Command): string {
  const variables = Object.keys(env)
    .filter((name) => name !== 'PATH')
    .toSorted((a, b) => (a < b ? -1 : 1))
    .map((name) => [name, env[name]]);
  const parts = [command, args, variables, stamp, input];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

async function answersSoon(child: Child, probe: Probe): Promise<boolean> {
  return ready(child, probe, ANSWER_MS).then(
    () => true,
    () => false,
  );
}

/** Takes a lock, which a process that has ended no longer holds, and returns the function that releases it. */
async function lock(file: string): Promise<() => void> {
  const own = `${file}.${process.pid}-${randomBytes(4).toString('hex')}`;
  writeFileSync(own, `${process.pid} ${identify(process.pid)}`);
  try {
    const deadline = performance.now() + LOCK_MS;
    while (!linked(own, file)) {
      const [pid = '0', identity = ''] = existsSync(file) ? readFileSync(file, 'utf8').split(' ') : [];
      if (!alive(Number(pid), identity)) rmSync(file, { force: true });
      else if (performance.now() < deadline) await sleep(50);
      else throw new RegistryBusy(`process ${pid} is at work here already; try again when it has ended`);
    }
  } finally {
    rmSync(own);
  }
  return () => rmSync(file, { force: true });
}

/** Gives a file a second name, unless that one is taken. */
function linked(existing: string, name: string): boolean {
  try {
    linkSync(existing, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

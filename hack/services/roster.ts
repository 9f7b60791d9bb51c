import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Child,
  type Command,
  type Launch,
  type Probe,
  alive,
  childOf,
  freePort,
  identify,
  ready,
  start,
  stop,
} from './processes.ts';

/** What is known of a process: enough to find it again, and to see whether it still is what is asked for. */
interface Entry {
  pid: number;
  identity: string;
  logFile: string;
  /** Of the command and its environment. */
  checksum: string;
}

/** What outlives a restart. `entries` are in the order in which they were first started. */
interface Contents {
  entries: Record<string, Entry>;
  ports: Record<string, number>;
  secrets: Record<string, string>;
}

/** How long a process that is already running may take to answer before it is replaced. */
const PATIENCE_MS = 5_000;
/** How long one that did not answer may take to end. */
const HUNG_MS = 1_000;

/**
 * The processes that run in the background in one directory, by name, written down in `roster.json` there. What runs as
 * it is asked for is kept, what does not is started again on the same port.
 */
export class Roster {
  readonly #directory: string;
  readonly #contents: Contents;

  private constructor(directory: string, contents: Contents) {
    this.#directory = directory;
    this.#contents = contents;
  }

  /**
   * Opens the roster of a directory for the time of `work`.
   * @throws Error where another process is working with it.
   */
  static async use<T>(directory: string, work: (roster: Roster) => Promise<T>): Promise<T> {
    mkdirSync(directory, { recursive: true });
    const unlock = lock(join(directory, 'roster.lock'));
    try {
      return await work(new Roster(directory, read(fileIn(directory))));
    } finally {
      unlock();
    }
  }

  /** Keeps the process if it runs as asked for and its probe answers; else starts it, and waits until it is ready. */
  readonly launch: Launch = async (command, probe) => {
    const checksum = checksumOf(command);
    const known = this.#contents.entries[command.name];
    if (known !== undefined && (await this.#keeps(command.name, known, checksum, probe))) {
      return childOf({ name: command.name, ...known });
    }
    const child = this.restart(command);
    await ready(child, probe);
    return child;
  };

  /** Starts a process that is not there or has ended, and does not wait for it. */
  restart(command: Command): Child {
    const child = start({ ...command, background: true });
    this.#contents.entries[command.name] = {
      pid: child.pid,
      identity: child.identity,
      logFile: child.logFile,
      checksum: checksumOf(command),
    };
    this.#save();
    return child;
  }

  /** The port of a process: while it is wanted the one it had, if that is its own or free. */
  async port(name: string, preferred?: number): Promise<number> {
    const known = this.#contents.entries[name];
    const before = this.#contents.ports[name];
    const runs = known !== undefined && alive(known.pid, known.identity);
    const port = runs && before !== undefined ? before : await freePort(before ?? preferred);
    this.#contents.ports[name] = port;
    this.#save();
    return port;
  }

  /** A random secret that stays the same in this directory. */
  secret(name: string): string {
    const secret = (this.#contents.secrets[name] ??= randomBytes(24).toString('hex'));
    this.#save();
    return secret;
  }

  /** Stops all but the named processes, the last started first; each may take 30 s to finish what it serves. */
  async retain(names: readonly string[]): Promise<void> {
    for (const [name, { pid, identity }] of Object.entries(this.#contents.entries).toReversed()) {
      if (names.includes(name)) continue;
      await stop(pid, identity, 30_000);
      delete this.#contents.entries[name];
      delete this.#contents.ports[name];
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
    writeFileSync(fileIn(this.#directory), JSON.stringify(this.#contents, undefined, 2), { mode: 0o600 });
  }
}

function fileIn(directory: string): string {
  return join(directory, 'roster.json');
}

function read(file: string): Contents {
  if (!existsSync(file)) return { entries: {}, ports: {}, secrets: {} };
  return JSON.parse(readFileSync(file, 'utf8')) as Contents;
}

/**
 * The environment may hold a password: only the checksum is written down. PATH is left out, since a shell that has
 * sourced `.run/env` has another one and wants nothing else.
 */
function checksumOf({ command, args, env = {}, stamp = '' }: Command): string {
  const variables = Object.keys(env)
    .filter((name) => name !== 'PATH')
    .toSorted((a, b) => (a < b ? -1 : 1))
    .map((name) => [name, env[name]]);
  const parts = [command, args, variables, stamp];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

async function answersSoon(child: Child, probe: Probe): Promise<boolean> {
  return ready(child, probe, PATIENCE_MS).then(
    () => true,
    () => false,
  );
}

/** Takes a lock that ends with its holder, and returns what gives it back. */
function lock(file: string): () => void {
  const holder = existsSync(file) ? readFileSync(file, 'utf8').split(' ') : [];
  const [pid = '0', identity = ''] = holder;
  if (alive(Number(pid), identity))
    throw new Error(`process ${pid} is at work here already; try again when it is done`);
  rmSync(file, { force: true });
  writeFileSync(file, `${process.pid} ${identify(process.pid)}`, { flag: 'wx' });
  return () => rmSync(file, { force: true });
}

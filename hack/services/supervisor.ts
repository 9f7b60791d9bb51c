import { join } from 'node:path';
import { ProcessRegistry, RegistryBusy } from './process-registry.ts';
import type { Command } from './processes.ts';

/** The wait before a process is started again doubles with each time that it ends soon. */
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
/** A process that has run for so long did not end soon. */
const STABLE_MS = 60_000;

/** What a supervisor reads from its standard input, as JSON: the environments in it hold passwords. */
export interface Supervised {
  directory: string;
  commands: readonly Command[];
}

/** The command of the background process that restarts the given ones. */
export function supervisorCommand(supervised: Supervised): Command {
  return {
    name: 'supervisor',
    command: process.execPath,
    args: [join(import.meta.dirname, '../run/supervise.ts')],
    logFile: join(supervised.directory, 'logs', 'supervisor.log'),
    env: { PATH: process.env['PATH'] },
    input: JSON.stringify(supervised),
  };
}

/** Restarts registered processes that ended by themselves. */
export class Supervisor {
  readonly #supervised: Supervised;
  readonly #log: (line: string) => void;
  readonly #started = new Map<string, { at: number; waitMs: number }>();

  constructor(supervised: Supervised, log: (line: string) => void) {
    this.#supervised = supervised;
    this.#log = log;
  }

  /** Looks at every process once. While another session uses the registry, as `make up` and `make down` do, it does nothing. */
  async check(now: number): Promise<void> {
    const due = this.#supervised.commands.filter(({ name }) => this.#isDue(name, now));
    try {
      await ProcessRegistry.use(this.#supervised.directory, async (registry) => {
        for (const command of due) {
          const child = registry.restartEnded(command, new Date(now));
          if (child !== undefined) this.#restarted(command, child.pid, now);
        }
      });
    } catch (error) {
      if (!(error instanceof RegistryBusy)) throw error;
    }
  }

  #isDue(name: string, now: number): boolean {
    const last = this.#started.get(name);
    return last === undefined || now >= last.at + last.waitMs;
  }

  #restarted({ name, logFile }: Command, pid: number, now: number): void {
    const last = this.#started.get(name);
    const soon = last !== undefined && now < last.at + STABLE_MS;
    const waitMs = soon ? Math.min(2 * last.waitMs, LONGEST_WAIT_MS) : FIRST_WAIT_MS;
    this.#started.set(name, { at: now, waitMs });
    this.#log(
      `${new Date(now).toISOString()} ${name} had ended and was started again as process ${pid}; see ${logFile}`,
    );
  }
}

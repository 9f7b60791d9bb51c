import type { Logger } from 'pino';
import type { Ref } from '../../policy/core/compiled-policy.ts';

const SECOND_MS = 1_000;
/** How many refusals of one key have a log line and a span of their own in a second. */
const LINES_A_SECOND = 10;

interface Refused {
  /** Both '' where the caller is not known. */
  readonly workspace: Ref;
  readonly key: string;
  /** In this second. */
  readonly count: number;
}

/** Limits the log lines of refusals: a loop of refused calls costs nothing but these lines, which fill somebody's disk. */
export class RefusalLines {
  readonly #logger: Logger;
  readonly #timer: NodeJS.Timeout;
  #refused = new Map<string, Refused>();

  constructor(logger: Logger) {
    this.#logger = logger;
    this.#timer = setInterval(() => this.#nextSecond(), SECOND_MS).unref();
  }

  /** Counts a refusal; whether it gets a line of its own. */
  hasLine(workspace: Ref, key: string): boolean {
    const name = `${workspace} ${key}`;
    const count = (this.#refused.get(name)?.count ?? 0) + 1;
    this.#refused.set(name, { workspace, key, count });
    return count <= LINES_A_SECOND;
  }

  /** Stops the timer and writes what is left. */
  stop(): void {
    clearInterval(this.#timer);
    this.#nextSecond();
  }

  #nextSecond(): void {
    for (const { workspace, key, count } of this.#refused.values()) {
      const further = count - LINES_A_SECOND;
      if (further > 0) this.#logger.info({ workspace, key, refusals: further }, 'further refusals in this second');
    }
    this.#refused = new Map();
  }
}

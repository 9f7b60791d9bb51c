import type { UnknownCall } from '../../log/unknown-calls.ts';

interface SeenNamesOptions {
  /** There are names that the policy must refuse from now on. */
  readonly onExceeded: () => void;
  /** Calls of a workspace had names that nobody knows; at most once a day for each of its names. */
  readonly onSeen: (workspace: string, names: readonly string[]) => void;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
}

const DAY_MS = 24 * 60 * 60 * 1000;
/** Names of all workspaces that are remembered for a day; beyond, a new day begins for all. */
const MOST = 10_000;

/**
 * What the usage stream says of names that nobody knows. A name under which a call cost more than its highest bound goes
 * into the policy, which keeps it in the shared shard until a person lists it as harmless.
 */
export class SeenNames {
  readonly #options: SeenNamesOptions;
  readonly #exceeded = new Set<string>();
  /** The day on which each name of a workspace was told last. */
  readonly #told = new Map<string, number>();

  constructor(options: SeenNamesOptions) {
    this.#options = options;
  }

  /** The names that this process has seen exceed their bound. */
  get exceeded(): readonly string[] {
    return [...this.#exceeded];
  }

  take(calls: readonly UnknownCall[]): void {
    const before = this.#exceeded.size;
    for (const { names, hasExceeded } of calls) if (hasExceeded) for (const name of names) this.#exceeded.add(name);
    for (const [workspace, some] of Map.groupBy(calls, (call) => call.workspace)) {
      const names = [...new Set(some.flatMap((call) => call.names))].filter((name) => this.#isNew(workspace, name));
      if (names.length > 0) this.#options.onSeen(workspace, names);
    }
    if (this.#exceeded.size > before) this.#options.onExceeded();
  }

  #isNew(workspace: string, name: string): boolean {
    const today = Math.floor(this.#options.clock() / DAY_MS);
    const key = `${workspace} ${name}`;
    if (this.#told.get(key) === today) return false;
    if (this.#told.size >= MOST) this.#told.clear();
    this.#told.set(key, today);
    return true;
  }
}

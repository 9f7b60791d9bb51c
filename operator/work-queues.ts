import { WorkQueue } from '../kube/work-queue.ts';
import type { Ref } from '../policy/core/compiled-policy.ts';

const PERIODIC = ['status', 'log', 'batches', 'spenders', 'retention'] as const;
type Periodic = (typeof PERIODIC)[number];

/** What the queues work with. Each may throw and is then called again later; a periodic one says in how many milliseconds. */
export interface Reconcilers extends Readonly<Record<Periodic, () => Promise<number>>> {
  /** Returns false where a person has to repair something first. */
  readonly workspace: (ref: Ref) => Promise<boolean>;
  readonly policy: () => Promise<void>;
  readonly batch: (batch: string) => Promise<void>;
}

/** The name of a queue, as metrics show it. */
export type QueueName = keyof Reconcilers;

interface WorkQueuesOptions {
  readonly mayAct: () => boolean;
  readonly onError: (queue: QueueName, key: string, error: unknown) => void;
  /** Gives [0, 1). */
  readonly random: () => number;
}

/** How soon a workspace that a person has to repair is tried again: a Secret's name is taken, or the Secret is missing. Milliseconds. */
const REPAIR_MS = 5_000;
const BACKOFF = { firstMs: 50, maxMs: 5_000 };
const WORKERS = 4;
/** Longer than any time-out within a pass. Milliseconds. */
const STUCK_MS = 600_000;
/** The key of a queue that has only one. */
const ONE = 'one';

/**
 * The work queues of the reconcilers. Only the leader works. A new leader first reconciles every workspace and compiles
 * only then, so that no policy is made without some keys.
 */
export class WorkQueues {
  readonly #options: WorkQueuesOptions;
  readonly #queues: Readonly<Record<QueueName, WorkQueue>>;
  /** The workspaces that this leader has not reconciled yet. */
  readonly #unseen = new Set<Ref>();
  #reconcilers: Reconcilers | undefined;

  constructor(options: WorkQueuesOptions) {
    this.#options = options;
    this.#queues = {
      workspace: this.#queue('workspace', WORKERS, (ref, { workspace }) => this.#workspace(ref, workspace)),
      policy: this.#queue('policy', 1, async (_key, { policy }) => {
        if (this.#unseen.size === 0) await policy();
      }),
      batch: this.#queue('batch', WORKERS, (batch, reconcilers) => reconcilers.batch(batch)),
      ...(Object.fromEntries(PERIODIC.map((name) => [name, this.#periodic(name)])) as Record<Periodic, WorkQueue>),
    };
  }

  /** Starts the workers; keys that were added before are kept until then. */
  start(reconcilers: Reconcilers): void {
    this.#reconcilers = reconcilers;
    for (const queue of Object.values(this.#queues)) queue.start();
  }

  /** The workspace, or a Secret that it needs, has changed. */
  addWorkspace(ref: Ref): void {
    this.#queues.workspace.add(ref);
  }

  /** Something that is compiled has changed. */
  addPolicy(): void {
    this.#queues.policy.add(ONE);
  }

  /** Something that statuses show may have changed. */
  addStatus(): void {
    this.#queues.status.add(ONE);
  }

  addBatch(batch: string): void {
    this.#queues.batch.add(batch);
  }

  /** Queues everything: this replica has begun to lead. */
  addAll(workspaces: readonly Ref[]): void {
    this.#unseen.clear();
    for (const ref of workspaces) {
      this.#unseen.add(ref);
      this.addWorkspace(ref);
    }
    this.addPolicy();
    for (const name of PERIODIC) this.#queues[name].add(ONE);
  }

  get queues(): Readonly<Record<QueueName, Pick<WorkQueue, 'depth' | 'longestMs'>>> {
    return this.#queues;
  }

  /** Whether a pass hangs, so that only a restart helps. Not counted: the results of a batch take as long as the upstream needs. */
  get isStuck(): boolean {
    return Object.entries(this.#queues).some(([name, { longestMs }]) => name !== 'batch' && longestMs > STUCK_MS);
  }

  /** Drops what waits, and resolves once the passes under way have ended. */
  async drain(): Promise<void> {
    await Promise.all(Object.values(this.#queues).map((queue) => queue.drain()));
  }

  #queue(name: QueueName, workers: number, work: (key: string, reconcilers: Reconcilers) => Promise<void>): WorkQueue {
    const { mayAct, onError, random } = this.#options;
    return new WorkQueue({
      work: async (key) => {
        if (mayAct() && this.#reconcilers !== undefined) await work(key, this.#reconcilers);
      },
      onError: (key, error) => onError(name, key, error),
      workers,
      backoff: BACKOFF,
      random,
    });
  }

  #periodic(name: Periodic): WorkQueue {
    return this.#queue(name, 1, async (_key, reconcilers) => {
      this.#queues[name].addAfter(ONE, await reconcilers[name]());
    });
  }

  async #workspace(ref: Ref, reconcile: Reconcilers['workspace']): Promise<void> {
    try {
      if (!(await reconcile(ref))) this.#queues.workspace.addAfter(ref, REPAIR_MS);
    } finally {
      this.#unseen.delete(ref);
      this.addPolicy();
    }
  }
}

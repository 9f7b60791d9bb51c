import { WorkQueue } from '../kube/work-queue.ts';
import type { Ref } from '../policy/core/compiled-policy.ts';

/** What the queues do. Each may throw: it is done again later. */
interface Duties {
  /** Returns false where a person has to mend something first. */
  readonly workspace: (ref: Ref) => Promise<boolean>;
  readonly policy: () => Promise<void>;
  /** Return after how many milliseconds they are due again. */
  readonly report: () => Promise<number>;
  readonly log: () => Promise<number>;
  readonly batches: () => Promise<number>;
  readonly survey: () => Promise<number>;
  readonly housekeeping: () => Promise<number>;
  readonly batch: (batch: string) => Promise<void>;
}

type Duty = keyof Duties;

interface ScheduleOptions {
  readonly duties: Duties;
  /** Whether this replica may act now. */
  readonly mayAct: () => boolean;
  readonly onError: (duty: Duty, key: string, error: unknown) => void;
  /** Gives [0, 1). */
  readonly random: () => number;
}

/** How soon what a person has to mend is looked at again: a name that is taken, a Secret that is missing. */
const MEND_MS = 5_000;
const BACKOFF = { firstMs: 50, maxMs: 5_000 };
const WORKERS = 4;
/** All that a pass waits for is given up much sooner. Milliseconds. */
const STUCK_MS = 600_000;
const ONE = 'one';

/**
 * Who works when. Nothing is done by a replica that does not lead; one that begins to lead looks at every workspace
 * before it compiles, so that a policy is never made of half the facts.
 */
export class WorkQueues {
  readonly #options: ScheduleOptions;
  readonly #queues: Readonly<Record<Duty, WorkQueue>>;
  /** Workspaces that were not looked at since this replica began to lead. */
  readonly #unseen = new Set<Ref>();

  constructor(options: ScheduleOptions) {
    this.#options = options;
    this.#queues = {
      workspace: this.#queue('workspace', WORKERS, (ref) => this.#workspace(ref)),
      policy: this.#queue('policy', 1, () => this.#policy()),
      report: this.#queue('report', 1, () => this.#again('report')),
      log: this.#queue('log', 1, () => this.#again('log')),
      batches: this.#queue('batches', 1, () => this.#again('batches')),
      survey: this.#queue('survey', 1, () => this.#again('survey')),
      housekeeping: this.#queue('housekeeping', 1, () => this.#again('housekeeping')),
      batch: this.#queue('batch', WORKERS, (batch) => options.duties.batch(batch)),
    };
    for (const queue of Object.values(this.#queues)) queue.start();
  }

  /** A workspace, or a Secret that it needs, is another one now. */
  workspace(ref: Ref): void {
    this.#queues.workspace.add(ref);
  }

  /** Something that is compiled is another one now. */
  policy(): void {
    this.#queues.policy.add(ONE);
  }

  /** Something that statuses show may be another one now. */
  report(): void {
    this.#queues.report.add(ONE);
  }

  /** A batch may have ended. */
  batch(batch: string): void {
    this.#queues.batch.add(batch);
  }

  /** This replica leads and its caches are filled. */
  begin(workspaces: readonly Ref[]): void {
    this.#unseen.clear();
    for (const ref of workspaces) {
      this.#unseen.add(ref);
      this.workspace(ref);
    }
    this.policy();
    this.report();
    this.#queues.log.add(ONE);
    this.#queues.batches.add(ONE);
    this.#queues.survey.add(ONE);
    this.#queues.housekeeping.add(ONE);
  }

  /** For whoever watches them. */
  get queues(): Readonly<Record<Duty, Pick<WorkQueue, 'depth' | 'longestMs'>>> {
    return this.#queues;
  }

  /** Whether a pass takes longer than any may: only a restart ends it. The results of a batch come as slowly as they come. */
  get isStuck(): boolean {
    return Object.entries(this.#queues).some(([duty, { longestMs }]) => duty !== 'batch' && longestMs > STUCK_MS);
  }

  /** Takes nothing more and resolves when what is under way has ended. */
  async drain(): Promise<void> {
    await Promise.all(Object.values(this.#queues).map((queue) => queue.drain()));
  }

  #queue(duty: Duty, workers: number, work: (key: string) => Promise<void>): WorkQueue {
    const { mayAct, onError, random } = this.#options;
    return new WorkQueue({
      work: async (key) => {
        if (mayAct()) await work(key);
      },
      onError: (key, error) => onError(duty, key, error),
      workers,
      backoff: BACKOFF,
      random,
    });
  }

  async #workspace(ref: Ref): Promise<void> {
    try {
      if (!(await this.#options.duties.workspace(ref))) this.#queues.workspace.addAfter(ref, MEND_MS);
    } finally {
      this.#unseen.delete(ref);
      this.policy();
    }
  }

  async #policy(): Promise<void> {
    if (this.#unseen.size === 0) await this.#options.duties.policy();
  }

  async #again(duty: 'report' | 'log' | 'batches' | 'survey' | 'housekeeping'): Promise<void> {
    this.#queues[duty].addAfter(ONE, await this.#options.duties[duty]());
  }
}

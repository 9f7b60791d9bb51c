import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { LeaderElection } from '../kube/leader-election.ts';
import { keyOf } from '../kube/object.ts';
import type { UsageLog } from '../log/usage-log.ts';
import type { ChangeHandlers, Informers } from './cluster/informers.ts';
import type { StatusWriter } from './status/status-writer.ts';
import type { WorkQueues } from './work-queues.ts';

interface LeadershipOptions {
  /** Unique to this process. */
  readonly identity: string;
  readonly election: Pick<LeaderElection, 'leads' | 'start' | 'stop'>;
  readonly informers: Pick<Informers, 'hasSynced' | 'synced' | 'start' | 'stop' | 'workspaces'>;
  readonly handlers: ChangeHandlers;
  readonly queues: Pick<WorkQueues, 'addAll' | 'drain'>;
  readonly writer: Pick<StatusWriter, 'settled'>;
  readonly usageLog: Pick<UsageLog, 'close'>;
  /** What must forget the time before this replica led. */
  readonly resettable: readonly { reset(): void }[];
  readonly onLeading: () => void;
  readonly log: Logger;
}

/** How long the lease is kept for the work under way. Milliseconds. */
const GRACE_MS = 500;

/** Begins the work when this replica leads and its informers are filled, and ends it when it stops. */
export class Leadership {
  readonly #options: LeadershipOptions;

  constructor(options: LeadershipOptions) {
    this.#options = options;
  }

  /** Fills the informers and becomes a candidate. */
  start(): void {
    const { election, informers, handlers, usageLog, log } = this.#options;
    informers.start(handlers);
    election.start({
      onElected: () => this.#begin(),
      onLost: () => {
        log.warn('no longer the leader');
        void usageLog.close(); // so that the next leader can open it
      },
    });
    void informers.synced().then(() => this.#begin());
  }

  /**
   * Finishes the work under way and gives up the lease. The usage log is closed first, so that the next leader can open
   * it. Long work, such as the results of a batch, does not delay that: it is idempotent, and both leaders may do it.
   */
  async stop(): Promise<void> {
    const { queues, writer, usageLog, election, informers } = this.#options;
    const finished = queues
      .drain()
      .then(() => writer.settled())
      .then(() => usageLog.close());
    await Promise.race([finished, sleep(GRACE_MS)]);
    await election.stop();
    await finished;
    await informers.stop();
  }

  #begin(): void {
    const { identity, election, informers, queues, resettable, onLeading, log } = this.#options;
    if (!election.leads || !informers.hasSynced) return;
    log.info({ leader: identity }, 'leading');
    onLeading();
    for (const part of resettable) part.reset();
    queues.addAll(informers.workspaces.values().map(({ metadata }) => keyOf(metadata)));
  }
}

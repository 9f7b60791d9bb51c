import { setTimeout as sleep } from 'node:timers/promises';
import type { LeaderElection } from '../kube/leader-election.ts';
import type { UsageLog } from '../log/usage-log.ts';
import type { StatusWriter } from './status/status-writer.ts';
import type { WorkQueues } from './work-queues.ts';

interface Leading {
  readonly queues: Pick<WorkQueues, 'drain'>;
  readonly writer: Pick<StatusWriter, 'settled'>;
  readonly usageLog: Pick<UsageLog, 'close'>;
  readonly election: Pick<LeaderElection, 'stop'>;
}

/** How long the lease is kept for the work under way. Milliseconds. */
const GRACE_MS = 500;

/**
 * Finishes the work under way and gives up the lease. The usage log is closed first, so that the next leader can open
 * it. Long work, such as the results of a batch, does not delay that: it is idempotent, and both leaders may do it.
 */
export async function stepDown({ queues, writer, usageLog, election }: Leading): Promise<void> {
  const finished = queues
    .drain()
    .then(() => writer.settled())
    .then(() => usageLog.close());
  await Promise.race([finished, sleep(GRACE_MS)]);
  await election.stop();
  await finished;
}

import { setTimeout as sleep } from 'node:timers/promises';
import type { LeaderElection } from '../kube/leader-election.ts';
import type { UsageLog } from '../log/usage-log.ts';
import type { StatusWriter } from './status/status-writer.ts';
import type { WorkQueues } from './work-queues.ts';

interface Leading {
  readonly schedule: Pick<WorkQueues, 'drain'>;
  readonly writer: Pick<StatusWriter, 'settled'>;
  readonly usageLog: Pick<UsageLog, 'close'>;
  readonly election: Pick<LeaderElection, 'stop'>;
}

/** How long the next leader waits for what this one has under way. Milliseconds. */
const PATIENCE_MS = 500;

/**
 * Ends what is under way and gives the lead away. The next leader can open the log once it is closed. For what takes long,
 * such as the results of a batch, it does not wait: nothing is done twice where both do it.
 */
export async function stepDown({ schedule, writer, usageLog, election }: Leading): Promise<void> {
  const ended = schedule
    .drain()
    .then(() => writer.settled())
    .then(() => usageLog.close());
  await Promise.race([ended, sleep(PATIENCE_MS)]);
  await election.stop();
  await ended;
}

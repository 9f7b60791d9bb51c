import { expect, jest, test } from '@jest/globals';
import { WorkQueues } from '../../../operator/work-queues.ts';

const forever = () => new Promise<never>(() => {});

/** Queues of which one reconciler hangs. */
function hanging(name: 'policy' | 'batch'): WorkQueues {
  const none = async () => {};
  const idle = async () => 1_000;
  const queues = new WorkQueues({ mayAct: () => true, onError: () => undefined, random: () => 0.5 });
  queues.start({
    workspace: async () => true,
    policy: none,
    batch: none,
    status: idle,
    log: idle,
    batches: idle,
    spenders: idle,
    retention: idle,
    [name]: forever,
  });
  return queues;
}

test('a pass that hangs for more than ten minutes makes the operator unhealthy, except for the results of a batch', async () => {
  jest.useFakeTimers();
  try {
    const [policy, batch] = [hanging('policy'), hanging('batch')];
    policy.addAll([]);
    batch.addBatch('msgbatch_1');
    await jest.advanceTimersByTimeAsync(600_000);
    expect([policy.isStuck, policy.queues.policy.longestMs, policy.queues.log.longestMs]).toEqual([false, 600_000, 0]);
    await jest.advanceTimersByTimeAsync(1);
    expect([policy.isStuck, batch.isStuck, batch.queues.batch.longestMs]).toEqual([true, false, 600_001]);
  } finally {
    jest.useRealTimers();
  }
});

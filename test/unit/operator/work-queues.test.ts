import { expect, jest, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { serveHealth } from '../../../operator/health.ts';
import { WorkQueues } from '../../../operator/work-queues.ts';

const forever = () => new Promise<never>(() => {});

/** A schedule in which whatever is given hangs. */
function hanging(duty: 'policy' | 'batch'): WorkQueues {
  const none = async () => {};
  const calm = async () => 1_000;
  const duties = { report: calm, log: calm, batches: calm, survey: calm, housekeeping: calm };
  return new WorkQueues({
    duties: { ...duties, workspace: async () => true, policy: none, batch: none, [duty]: forever },
    mayAct: () => true,
    onError: () => undefined,
    random: () => 0.5,
  });
}

test('a pass that never ends is seen, and after ten minutes only a restart helps; the results of a batch may take longer', async () => {
  jest.useFakeTimers();
  try {
    const [schedule, patient] = [hanging('policy'), hanging('batch')];
    schedule.begin([]);
    patient.batch('msgbatch_1');
    await jest.advanceTimersByTimeAsync(600_000);
    expect([schedule.isStuck, schedule.queues.policy.longestMs, schedule.queues.log.longestMs]).toEqual([
      false,
      600_000,
      0,
    ]);
    await jest.advanceTimersByTimeAsync(1);
    expect([schedule.isStuck, patient.isStuck, patient.queues.batch.longestMs]).toEqual([true, false, 600_001]);
  } finally {
    jest.useRealTimers();
  }
});

test('the probes say what is wrong', async () => {
  const state: { isAlive: boolean; problem: string | null } = { isAlive: true, problem: 'not yet' };
  const { server, port } = await serveHealth({
    port: 0,
    registry: new Registry(),
    isAlive: () => state.isAlive,
    notReady: () => state.problem,
  });
  const asked = async (path: string) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`);
    return [answer.status, await answer.text()];
  };
  expect(await asked('/healthz')).toEqual([200, 'ok']);
  expect(await asked('/readyz')).toEqual([503, 'not yet']);
  state.isAlive = false;
  state.problem = null;
  expect(await asked('/healthz')).toEqual([503, expect.stringContaining('hangs')]);
  expect(await asked('/readyz')).toEqual([200, 'ok']);
  server.close();
  server.closeAllConnections();
});

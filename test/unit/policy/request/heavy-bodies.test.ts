import { expect, test } from '@jest/globals';
import { requestReading } from '../../../../policy/request/request.ts';
import { FULL_BYTES, HEAVY_BODIES } from '../../../support/hostile-bodies.ts';

/** The time that this thread has worked. Milliseconds. */
function worked(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

test.each(HEAVY_BODIES)(
  '$name: no step takes more than 50 ms, and the values no more than 60 MB',
  ({ make, isServed }) => {
    const reading = requestReading(make(FULL_BYTES));
    let [longest, memory] = [0, 0];
    for (;;) {
      const begun = worked();
      const step = reading.next();
      longest = Math.max(longest, worked() - begun);
      memory = Math.max(memory, typeof step.value === 'number' ? step.value : 0);
      if (step.done === true) return expectOutcome(step.value.ok, longest, memory);
    }

    function expectOutcome(isRead: boolean, longestMs: number, bytes: number): void {
      expect(isRead).toBe(isServed);
      expect(longestMs).toBeLessThan(50);
      expect(bytes).toBeLessThan(60 * 1024 * 1024);
    }
  },
);

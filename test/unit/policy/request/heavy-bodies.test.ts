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
      if (step.done === true) {
        expect(step.value.ok).toBe(isServed);
        break;
      }
      memory = Math.max(memory, step.value);
    }
    expect(longest).toBeLessThan(50);
    expect(memory).toBeLessThan(60 * 1024 * 1024);
  },
);

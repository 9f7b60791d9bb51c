import { expect, test } from '@jest/globals';
import { requestReading } from '../../../../policy/request/request.ts';
import { FULL_BYTES, HEAVY_BODIES } from '../../../support/hostile-bodies.ts';

/** No step works on more of a body than this, so that other calls go on in between. Bytes. */
const STEP_BYTES = 64 * 1024;

test.each(HEAVY_BODIES)('$name: it is read in short steps, and its values need 60 MB at most', ({ make, isServed }) => {
  const body = make(FULL_BYTES);
  const reading = requestReading(body);
  let [steps, memory] = [0, 0];
  for (;;) {
    const step = reading.next();
    if (step.done === true) return expectOutcome(step.value.ok);
    steps += 1;
    memory = Math.max(memory, step.value);
  }

  function expectOutcome(isRead: boolean): void {
    expect(isRead).toBe(isServed);
    expect(steps).toBeGreaterThan(isServed ? body.length / STEP_BYTES : -1);
    expect(memory).toBeLessThan(60 * 1024 * 1024);
  }
});

import { expect, test } from '@jest/globals';
import { testSize } from '../../support/test-size.ts';
import { fuzz } from './fuzz.ts';
import { TARGETS } from './targets.ts';

test.each(TARGETS)('no input breaks $name', async (target) => {
  const runs = testSize({ short: 500, long: 20_000 });
  expect((await fuzz(target, 1, { runs })).failure).toBeNull();
});

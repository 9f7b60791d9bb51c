import { expect } from '@jest/globals';
import { until } from '../../support/until.ts';
import type { Tally } from './tally.ts';
import type { Team } from './team.ts';
import { logged } from './usage-log.ts';

/** No call failed and no stream was cut. */
export function expectFlawless({ problems, failed, cut }: Tally): void {
  expect({ problems, failed, cut }).toEqual({ problems: {}, failed: 0, cut: 0 });
}

/**
 * Compares four records of a team's spend: what its callers saw, what the upstream charged, what kubectl shows, and the usage
 * log. They must agree to the nano-dollar, and nothing may be left reserved.
 */
export async function expectBalanced(team: Team, { answered }: Tally): Promise<void> {
  const owed = await team.owed();
  expect(owed).toMatchObject({ calls: answered, aborted: 0 });
  await until(async () => (await team.spend()).spentNano === owed.nano, 60_000).catch(() => undefined); // reported by the expectation below
  expect(await team.spend()).toEqual({
    spentNano: owed.nano,
    reservedNano: 0n,
    presumedNano: 0n,
    requests: answered,
  });
  await until(async () => (await logged(team.namespace)).calls === answered, 60_000).catch(() => undefined); // reported by the expectation below
  expect(await logged(team.namespace)).toEqual({ calls: answered, costNano: owed.nano, presumedNano: 0n });
}

import { expect, test } from '@jest/globals';
import { LogUnreachable } from '../../../../log/database/database.ts';
import type { SpenderRanking } from '../../../../log/top-spenders.ts';
import { TopSpenders } from '../../../../operator/metrics/top-spenders.ts';
import { nano } from '../../../../policy/core/money.ts';

const customers: SpenderRanking = {
  count: 1,
  totalNano: nano(120_000_000_000n),
  tenthNano: nano(120_000_000_000n),
  top: [{ name: 'acme', spentNano: nano(120_000_000_000n) }],
};

test('queries the last 24 hours, users only where they may be named, and less often where that is slow', async () => {
  const clock = () => Date.parse('2026-11-25T10:00:00Z');
  let elapsed = 0;
  const asked: string[] = [];
  const log = {
    spenders: async (kind: string, since: number) => {
      asked.push(`${kind} since ${new Date(since).toISOString()}`);
      elapsed += 5_000;
      return customers;
    },
  };
  const spenders = new TopSpenders({ log, settings: { namedUsers: 0 }, clock, elapsed: () => elapsed });
  expect(await spenders.refresh()).toBe(15_000);
  expect(spenders.totals).toEqual({ customers, users: null });
  expect(await spenders.refresh()).toBe(100_000);
  const curious = new TopSpenders({ log, settings: { namedUsers: 1 }, clock, elapsed: () => elapsed });
  await curious.refresh();
  expect(await curious.refresh()).toBe(200_000);
  const since = '2026-11-24T10:00:00.000Z';
  const [customer, user] = [`customer since ${since}`, `user since ${since}`];
  expect(asked).toEqual([customer, customer, customer, user, customer, user]);
});

test('has no totals while the database is unreachable', async () => {
  const log = { spenders: () => Promise.reject(new LogUnreachable('away')) };
  const spenders = new TopSpenders({ log, settings: { namedUsers: 0 }, clock: () => 0, elapsed: () => 0 });
  expect(await spenders.refresh()).toBe(15_000);
  expect(spenders.totals).toBeNull();
});

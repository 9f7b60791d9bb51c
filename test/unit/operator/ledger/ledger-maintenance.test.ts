import { expect, test } from '@jest/globals';
import { RELEASE_AFTER_MS } from '../../../../ledger/durations.ts';
import { MemoryLedger } from '../../../../ledger/memory/memory-ledger.ts';
import { LogUnreachable } from '../../../../log/database/database.ts';
import { LedgerMaintenance } from '../../../../operator/ledger/ledger-maintenance.ts';
import { nano } from '../../../../policy/core/money.ts';
import { call, check, cost, HOUR, join } from '../../ledger/ledger-fixtures.ts';

test('releases what is due, whether or not its gateway lives, and counts it once', async () => {
  let now = 1_000_000;
  const ledger = new MemoryLedger({ clock: () => now }).connect(() => 'one');
  await ledger.operator.establish('one');
  await join(ledger, 'gateway-1');
  for (const [id, worst] of [
    ['a', 30n],
    ['b', 20n],
  ] as const) {
    await ledger.gateway.reserve(call(id, worst, [check(100n, worst, { start: 0, end: 10 * HOUR })]));
    await ledger.gateway.settle({ ...cost(id, 0n, worst), releases: true });
    now += 60_000;
  }
  const counted: bigint[] = [];
  const maintenance = new LedgerMaintenance({
    ledger: ledger.operator,
    presumed: { executeAnnotation: () => Promise.resolve(), bookExpired: () => Promise.resolve() },
    corrector: { executeAnnotation: () => Promise.resolve(), apply: () => Promise.resolve() },
    metrics: { countReleased: (amount) => counted.push(amount) },
    elapsed: () => now,
  });
  for (let passed = 0; passed < RELEASE_AFTER_MS + 60_000; passed += 60_000) {
    await maintenance.run(now);
    now += 60_000;
  }
  expect(counted.filter((amount) => amount > 0n)).toEqual([30n, 20n]);
  expect(await ledger.operator.presumedCalls(9)).toEqual([]);
});

test('sweeps although the usage log, which corrections need, is out of reach', async () => {
  const done: string[] = [];
  const note = (what: string) => async () => void done.push(what);
  const maintenance = new LedgerMaintenance({
    ledger: {
      sweep: async () => done.push('sweep'),
      releaseDue: async () => {
        done.push('release');
        return { calls: 0, releasedNano: nano(0n) };
      },
    },
    presumed: { executeAnnotation: note('presumed'), bookExpired: note('book') },
    corrector: { executeAnnotation: () => Promise.reject(new LogUnreachable('it is away')), apply: note('apply') },
    metrics: { countReleased: () => undefined },
    elapsed: () => 0,
  });
  await expect(maintenance.run(0)).rejects.toBeInstanceOf(LogUnreachable);
  expect(done).toEqual(['presumed', 'sweep', 'release', 'book']);
});

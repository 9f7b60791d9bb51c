import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startSentinel } from '../hack/services/sentinel.ts';
import { formatUsd, parseUsd, nano as toNano } from '../policy/core/money.ts';
import { TestSystem } from '../test/system/faults/test-system.ts';
import { type Figure, ms, percentile } from './figures.ts';

const TIMES = 10;
const LIMIT = '3.00';
const CALLS = 80;

/** Kills the Redis master ten times under load, with Sentinel, and compares the upstream's bill with the cap. */
export async function measureFailover(): Promise<Figure[]> {
  const directory = mkdtempSync(join(tmpdir(), 'tollgate-failover-'));
  const sentinel = await startSentinel(directory);
  const system = await TestSystem.open(sentinel.url);
  try {
    const one = await system.spender('failover', LIMIT);
    const decided: number[] = [];
    const back: number[] = [];
    let early = 0;
    for (let n = 1; n <= TIMES; n += 1) {
      await system.answered(one, CALLS * n);
      decided.push(await sentinel.failOver());
      const comeback = await system.resumption(one, (await one.owed()).requests);
      back.push(comeback.ms);
      early += comeback.early;
      await one.load.hold(() => sentinel.heal());
    }
    await system.spent(one);
    const { spentNano, certainNano } = await one.counter();
    const { nano } = await one.owed();
    return [
      {
        what: `${TIMES} failovers by Sentinel under load (the master killed each time)`,
        promised: 'never over the cap; nothing admitted in between; all that was spent is in the counters',
        measured: `bill $${formatUsd(toNano(nano))} of $${LIMIT}, spent $${formatUsd(spentNano)}, with presumed $${formatUsd(certainNano)}; ${early} early; ${one.load.answered} calls answered`,
        holds: nano <= parseUsd(LIMIT) && certainNano >= nano && early === 0,
      },
      {
        what: 'from the new master to the first call',
        // With `min-replicas-to-write 1` the new master takes nothing before a replica has followed it.
        promised: '≤ 30 s',
        measured: `${ms(percentile(back, 0.5))} median, ${ms(Math.max(...back))} at most; Sentinel itself took ${ms(percentile(decided, 0.5))}`,
        holds: Math.max(...back) <= 30_000,
      },
    ];
  } finally {
    await system.close();
    await sentinel.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

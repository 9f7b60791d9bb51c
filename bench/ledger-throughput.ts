/**
 * What one Redis can do: reserve and settle pairs a second with four governing counters each, one of them with a counter
 * for each customer. Several processes ask, so that Redis and not the asking is the bottleneck.
 *
 *     node bench/ledger-throughput.ts [processes] [seconds]
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRedis } from '../hack/services/redis.ts';
import { type RedisLedger, connectLedger } from '../ledger/redis/connect-ledger.ts';
import type { Reservation } from '../ledger/reservation.ts';
import type { Check } from '../policy/core/counter-check.ts';
import { nano } from '../policy/core/money.ts';
import { cpuSeconds } from './process-usage.ts';

/** Calls under way at once in each process. */
const CONCURRENCY = 32;
const DOLLAR = 1_000_000_000n;
const WORST = 18_000_000n;
const HOUR = 3_600_000;

const [role = '2', argument = '5'] = process.argv.slice(2);
if (role === 'worker') await worker(argument);
else await main(Number(role), Number(argument));

async function main(processes: number, seconds: number): Promise<void> {
  const redis = await startRedis({ directory: mkdtempSync(join(tmpdir(), 'tollgate-bench-')) });
  const ledger = await connected(redis.url);
  await ledger.operator.establish('bench');
  const workers = Array.from({ length: processes }, () => fork(import.meta.filename, ['worker', redis.url]));
  await Promise.all(workers.map((child) => once(child, 'message')));
  const before = await usage(ledger, redis.pid);
  const started = performance.now();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const after = await usage(ledger, redis.pid);
  const elapsed = (performance.now() - started) / 1000;
  for (const child of workers) child.kill();
  const pairs = after.pairs - before.pairs;
  const cpu = after.cpu - before.cpu;
  console.log(`${processes} processes, ${elapsed.toFixed(1)} s, 4 governing counters, append-only file on`);
  console.log(`pairs a second          ${Math.round(pairs / elapsed)}`);
  console.log(`Redis, CPU of one core  ${Math.round((100 * cpu) / elapsed)} %`);
  console.log(`Redis, a pair           ${((1e6 * cpu) / pairs).toFixed(1)} µs of CPU`);
  console.log(`Redis, at a full core   ${Math.round(pairs / cpu)} pairs a second`);
  ledger.close();
  await redis.stop();
}

async function usage(ledger: RedisLedger, pid: number): Promise<{ pairs: number; cpu: number }> {
  return { pairs: (await ledger.operator.state()).streamLength, cpu: cpuSeconds(pid) };
}

async function worker(url: string): Promise<void> {
  const ledger = await connected(url);
  ledger.gateway.begin(`worker-${process.pid}`);
  await ledger.gateway.beat({ pod: 'bench', shards: {} });
  process.send?.('ready');
  let calls = 0;
  const loop = async (): Promise<void> => {
    for (;;) await pair(ledger, `${process.pid}-${(calls += 1)}`, calls);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, loop));
}

async function pair(ledger: RedisLedger, id: string, call: number): Promise<void> {
  const answer = await ledger.gateway.reserve(reservation(id, call));
  if (answer.kind !== 'admitted') throw new Error(`reserve answered ${answer.kind}`);
  await ledger.gateway.settle({
    id,
    costNano: nano(WORST - 1_000_000n),
    presumedNano: nano(0n),
    record: {
      id,
      timestamp: new Date(answer.now).toISOString(),
      workspace: 'payments/checkout',
      model: 'claude-sonnet-5-5',
      input_tokens: 812,
      output_tokens: 640,
      cost_nano: '17000000',
    },
  });
}

function reservation(id: string, call: number): Reservation {
  const names = ['checkout-daily', 'per-customer', 'feature-monthly', 'organisation'];
  const checks = names.map((name): Check => {
    const bound = {
      capNano: nano(1_000_000n * DOLLAR),
      roomNano: nano(1_000_000n * DOLLAR - WORST),
      gapRoomNano: nano(0n),
    };
    const value = name === 'per-customer' ? JSON.stringify([`customer-${call % 1000}`]) : null;
    const counter = `payments/${name}/Day/America/New_York/1763874000000`;
    const span = { start: 0, end: Date.now() + HOUR };
    return { budget: `payments/${name}`, counter, value, ...span, mode: 'Enforce', bound, total: value ? bound : null };
  });
  return {
    id,
    workspace: 'payments/checkout',
    version: 1,
    worstNano: nano(WORST),
    gapNano: nano(0n),
    from: 0,
    until: Date.now() + HOUR,
    checks,
  };
}

async function connected(url: string): Promise<RedisLedger> {
  return new Promise((resolve) => {
    const ledger = connectLedger({
      url,
      installation: 'bench',
      epoch: () => 'bench',
      onReachable: (reachable) => reachable && resolve(ledger),
    });
  });
}

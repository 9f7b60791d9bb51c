/**
 * One process of races.test.ts: a gateway that reserves and ends calls as fast as it can. It appends to a file of events,
 * one JSON line each: what it is about to reserve, and how each call ended once the ledger has answered. It makes
 * `calls` calls, and more until its parent tells it to leave: until then it can replay its changes.
 *
 *     node test/system/ledger/racer.ts <url> <name> <events> <calls> [<lives>]
 *
 * With `lives` it dies (SIGKILL) as soon as `lives` of its calls were admitted, while at least the last one is open.
 */

import assert from 'node:assert/strict';
import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { LedgerUnreachable } from '../../../ledger/ledger.ts';
import { connectLedger } from '../../../ledger/redis/connect-ledger.ts';
import type { ReserveAnswer } from '../../../ledger/reservation.ts';
import type { Bound, Check } from '../../../policy/core/counter-check.ts';
import { nano } from '../../../policy/core/money.ts';

/** The overlapping budgets of all processes. Nano-dollars; `total` is over all values. */
export const BUDGETS = {
  workspace: { cap: 120_000n, per: null, total: null },
  chat: { cap: 60_000n, per: null, total: null },
  search: { cap: 70_000n, per: null, total: null },
  customers: { cap: 30_000n, per: ['acme', 'umbrella', 'initech', 'hooli'], total: 100_000n },
  organisation: { cap: 110_000n, per: null, total: null },
} as const satisfies Record<string, { cap: bigint; per: readonly string[] | null; total: bigint | null }>;

export const INSTALLATION = 'races';

/** A line of a process's file of events. */
export type Event =
  | { kind: 'reserve'; id: string; worst: number; counters: string[] }
  | { kind: 'settle'; id: string; cost: number; presumed: number }
  | { kind: 'release' | 'refused'; id: string };

export function counterOf(budget: string): string {
  return `payments/${budget}/Day/UTC/0`;
}

if (process.argv[1] === import.meta.filename) void main();

async function main(): Promise<void> {
  const [url, name, events, calls, lives] = process.argv.slice(2) as [string, string, string, string, string?];
  let left = Number(lives ?? Number.POSITIVE_INFINITY);
  const ledger = connectLedger({ url, installation: INSTALLATION, epoch: () => 'races', commandTimeout: 2000 });
  ledger.gateway.begin(name);
  await insist(() => ledger.gateway.beat({ pod: name, shards: {} }));
  const beating = setInterval(() => {
    ledger.gateway.beat({ pod: name, shards: {} }).catch(() => {});
    ledger.operator.sweep().catch(() => {});
  }, 500);
  const dismissed = new AbortController();
  process.once('message', () => dismissed.abort());
  process.send?.('ready');
  let next = 0;
  const loop = async (): Promise<void> => {
    while (next < Number(calls) || !dismissed.signal.aborted) await call(`${name}-${(next += 1)}`);
  };
  await Promise.all(Array.from({ length: 8 }, loop));
  clearInterval(beating);
  await insist(() => ledger.gateway.leave());
  ledger.close();
  process.disconnect?.();

  function note(event: Event): void {
    appendFileSync(events, `${JSON.stringify(event)}\n`);
  }

  async function call(id: string): Promise<void> {
    const worst = 1 + Math.floor(Math.random() * 400);
    const checks = someChecks(worst);
    const counters = checks.flatMap(({ counter, value }) =>
      value === null ? [counter] : [counter, `${counter}#${value}`],
    );
    note({ kind: 'reserve', id, worst, counters });
    const now = Date.now();
    const workspace = 'payments/checkout';
    const limits = { worstNano: nano(BigInt(worst)), gapNano: nano(0n), from: 0, until: now + 3_600_000, checks };
    const asked = { id, workspace, version: 1, ...limits };
    let answer = await insist(() => ledger.gateway.reserve(asked));
    while (answer.kind === 'recovering') {
      await sleep(20);
      answer = await insist(() => ledger.gateway.reserve(asked));
    }
    if (answer.kind !== 'admitted') {
      assert.equal(answer.kind, 'full');
      note({ kind: 'refused', id });
      return;
    }
    expectWithinCaps(answer, checks);
    if ((left -= 1) === 0) process.kill(process.pid, 'SIGKILL');
    await sleep(Math.random() * 5);
    const outcome = Math.random();
    if (outcome < 0.2) {
      await insist(() => ledger.gateway.release(id));
      note({ kind: 'release', id });
      return;
    }
    // At least something: a value that holds no money has no counter, so none counts a call that cost nothing.
    const cost = 1 + Math.floor(Math.random() * worst);
    const presumed = outcome < 0.25 ? worst - cost : 0;
    const record = { id, state: 'final', cost_nano: String(cost) } as const;
    await insist(() =>
      ledger.gateway.settle({ id, costNano: nano(BigInt(cost)), presumedNano: nano(BigInt(presumed)), record }),
    );
    note({ kind: 'settle', id, cost, presumed });
  }
}

function someChecks(worst: number): Check[] {
  const feature = Math.random() < 0.5 ? 'chat' : 'search';
  return ['workspace', feature, 'customers', 'organisation'].map((name) => {
    const { cap, per, total } = BUDGETS[name as keyof typeof BUDGETS];
    const within = (limit: bigint): Bound => {
      return { capNano: nano(limit), roomNano: nano(limit - BigInt(worst)), gapRoomNano: nano(0n) };
    };
    return {
      budget: `payments/${name}`,
      counter: counterOf(name),
      value: per === null ? null : JSON.stringify([per[Math.floor(Math.random() * per.length)]]),
      start: 0,
      end: Date.now() + 3_600_000,
      mode: 'Enforce',
      bound: within(cap),
      total: total === null ? null : within(total),
    };
  });
}

function expectWithinCaps(answer: ReserveAnswer & { kind: 'admitted' }, checks: readonly Check[]): void {
  for (const [index, { bound }] of checks.entries()) assert.ok(answer.committedNano[index]! <= bound.capNano);
}

/** Repeats what Redis did not answer, as a gateway does. */
async function insist<T>(act: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof LedgerUnreachable)) throw error;
      await sleep(20);
    }
  }
}

import { expect } from '@jest/globals';
import type { Ledger } from '../../../ledger/operator-ledger.ts';
import { connectLedger, type RedisLedger } from '../../../ledger/redis/connect-ledger.ts';
import type { Reservation, Settlement } from '../../../ledger/reservation.ts';
import type { Check } from '../../../policy/core/counter-check.ts';
import { nano } from '../../../policy/core/money.ts';
import type { startRedis } from '../../support/redis.ts';

export const HOUR = 3_600_000;
export const COUNTER = 'payments/daily/Day/UTC/0';
export const pool = { counter: COUNTER, per: false, top: 0, also: [] };

type Server = Awaited<ReturnType<typeof startRedis>>;
let installations = 0;

/** The name of an installation that no other test has. */
export function newInstallation(): string {
  return `test-${(installations += 1)}`;
}

/** A connection that Redis has answered. */
export async function connected(server: Server, installation: string, usageLimit = 1000): Promise<RedisLedger> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const onReachable = (reachable: boolean): void => void (reachable && resolve());
  const ledger = connectLedger({ url: server.url, installation, epoch: () => 'one', usageLimit, onReachable });
  await promise;
  return ledger;
}

/** A new ledger with one gateway, `gateway-1`, that has sent a heartbeat. */
export async function established(server: Server, installation = newInstallation()): Promise<RedisLedger> {
  const ledger = await connected(server, installation);
  await ledger.operator.establish('one');
  await join(ledger, 'gateway-1');
  return ledger;
}

export async function join(ledger: Ledger, incarnation: string): Promise<void> {
  ledger.gateway.begin(incarnation);
  expect(await ledger.gateway.beat({ pod: incarnation, shards: {} })).toMatchObject({ kind: 'alive' });
}

export function check(cap: bigint, worst: bigint, more: Partial<Check> = {}): Check {
  const now = Date.now();
  const bound = { capNano: nano(cap), roomNano: nano(cap - worst), gapRoomNano: nano(0n) };
  const span = { start: now - HOUR, end: now + HOUR };
  return {
    budget: 'payments/daily',
    counter: COUNTER,
    value: null,
    ...span,
    mode: 'Enforce',
    bound,
    total: null,
    ...more,
  };
}

export function call(id: string, worstNano: bigint, checks: readonly Check[], version = 1): Reservation {
  return {
    id,
    workspace: 'payments/checkout',
    version,
    worstNano: nano(worstNano),
    gapNano: nano(0n),
    from: 0,
    until: Date.now() + HOUR,
    checks,
  };
}

export function cost(id: string, costNano: bigint, presumedNano = 0n): Settlement {
  return { id, costNano: nano(costNano), presumedNano: nano(presumedNano), record: { id, cost_nano: `${costNano}` } };
}

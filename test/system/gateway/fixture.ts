import { afterAll, afterEach, beforeAll } from '@jest/globals';
import type { Redis } from 'ioredis';
import type { CompiledBudget } from '../../../policy/core/compiled-policy.ts';
import { budgetFiguresQuery } from '../../../policy/status/budget-figures.ts';
import type { Behaviour } from '../../fakes/upstream/behaviour.ts';
import { type Received, startUpstream, type Upstream } from '../../fakes/upstream/upstream.ts';
import { startRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';
import { message, type Running, startGateway, type StartOptions } from './harness.ts';
import { budget, handover, type WorkspaceOptions } from './policies.ts';

/** Redis, the stand-in for the upstream, and the gateways between them, for the tests of one file. */
export interface Fixture {
  readonly redis: Awaited<ReturnType<typeof startRedis>>;
  readonly upstream: Upstream;
  /** What the upstream received in this test. */
  readonly received: Received[];
  /** The gateways of this test; they are stopped after it. */
  readonly running: Running[];
  /** Starts a gateway in front of the stand-in, with one workspace and the budget `daily` of $25.00. */
  readonly gatewayWith: (workspace?: Partial<WorkspaceOptions>, options?: Partial<StartOptions>) => Promise<Running>;
  /** What the upstream charged in this test. Nano-dollars. */
  readonly books: () => bigint;
}

/** Starts both before the tests of the file and stops them afterwards; between tests, gateways and books are cleared. */
export function useGateways(): Fixture {
  const received: Received[] = [];
  const running: Running[] = [];
  let redis: Awaited<ReturnType<typeof startRedis>>;
  let upstream: Upstream;
  beforeAll(async () => {
    redis = await startRedis();
    upstream = await startUpstream({ observe: (request) => received.push(request) });
  });
  afterEach(async () => {
    upstream.release();
    await Promise.all(running.splice(0).map((gateway) => gateway.stop()));
    upstream.clearBooks();
    upstream.behave({});
    received.length = 0;
  });
  afterAll(async () => {
    await upstream.close();
    await redis.stop();
  });
  return {
    get redis() {
      return redis;
    },
    get upstream() {
      return upstream;
    },
    received,
    running,
    gatewayWith: async (workspace = {}, options = {}) => {
      const given = handover({ baseURL: upstream.url, budgets: [budget('daily', '25.00')], ...workspace });
      const gateway = await startGateway({ redisUrl: redis.url, handover: given, ...options });
      running.push(gateway);
      return gateway;
    },
    books: () => BigInt(upstream.books().total.nanoUsd),
  };
}

/** What the ledger holds of a budget. */
export async function counterOf({ ledger }: Running, one: CompiledBudget = budget('daily', '25.00')) {
  const { now } = await ledger.operator.state();
  const [reading] = await ledger.operator.read([budgetFiguresQuery(one, now)]);
  return reading!.total;
}

/** Waits until nothing of the budget is reserved: what was in flight is settled, released or presumed. */
export async function settled(gateway: Running, one?: CompiledBudget) {
  await until(async () => {
    const counter = await counterOf(gateway, one);
    return counter.committedNano === counter.certainNano;
  });
  return counterOf(gateway, one);
}

/** A quarter of an hour passes for the ledger; returns what it released. Nano-dollars. */
export async function quarterPasses(gateway: Running, redis: Redis, installation: string): Promise<bigint> {
  const key = `{tollgate:${installation}}:presumedRelease`;
  for (const id of await redis.zrange(key, '0', '-1')) await redis.zadd(key, Date.now() - 1, id);
  return (await gateway.ledger.operator.releaseDue()).releasedNano;
}

/** The header that tells the stand-in how to behave in one call. */
export const standIn = (behaviour: Behaviour): Record<string, string> => ({
  'x-stainless-stand-in': JSON.stringify(behaviour),
});

/** The body of a small call that asks for a stream. */
export const streaming: string = message({ stream: true });

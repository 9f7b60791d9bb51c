import type { Express } from 'express';
import type { Logger } from 'pino';
import type { GatewayLedger } from '../ledger/ledger.ts';
import type { Settings } from '../policy/settings.ts';
import { adminApp, callerApp } from './app.ts';
import { Densities } from './density.ts';
import { CountTokens } from './count-tokens.ts';
import { Health } from './health.ts';
import { Lifeline } from './lifeline.ts';
import { Messages } from './messages.ts';
import { Metrics } from './metrics.ts';
import { Models } from './models.ts';
import type { PolicySource } from './policy.ts';
import { Refusals } from './refusals.ts';
import { Reserver } from './reserve.ts';
import { Gateway } from './server.ts';
import { Settler } from './settle.ts';
import { Upstreams } from './upstreams.ts';
import { Waiting } from './waiting.ts';

/** What a gateway is made of that is not its own. */
export interface Surroundings {
  readonly settings: Settings;
  readonly policy: PolicySource;
  readonly ledger: GatewayLedger;
  /** The revision of each policy shard that is enforced in full. */
  readonly shards: () => Readonly<Record<string, number>>;
  /** The Pod's name. */
  readonly pod: string;
  readonly logger: Logger;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** A clock that never jumps, for durations. Milliseconds. */
  readonly elapsed: () => number;
  readonly newId: () => string;
  /** Whether /healthz, /readyz and /metrics have a port of their own. */
  readonly hasAdminPort: boolean;
  /** How long an upstream may be silent. Milliseconds; by default as long as the API lets a call take. */
  readonly upstreamTimeoutMs?: number;
}

/** A gateway, put together and not yet listening. */
export interface Assembly {
  readonly gateway: Gateway;
  readonly lifeline: Lifeline;
  readonly admin: Express;
  /** Answers and books all that is under way, and takes the gateway off the ledger's list. */
  stop(): Promise<void>;
}

/** Puts a gateway together. */
export function assemble(surroundings: Surroundings): Assembly {
  const { settings, policy, ledger, logger, now, elapsed, newId } = surroundings;
  const health = new Health(policy, logger);
  const waiting = new Waiting(settings.waitersPerBudget, now);
  const settler: Settler = new Settler({
    ledger,
    onEnded: (id, lines) => {
      lifeline.leave(id);
      waiting.wake(lines);
    },
    onRejected: (id, err) => logger.error({ id, err }, 'the ledger did not book this call'),
  });
  const lifeline: Lifeline = new Lifeline({
    ledger,
    pod: surroundings.pod,
    shards: surroundings.shards,
    newId,
    onPulse: (pulse, error) => health.take(pulse, error),
    onStray: (id) => void settler.release(id),
  });
  const metrics = new Metrics({
    openCalls: () => lifeline.openCount,
    pendingSettles: () => settler.pendingCount,
    ledger: () => ledger.state(),
  });
  const upstreams = new Upstreams(surroundings.upstreamTimeoutMs);
  const reserver = new Reserver({ ledger, policy, lifeline, settler, waiting, settings, now });
  const refusals = new Refusals({ ledger, now });
  const densities = new Densities();
  const messages = new Messages({
    policy,
    reserver,
    upstreams,
    settler,
    densities,
    refusals,
    metrics,
    logger,
    settings,
    now,
    elapsed,
  });
  const countTokens = new CountTokens({ policy, upstreams, metrics });
  const models = new Models({ policy, upstreams });
  const admin = adminApp({ metrics, notReady: () => health.notReady });
  const gateway = new Gateway({
    endpoints: {
      Messages: (exchange) => messages.serve(exchange),
      CountTokens: (exchange) => countTokens.serve(exchange),
      Models: (exchange) => models.serve(exchange),
    },
    callerApp: callerApp({ policy, ledger, newId }),
    adminApp: surroundings.hasAdminPort ? null : admin,
    logger,
    newId,
    elapsed,
  });
  return {
    gateway,
    lifeline,
    admin,
    stop: async () => {
      await gateway.drain();
      await settler.drained();
      await refusals.stop();
      await lifeline.stop();
      await upstreams.close();
    },
  };
}

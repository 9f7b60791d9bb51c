import type { Express } from 'express';
import type { Logger } from 'pino';
import type { GatewayLedger } from '../ledger/ledger.ts';
import type { Settings } from '../policy/config/settings.ts';
import { adminApp, callerApp } from './admin-app.ts';
import { Heartbeat } from './admission/heartbeat.ts';
import { LedgerOutage } from './admission/ledger-outage.ts';
import { Reserver } from './admission/reserver.ts';
import { Settler } from './admission/settler.ts';
import { WaitQueue } from './admission/wait-queue.ts';
import type { WriteAheadLog } from './admission/write-ahead-log.ts';
import { BatchEndpoints } from './batches/batch-endpoints.ts';
import { CreateBatch } from './batches/create-batch.ts';
import { TokensPerByte } from './forward/tokens-per-byte.ts';
import { CountTokens } from './free/count-tokens.ts';
import { Models } from './free/models.ts';
import { Health } from './health.ts';
import { ByteQuota } from './http/byte-quota.ts';
import type { Certificate } from './http/certificate.ts';
import { Gateway, type Draining } from './http/server.ts';
import { Upstreams } from './http/upstreams.ts';
import { ExpectedCosts } from './messages/expected-cost.ts';
import { Messages } from './messages/messages.ts';
import type { PolicySource } from './policy/active-policy.ts';
import { CallLog, type Spans } from './record/call-log.ts';
import { Metrics } from './record/metrics.ts';
import { RefusalCounter } from './record/refusal-counter.ts';

/** What a gateway is made of that is not its own. */
export interface Surroundings {
  readonly settings: Settings;
  readonly policy: PolicySource;
  readonly ledger: GatewayLedger;
  readonly daybook: WriteAheadLog;
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
  /** Where the bodies of batches are kept while they are read and sent. */
  readonly spoolFolder: string;
  /** How much room all of them have there together. Bytes. */
  readonly spoolBytes: number;
  /** How much memory the bodies of all calls under way may take. Bytes. */
  readonly bodyBytes: number;
  /** Who is told of the span of each call; null or absent: nobody. */
  readonly spans?: Spans | null;
  /** Whether /healthz, /readyz and /metrics have a port of their own. */
  readonly hasAdminPort: boolean;
  /** Null where callers come without TLS. */
  readonly certificate: Certificate | null;
  /** How long an upstream may be silent. Milliseconds; by default as long as the API lets a call take. */
  readonly upstreamTimeoutMs?: number;
}

/** A gateway, put together and not yet listening. */
export interface Assembly {
  readonly gateway: Gateway;
  readonly lifeline: Heartbeat;
  readonly admin: Express;
  readonly metrics: Metrics;
  /** Answers and books all that is under way, and takes the gateway off the ledger's list. */
  stop(leaving: Draining): Promise<void>;
}

/** Puts a gateway together. */
export function assemble(surroundings: Surroundings): Assembly {
  const { settings, policy, ledger, daybook, certificate, logger, now, elapsed, newId } = surroundings;
  const bodies = new ByteQuota(surroundings.bodyBytes);
  const spools = new ByteQuota(surroundings.spoolBytes);
  const health = new Health(policy, logger);
  const waiting = new WaitQueue(settings.waitersPerBudget, elapsed);
  const outage = new LedgerOutage({
    settings,
    daybook,
    ledger,
    logger,
    elapsed,
    onAdmitted: (workspace) => metrics.countOpenAdmission(workspace),
  });
  const settler: Settler = new Settler({
    ledger,
    daybook,
    onEnded: (id, lines) => {
      daybook.forget(id);
      lifeline.leave(id);
      waiting.wake(lines);
    },
    onRejected: (id, err) => logger.error({ id, err }, 'the ledger rejected the settlement of this call'),
    onUnwritten: (id, err) =>
      logger.error({ id, err }, 'the cost of this call could not be written to the write-ahead log'),
  });
  const lifeline: Heartbeat = new Heartbeat({
    ledger,
    pod: surroundings.pod,
    shards: surroundings.shards,
    newId,
    onPulse: (pulse, error) => {
      health.take(pulse, error);
      outage.take(pulse);
    },
    onStray: (id) => void settler.release(id),
  });
  const gauges = {
    openCalls: () => lifeline.openCount,
    pendingSettles: () => settler.pendingCount,
    unbookedCalls: () => daybook.unbookedCount,
    ledger: () => ledger.state(),
    bodyBytes: () => bodies.held,
    spoolBytes: () => spools.held,
    certificateExpires: certificate === null ? null : () => certificate.expires / 1000,
  };
  const metrics: Metrics = new Metrics(gauges, settings.namedUsers);
  const upstreams = new Upstreams(surroundings.upstreamTimeoutMs);
  const reserver = new Reserver({ ledger, policy, lifeline, settler, waiting, outage, settings, now, elapsed });
  const report = new CallLog({ logger, spans: surroundings.spans ?? null, now, elapsed });
  const refusals = new RefusalCounter({ ledger, now });
  const densities = new TokensPerByte();
  const expectations = new ExpectedCosts();
  const messages = new Messages({
    policy,
    reserver,
    upstreams,
    settler,
    densities,
    expectations,
    refusals,
    metrics,
    report,
    settings,
    now,
    elapsed,
  });
  const countTokens = new CountTokens({ policy, upstreams, metrics });
  const { spoolFolder } = surroundings;
  const batches = new CreateBatch({
    policy,
    reserver,
    upstreams,
    settler,
    refusals,
    metrics,
    report,
    settings,
    spoolFolder,
    spools,
    now,
    elapsed,
  });
  const batchAccess = new BatchEndpoints({ policy, upstreams, metrics, ledger, settings, elapsed });
  const models = new Models({ policy, upstreams });
  const admin = adminApp({
    metrics,
    notReady: () => (gateway.isLeaving ? 'the gateway is shutting down' : health.notReady),
  });
  const gateway: Gateway = new Gateway({
    endpoints: {
      Messages: (exchange) => messages.serve(exchange),
      CountTokens: (exchange) => countTokens.serve(exchange),
      CreateBatch: (exchange) => batches.create(exchange),
      ListBatches: (exchange) => batchAccess.list(exchange),
      Batch: (exchange) => batchAccess.one(exchange),
      Models: (exchange) => models.serve(exchange),
    },
    callerApp: callerApp({ policy, ledger, newId }),
    bodies,
    adminApp: surroundings.hasAdminPort ? null : admin,
    certificate: certificate?.pair ?? null,
    logger,
    newId,
    elapsed,
  });
  certificate?.follow(
    (pair) => {
      gateway.show(pair);
      logger.info('the certificate was renewed');
    },
    (err) => logger.error({ err }, 'the renewed certificate cannot be used; the last valid one stays in use'),
  );
  for (const booking of daybook.left) void settler.book(booking);
  if (daybook.left.length > 0) {
    logger.warn(
      { calls: daybook.left.length },
      'an earlier process left calls in the write-ahead log; they are settled now',
    );
  }
  return {
    gateway,
    lifeline,
    admin,
    metrics,
    stop: async (leaving) => {
      await gateway.drain(leaving);
      await settler.drained();
      await refusals.stop();
      await lifeline.stop();
      await daybook.close();
      await upstreams.close();
      certificate?.stop();
    },
  };
}

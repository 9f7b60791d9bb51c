import type { Express } from 'express';
import type { Logger } from 'pino';
import type { GatewayLedger } from '../ledger/gateway-ledger.ts';
import { upstreamConnector } from '../proxy/connector.ts';
import { NO_PROXY, type ProxyFor } from '../proxy/proxy-environment.ts';
import { adminApp } from './admin-app.ts';
import { Admission } from './admission/admission.ts';
import { Heartbeat } from './admission/heartbeat.ts';
import { LedgerOutage } from './admission/ledger-outage.ts';
import { Settler } from './admission/settler.ts';
import { SpentCounters } from './admission/spent-counters.ts';
import { StoredFiles } from './admission/stored-files.ts';
import { WaitQueue } from './admission/wait-queue.ts';
import type { WriteAheadLog } from './admission/write-ahead-log.ts';
import { BatchEndpoints } from './batches/batch-endpoints.ts';
import { CreateBatch } from './batches/create-batch.ts';
import type { Config } from './config.ts';
import { TokensPerByte } from './forward/tokens-per-byte.ts';
import { Budgets } from './free/budgets.ts';
import { serveCountTokens } from './free/count-tokens.ts';
import { Files } from './free/files.ts';
import { serveModels } from './free/models.ts';
import { Health } from './health.ts';
import { BrowserAccess } from './http/browser-access.ts';
import { ByteQuota } from './http/byte-quota.ts';
import type { Clocks } from './http/call.ts';
import type { Certificate } from './http/certificate.ts';
import { FreeCalls } from './http/free-calls.ts';
import { headersDownWith } from './http/headers-down.ts';
import { ReadingTurns } from './http/reading-turns.ts';
import { Gateway, type Draining } from './http/server.ts';
import { ExpectedCosts } from './messages/expected-cost.ts';
import { Messages } from './messages/messages.ts';
import { CallRefuser } from './pipeline/call-refuser.ts';
import { Pipeline } from './pipeline/pipeline.ts';
import type { PolicySource } from './policy/active-policy.ts';
import { CallLog, type Spans } from './record/call-log.ts';
import { FreeUsage } from './record/free-usage.ts';
import { Metrics } from './record/metrics.ts';
import { RefusalCounter } from './record/refusal-counter.ts';
import { RefusalLines } from './record/refusal-lines.ts';
import { UpstreamKeys } from './upstream/upstream-keys.ts';
import { Upstreams } from './upstream/upstreams.ts';

export interface GatewayOptions extends Clocks, Pick<Config, 'settings' | 'pod' | 'bodyFileBytes' | 'bodyMemoryBytes'> {
  readonly policy: PolicySource;
  readonly ledger: GatewayLedger;
  readonly writeAheadLog: WriteAheadLog;
  /** As in `GatewayReport`. */
  readonly shards: () => Readonly<Record<string, number>>;
  readonly logger: Logger;
  readonly newId: () => string;
  /** Where the bodies of batches are kept while they are read and sent. */
  readonly bodyFolder: string;
  /** Gets the span of each call; null or absent: there are none. */
  readonly spans?: Spans | null;
  /** What a scraper of metrics must show; null: metrics are not served. */
  readonly metricsToken: string | null;
  /** Whether /healthz, /readyz and /metrics have a port of their own. */
  readonly hasAdminPort: boolean;
  /** Null if callers come without TLS. */
  readonly certificate: Certificate | null;
  /** The way to upstreams; by default directly. */
  readonly proxyFor?: ProxyFor;
  /** How long a request may bring next to nothing. Milliseconds; by default five minutes. */
  readonly arrivalWindowMs?: number;
  /** How long an upstream may be silent. Milliseconds; by default as long as the API lets a call take. */
  readonly upstreamTimeoutMs?: number;
}

/** A gateway, put together and not yet listening. */
export interface Assembly {
  readonly gateway: Gateway;
  readonly heartbeat: Heartbeat;
  /** The ids of the calls that have, or may have, a reservation. */
  readonly openCalls: ReadonlySet<string>;
  readonly admin: Express;
  readonly metrics: Metrics;
  /** Answers and settles all calls under way, and takes the gateway off the ledger's list. */
  stop(draining: Draining): Promise<void>;
}

export function assemble(options: GatewayOptions): Assembly {
  const { settings, policy, ledger, writeAheadLog, certificate, logger, now, elapsed, newId } = options;
  const bodyMemory = new ByteQuota(options.bodyMemoryBytes);
  const bodyFiles = new ByteQuota(options.bodyFileBytes);
  // A call is in here from before its reserve is sent until it is settled or released, so a reservation of this gateway
  // that is not in here was never sent upstream.
  const openCalls = new Set<string>();
  const waitQueue = new WaitQueue(settings.waitersPerBudget, elapsed);
  const spentCounters = new SpentCounters(elapsed);
  const onEnded = (queues: readonly string[]): void => {
    spentCounters.doubt(queues);
    waitQueue.wake(queues);
  };
  const upstreamKeys = new UpstreamKeys(elapsed);
  const freeUsage = new FreeUsage({ ledger, now });
  const settler = new Settler({ ledger, writeAheadLog, openCalls, onEnded, freeUsage, logger });
  const metrics = new Metrics(
    {
      openCalls: () => openCalls.size,
      pendingSettles: () => settler.pendingCount,
      unsettledCalls: () => writeAheadLog.unsettledCount,
      ledger: () => ledger.state(),
      bodyBytes: () => bodyMemory.held,
      batchStorageBytes: () => bodyFiles.held,
      certificateExpires: certificate === null ? null : () => certificate.expires / 1000,
    },
    settings.namedUsers,
  );

  const health = new Health(policy, logger);
  const outage = new LedgerOutage({ settings, writeAheadLog, ledger, metrics, logger, elapsed });
  const { pod, shards } = options;
  const listeners = [health, outage];
  const heartbeat = new Heartbeat({
    ledger,
    pod,
    shards,
    refusedKeys: () => upstreamKeys.refused,
    newId,
    openCalls,
    settler,
    listeners,
  });
  const refusalCounter = new RefusalCounter({ ledger, now });
  const admission = new Admission({
    ledger,
    policy,
    openCalls,
    heartbeat,
    settler,
    waitQueue,
    spentCounters,
    refusalCounter,
    outage,
    settings,
    now,
    elapsed,
  });

  const refusalLines = new RefusalLines(logger);
  const callLog = new CallLog({ logger, spans: options.spans ?? null, refusalLines, now, elapsed });
  const callRefuser = new CallRefuser({ metrics, refusalCounter, callLog });
  const freeCalls = new FreeCalls();
  const storedFiles = new StoredFiles({
    ledger,
    settings,
    now,
    elapsed,
    onUnowned: (workspace, made) =>
      logger.warn({ workspace, files: made }, 'files that code has made could not be noted, and cannot be fetched'),
  });
  const pipeline = new Pipeline({ policy, admission, settler, callRefuser, freeCalls, storedFiles, newId });

  const upstreams = new Upstreams(upstreamConnector(options.proxyFor ?? NO_PROXY), options.upstreamTimeoutMs);
  const readingTurns = new ReadingTurns({ elapsed });
  const messages = new Messages({
    upstreams,
    upstreamKeys,
    readingTurns,
    freeCalls,
    storedFiles,
    settler,
    tokensPerByte: new TokensPerByte(),
    expectedCosts: new ExpectedCosts(),
    metrics,
    callLog,
    settings,
    elapsed,
  });
  const { bodyFolder } = options;
  const createBatch = new CreateBatch({
    upstreams,
    upstreamKeys,
    readingTurns,
    settler,
    callRefuser,
    callLog,
    settings,
    bodyFolder,
    bodyFiles,
    now,
    elapsed,
  });
  const batches = new BatchEndpoints({ upstreams, upstreamKeys, ledger, settings, elapsed });
  const files = new Files({ upstreams, upstreamKeys, storedFiles });
  const budgets = new Budgets({ ledger, elapsed });
  const admin = adminApp(metrics, health, options.metricsToken);
  const gateway = new Gateway({
    endpoints: {
      Messages: (call) => pipeline.servePaid(call, messages),
      CountTokens: (call) =>
        pipeline.serveFree(call, (ready) =>
          serveCountTokens(ready, { upstreams, upstreamKeys, readingTurns, storedFiles }),
        ),
      CreateBatch: (call) => pipeline.servePaid(call, createBatch),
      ListBatches: (call) => pipeline.serveFree(call, (ready) => batches.list(ready)),
      Batch: (call) => pipeline.serveFree(call, (ready) => batches.one(ready)),
      UploadFile: (call) => pipeline.serveFree(call, (ready) => files.upload(ready)),
      ListFiles: (call) => pipeline.serveFree(call, (ready) => files.list(ready)),
      File: (call) => pipeline.serveFree(call, (ready) => files.one(ready)),
      Budgets: (call) => pipeline.serveFree(call, (ready) => budgets.serve(ready)),
      Models: (call) => pipeline.serveFree(call, (ready) => serveModels(ready, upstreams, upstreamKeys)),
    },
    bodyMemory,
    browserAccess: new BrowserAccess(settings.browserOrigins),
    headersDown: headersDownWith(settings.answerHeaders),
    arrivalWindowMs: options.arrivalWindowMs,
    adminApp: options.hasAdminPort ? null : admin,
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
  for (const call of writeAheadLog.left) void settler.settleUnchecked(call);
  if (writeAheadLog.left.length > 0) {
    const calls = writeAheadLog.left.length;
    logger.warn({ calls }, 'an earlier process left calls in the write-ahead log; they are settled now');
  }
  return {
    gateway,
    heartbeat,
    openCalls,
    admin,
    metrics,
    stop: async (draining) => {
      health.setLeaving();
      await gateway.drain(draining);
      await settler.drained();
      refusalLines.stop();
      await Promise.all([freeUsage.stop(), refusalCounter.stop()]);
      await heartbeat.stop();
      await writeAheadLog.close();
      await upstreams.close();
      certificate?.stop();
    },
  };
}

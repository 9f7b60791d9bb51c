import type { Logger } from 'pino';
import type { KubeClient } from '../kube/client.ts';
import { Events } from '../kube/events.ts';
import { isKubeError } from '../kube/kube-error.ts';
import { LeaderElection } from '../kube/leader-election.ts';
import type { OperatorLedger } from '../ledger/operator-ledger.ts';
import type { Database } from '../log/database/database.ts';
import { UsageLog } from '../log/usage-log.ts';
import { allowsUpstream, type Settings } from '../policy/config/settings.ts';
import { PeriodCache } from '../policy/core/period.ts';
import { NAMES_FILE, SHIPPED_NAMES_TEXT } from '../policy/names/name-list.ts';
import type { Hash } from '../policy/shards/shard-format.ts';
import { logged } from '../policy/status/condition-findings.ts';
import type { ProxyFor } from '../proxy/proxy-environment.ts';
import { batchCredentials } from './batches/batch-credentials.ts';
import { BatchSettler } from './batches/batch-settler.ts';
import { BatchUpstream } from './batches/batch-upstream.ts';
import { createInformers } from './cluster/informers.ts';
import { LEASE, LEDGER_CHECKPOINT, NAMES, PRICES } from './cluster/object-names.ts';
import { describeError } from './describe-error.ts';
import { OperatorEvents } from './events/operator-events.ts';
import { informerHandlers } from './informer-handlers.ts';
import { CallerKeyIndex } from './keys/caller-key-index.ts';
import { KeysReconciler } from './keys/keys-reconciler.ts';
import { UpstreamSecrets } from './keys/upstream-secrets.ts';
import { Leadership } from './leadership.ts';
import { CallCorrector } from './ledger/call-corrector.ts';
import { CheckpointStore } from './ledger/checkpoint.ts';
import { allCounterMinimums } from './ledger/counter-minimums.ts';
import { LedgerGuard } from './ledger/ledger-guard.ts';
import { LedgerMaintenance } from './ledger/ledger-maintenance.ts';
import { PresumedResolver } from './ledger/presumed-resolver.ts';
import { Rebuild } from './ledger/rebuild.ts';
import { Ingest } from './log/ingest.ts';
import { deleteOldRows } from './log/retention.ts';
import { SeenNames } from './log/seen-names.ts';
import { Metrics } from './metrics/metrics.ts';
import { TopSpenders } from './metrics/top-spenders.ts';
import { OwnFile } from './policy/own-file.ts';
import { PolicyReconciler } from './policy/policy-reconciler.ts';
import { PriceBookSource } from './policy/price-book-source.ts';
import { budgetsInForce } from './policy/published-policy.ts';
import { ShardStore } from './policy/shard-store.ts';
import { LedgerReader } from './status/ledger-reader.ts';
import { StatusLoop } from './status/status-loop.ts';
import { StatusPlanner } from './status/status-planner.ts';
import { StatusWriter } from './status/status-writer.ts';
import { WorkQueues } from './work-queues.ts';

interface OperatorOptions {
  readonly settings: Settings;
  readonly client: KubeClient;
  /** `epoch`: the epoch in which the ledger is expected; null while none is known. */
  readonly connectLedger: (epoch: () => string | null) => { readonly operator: OperatorLedger; close(): void };
  readonly openLog: () => Promise<Database>;
  readonly shippedPrices: string;
  /** The way to upstreams. */
  readonly proxyFor: ProxyFor;
  /** Unique to this process. */
  readonly identity: string;
  readonly log: Logger;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** A monotonic clock, in milliseconds. */
  readonly elapsed: () => number;
  /** Gives [0, 1). */
  readonly random: () => number;
  readonly randomBytes: (count: number) => Buffer;
  readonly newId: () => string;
  readonly hash: Hash;
}

/**
 * Assembles a replica from the top down: first what is known of the cluster and the ledger, then the queues, then the
 * reconcilers that fill and empty them. Every replica keeps its informers filled; only the leader acts.
 */
export function assemble(options: OperatorOptions) {
  const { settings, client, clock, elapsed, random, hash, log } = options;
  const { namespace } = settings;
  const problemIn = (what: string) => (error: unknown) => {
    // A conflict only means that an informer was a moment behind.
    const level = isKubeError(error, 'Conflict') ? 'debug' : 'warn';
    log[level]({ what, problem: describeError(error) }, 'a problem, tried again');
  };

  const informers = createInformers({
    client,
    settings,
    random,
    onProblem: (kind, error) => problemIn(`watching ${kind}`)(error),
  });
  const election = new LeaderElection({
    client,
    lease: { namespace, name: LEASE },
    identity: options.identity,
    clock,
    random,
    onProblem: problemIn('leader election'),
  });
  const mayAct = () => election.leads && informers.hasSynced;

  const checkpoints = new CheckpointStore(client, () => informers.checkpoint.get(`${namespace}/${LEDGER_CHECKPOINT}`));
  const ledgerConnection = options.connectLedger(() => checkpoints.current.epoch);
  const ledger = ledgerConnection.operator;
  const periods = new PeriodCache().at;
  const reader = new LedgerReader(ledger, elapsed, periods);
  const streamLength = () => reader.state?.streamLength ?? 0;
  const callerKeys = new CallerKeyIndex(informers, hash);
  const upstreamSecrets = new UpstreamSecrets(client, informers);
  const prices = new PriceBookSource(options.shippedPrices);
  const names = new OwnFile(NAMES_FILE, SHIPPED_NAMES_TEXT);
  const shards = new ShardStore({ client, settings, hash });

  const metrics = new Metrics(settings);
  const events = new Events({
    client,
    controller: 'tollgate.dev/operator',
    instance: options.identity.slice(0, 128),
    namespace: settings.namespace,
    clock,
    onProblem: problemIn('events'),
  });
  const operatorEvents = new OperatorEvents({ events, workspaces: informers.workspaces, log });
  const queues = new WorkQueues({
    mayAct,
    random,
    onError: (queue, key, error) => {
      metrics.countFailure(queue);
      problemIn(`${queue} ${key}`)(error);
    },
  });

  const seenNames = new SeenNames({
    onExceeded: () => queues.addPolicy(),
    onSeen: (workspace, unknown) => operatorEvents.unknownNames(workspace, unknown),
    clock,
  });
  const usageLog = new UsageLog({
    open: options.openLog,
    ledger,
    onDeadLetters: (deadLetters) => {
      metrics.countDeadLetters(deadLetters.length);
      operatorEvents.deadLettered(deadLetters);
    },
    onIngested: ({ rows, unknown }) => {
      metrics.countLogged(rows);
      seenNames.take(unknown);
    },
  });
  const ingest = new Ingest({ log: usageLog, ledger, elapsed });
  const topSpenders = new TopSpenders({ log: usageLog, settings, clock, elapsed });

  const policy = new PolicyReconciler({
    sources: { settings, clock, hash, informers, callerKeys, upstreamSecrets, prices, names, seenNames, checkpoints },
    ledger,
    store: shards,
    queues,
    onProblems: (problems) => log.error({ problems }, 'the policy has problems'),
  });
  const keys = new KeysReconciler({
    client,
    informers,
    callerKeys,
    policy,
    events: operatorEvents,
    gatewayURL: settings.gatewayURL,
    randomBytes: options.randomBytes,
  });
  const batches = new BatchSettler({
    ledger,
    upstream: new BatchUpstream(options.proxyFor),
    credentials: (workspace) => batchCredentials(shards.previous(), workspace),
    prices: () => prices.book,
    isAllowed: (baseURL) => allowsUpstream(settings, baseURL),
    settings,
    clock,
    elapsed,
    intervalMs: settings.batchPollSeconds * 1000,
    queues,
    metrics,
    events: operatorEvents,
  });

  const writer = new StatusWriter({
    client,
    events,
    elapsed,
    mayAct,
    onWritten: ({ kind }) => metrics.countWrite(kind),
    onProblem: (object, error) => problemIn(`status of ${object}`)(error),
  });
  const rebuild = new Rebuild({
    ledger,
    log: usageLog,
    statusMinimums: (now) => {
      const compiled = policy.published === undefined ? [] : budgetsInForce(policy.published.output);
      return allCounterMinimums(compiled, informers.budgets, writer, now, periods);
    },
    incarnations: () => reader.gateways.map(({ incarnation }) => incarnation),
    policy,
  });
  const guard = new LedgerGuard({
    ledger,
    checkpoints,
    rebuild,
    policy,
    queues,
    events: operatorEvents,
    newEpoch: options.newId,
  });
  const orders = { client, ledger, checkpoints, events: operatorEvents };
  const presumed = new PresumedResolver({ ...orders, settings, batches });
  const corrector = new CallCorrector({ ...orders, log: usageLog, metrics });
  const planner = new StatusPlanner(settings, elapsed, periods);
  const statusLoop = new StatusLoop({
    clock,
    elapsed,
    policy,
    reader,
    guard,
    maintenance: new LedgerMaintenance({ ledger, presumed, corrector, metrics, elapsed }),
    informers,
    callerKeys,
    logged: () => logged({ waiting: streamLength(), limit: settings.usageStreamLimit, silentMs: ingest.unreachableMs }),
    planner,
    book: () => prices.book,
    writer,
    queues,
    onProblem: problemIn('the ledger'),
  });

  queues.start({
    workspace: async (ref) => {
      const hasKeys = await keys.reconcile(ref);
      return (await upstreamSecrets.reconcile(ref)) && hasKeys;
    },
    policy: () => policy.reconcile(),
    status: () => statusLoop.turn(),
    log: () => ingest.turn(),
    batches: () => batches.poll(),
    batch: (batch) => batches.settle(batch),
    spenders: () => topSpenders.refresh(),
    retention: () => deleteOldRows({ log: usageLog, settings, clock }),
  });
  metrics.observe({
    isLeader: () => election.leads,
    queues: queues.queues,
    budgets: () => informers.budgets.values(),
    workspaces: () => informers.workspaces.values(),
    now: clock,
    isPriceBookInvalid: () => prices.problem !== undefined,
    streamLimit: settings.usageStreamLimit,
    // What a replica found when it last led is outdated, and must not keep an alert firing.
    streamLength: () => (mayAct() ? streamLength() : 0),
    lagSeconds: () => (mayAct() ? ingest.lagMs(clock()) / 1000 : 0),
    batches: () => (mayAct() ? batches.backlog : { open: 0, elsewhere: 0, oldestSeconds: 0 }),
    topSpenders: () => (mayAct() ? topSpenders.totals : null),
    isLedgerLost: () => mayAct() && guard.health === 'Lost',
    isLedgerRecovering: () => mayAct() && guard.health === 'Recovering',
  });

  const handlers = informerHandlers({
    informers,
    queues,
    callerKeys,
    shards,
    prices,
    names,
    operatorEvents,
    forgetStatus: (uid) => {
      planner.forget(uid);
      writer.forget(uid);
    },
    seeStatus: (object) => writer.see(object),
    mayAct,
  });
  const leadership = new Leadership({
    identity: options.identity,
    election,
    informers,
    handlers,
    queues,
    writer,
    usageLog,
    resettable: [planner, writer, reader, guard],
    onLeading: () => {
      for (const [file, own] of [
        [prices, informers.prices.get(`${namespace}/${PRICES}`)],
        [names, informers.names.get(`${namespace}/${NAMES}`)],
      ] as const) {
        if (own !== undefined && file.problem !== undefined) operatorEvents.fileRejected(own, file.problem);
      }
    },
    log,
  });
  return {
    metrics,
    /** False where a pass hangs, so that only a restart helps. */
    isAlive: () => !queues.isStuck,
    isReady: () => informers.hasSynced,
    start: () => leadership.start(),
    /** Gives up the lease, within half a second even where work takes longer, and resolves once all work has ended. */
    stop: async () => {
      await leadership.stop();
      ledgerConnection.close();
    },
  };
}

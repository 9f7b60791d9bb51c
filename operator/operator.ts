import type { Logger } from 'pino';
import type { KubeClient } from '../kube/client.ts';
import { Events } from '../kube/events.ts';
import { isKubeError } from '../kube/kube-error.ts';
import { LeaderElection } from '../kube/leader-election.ts';
import { keyOf } from '../kube/object.ts';
import type { OperatorLedger } from '../ledger/ledger.ts';
import type { Database } from '../log/database/database.ts';
import { UsageLog } from '../log/usage-log.ts';
import type { Hash } from '../policy/compile/shards.ts';
import { allowsUpstream, type Settings } from '../policy/config/settings.ts';
import { parsePriceBook } from '../policy/prices/price-book-file.ts';
import { logged } from '../policy/status/readiness.ts';
import { batchCredentials } from './batches/batch-credentials.ts';
import { Batches } from './batches/batches.ts';
import { Informers } from './cluster/informers.ts';
import { LEASE, LEDGER_CHECKPOINT, PRICES } from './cluster/kube-kinds.ts';
import { UpstreamSecrets } from './cluster/upstream-secrets.ts';
import { describeError } from './describe-error.ts';
import { Announcer } from './events/announcer.ts';
import { LedgerGuard } from './ledger/ledger-guard.ts';
import { Presumed } from './ledger/presumed.ts';
import { Rebuild } from './ledger/rebuild.ts';
import { Housekeeping } from './log/housekeeping.ts';
import { Ingest } from './log/ingest.ts';
import { Metrics } from './metrics/metrics.ts';
import { TopSpenders } from './metrics/top-spenders.ts';
import { compileInput } from './policy/compile-input.ts';
import { KeysReconciler } from './policy/keys-reconciler.ts';
import { PolicyReconciler } from './policy/policy-reconciler.ts';
import { PriceBookSource } from './policy/price-book-source.ts';
import { ShardStore } from './policy/shard-store.ts';
import { LedgerReader } from './status/ledger-reader.ts';
import { StatusLoop } from './status/status-loop.ts';
import { StatusPlanner } from './status/status-planner.ts';
import { StatusWriter } from './status/status-writer.ts';
import { stepDown } from './step-down.ts';
import { triggers } from './triggers.ts';
import { WorkQueues } from './work-queues.ts';

interface OperatorOptions {
  readonly settings: Settings;
  readonly client: KubeClient;
  readonly ledger: OperatorLedger;
  /** Opens the database of the usage log. */
  readonly openLog: () => Promise<Database>;
  readonly shippedPrices: string;
  /** Unique to this process. */
  readonly identity: string;
  readonly log: Logger;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** A clock that never jumps, for durations. Milliseconds. */
  readonly elapsed: () => number;
  /** Gives [0, 1). */
  readonly random: () => number;
  readonly randomBytes: (count: number) => Buffer;
  readonly newId: () => string;
  readonly hash: Hash;
}

/** A replica of the operator. */
export interface Operator {
  readonly metrics: Metrics;
  /** The epoch in which the ledger is expected; null while none is known. */
  readonly expectedEpoch: () => string | null;
  /** False where it hangs, and only a restart helps. */
  readonly isAlive: () => boolean;
  /** Whether the caches are filled. */
  readonly isReady: () => boolean;
  readonly start: () => void;
  /** Gives the lead away, at once where what is under way takes long, and ends it. */
  readonly stop: () => Promise<void>;
}

/** Wires caches, queues and reconcilers. Every replica keeps its caches warm; only the leader acts. */
export function assemble(options: OperatorOptions): Operator {
  const { settings, client, ledger, clock, elapsed, random, hash, log } = options;
  const { namespace } = settings;
  const onProblem = (what: string) => (error: unknown) => {
    // A conflict is the API server's way to say that the cache is a moment behind; what failed is done again.
    const level = isKubeError(error, 'Conflict') ? 'debug' : 'warn';
    log[level]({ what, problem: describeError(error) }, 'a problem, tried again');
  };

  const world: Informers = new Informers({
    client,
    settings,
    random,
    onProblem: (what, error) => onProblem(`following ${what}`)(error),
    listeners: triggers(() => ({ world, schedule, keys, store, prices, statuses, announcer, mayAct })),
  });
  const election = new LeaderElection({
    client,
    lease: { namespace, name: LEASE },
    identity: options.identity,
    clock,
    random,
    onElected: () => begin(),
    onLost: () => {
      log.warn('no longer the leader');
      void usageLog.close(); // so that the next leader can open it
    },
    onProblem: onProblem('leader election'),
  });
  const mayAct = () => election.leads && world.hasSynced;

  const events = new Events({
    client,
    controller: 'tollgate.dev/operator',
    instance: options.identity.slice(0, 128),
    clock,
    onProblem: onProblem('events'),
  });
  const announcer = new Announcer(events, log);
  const keys: KeysReconciler = new KeysReconciler({
    client,
    world,
    gatewayURL: settings.gatewayURL,
    hash,
    randomBytes: options.randomBytes,
    isInForce: (workspace) => policy.isInForce(workspace),
    onIssued: (...said) => announcer.keyIssued(...said),
    onRevoked: (...said) => announcer.keyRevoked(...said),
  });
  const upstreamSecrets = new UpstreamSecrets(client, world);
  const prices = new PriceBookSource(options.shippedPrices);
  const store = new ShardStore({ client, settings, hash });
  const usageLog: UsageLog = new UsageLog({
    open: options.openLog,
    ledger,
    onDeadLetters: (deadLetters) => {
      metrics.countDeadLetters(deadLetters.length);
      announcer.setAside(deadLetters);
    },
  });
  const survey = new TopSpenders({ log: usageLog, settings, clock, elapsed });
  const housekeeping = new Housekeeping({ log: usageLog, settings, clock });
  const ingest = new Ingest({ log: usageLog, ledger, elapsed, onIngested: ({ rows }) => metrics.countLogged(rows) });

  const memory = () => world.memory.get(`${namespace}/${LEDGER_CHECKPOINT}`);
  const rebuild = new Rebuild({
    ledger,
    log: usageLog,
    shown: (now) => statuses.floors(policy.output, now),
    living: () => view.reports.map(({ incarnation }) => incarnation),
    raiseFences: () => policy.reconcile(),
  });
  const epoch = new LedgerGuard({
    client,
    ledger,
    memory,
    newEpoch: options.newId,
    onChange: () => schedule.policy(),
    rebuild,
    raiseFences: () => policy.reconcile(),
    tell: announcer.ledger,
  });
  const policy: PolicyReconciler = new PolicyReconciler({
    ledger,
    store,
    gather: () =>
      compileInput({ settings, clock, hash, world, keys, upstreamSecrets, prices, epoch: () => epoch.current }),
    onCompiled: (accepted) => {
      for (const ref of accepted) schedule.workspace(ref);
      schedule.report();
    },
    onProblems: (problems) => log.error({ problems }, 'the policy has problems'),
  });

  const view: LedgerReader = new LedgerReader(ledger, elapsed);
  const waiting = () => view.state?.streamLength ?? 0;
  const writer = new StatusWriter({
    client,
    events,
    elapsed,
    mayAct,
    onWritten: ({ kind }) => metrics.countWrite(kind),
    onProblem: (key, error) => onProblem(`status of ${key}`)(error),
  });
  const statuses: StatusPlanner = new StatusPlanner({
    world,
    view,
    writer,
    settings,
    keys: () => keys.hashes(),
    isOf: (...asked) => policy.isOf(...asked),
    logged: () => logged({ waiting: waiting(), limit: settings.usageStreamLimit, silentMs: ingest.silentMs }),
    elapsed,
    soundness: () => epoch.soundness,
  });
  const presumed = new Presumed({
    client,
    ledger,
    settings,
    memory,
    onResolved: (...said) => announcer.presumedResolved(...said),
    onMistake: (...said) => announcer.presumedMistaken(...said),
  });
  const report = new StatusLoop({
    clock,
    elapsed,
    policy,
    view,
    epoch,
    presumed,
    statuses,
    writer,
    sweep: () => ledger.sweep(),
    onReachable: () => schedule.policy(),
    onProblem: onProblem('the ledger'),
  });

  const batches: Batches = new Batches({
    ledger,
    source: (workspace) => batchCredentials(store.previous(), workspace),
    prices: () => parsePriceBook(JSON.parse(prices.current.text)),
    allows: (baseURL) => allowsUpstream(settings, baseURL),
    clock,
    elapsed,
    intervalMs: settings.batchPollSeconds * 1000,
    onDue: (batch) => schedule.batch(batch),
    onBooked: (lines) => metrics.countBatch(lines),
    onSettled: ({ workspace, batch }, lines) => {
      announcer.batchSettled(world.workspaces.get(workspace), batch, lines);
    },
    onLost: (open) => announcer.batchLost(world.workspaces.get(open.workspace), open),
  });

  const schedule: WorkQueues = new WorkQueues({
    duties: {
      workspace: async (ref) => {
        const hasKeys = await keys.reconcile(ref);
        return (await upstreamSecrets.look(ref)) && hasKeys;
      },
      policy: () => policy.reconcile(),
      report: () => report.turn(),
      log: () => ingest.turn(),
      batches: () => batches.turn(),
      batch: (batch) => batches.settle(batch),
      survey: () => survey.turn(),
      housekeeping: () => housekeeping.turn(),
    },
    mayAct,
    onError: (duty, key, error) => {
      metrics.countFailure(duty);
      onProblem(`${duty} ${key}`)(error);
    },
    random,
  });
  const metrics: Metrics = new Metrics(
    {
      isLeader: () => election.leads,
      queues: schedule.queues,
      budgets: () => world.budgets.values(),
      workspaces: () => world.workspaces.values(),
      isPriceBookInvalid: () => prices.problem !== undefined,
      recordsWaiting: waiting,
      recordLimit: () => settings.usageStreamLimit,
      lagSeconds: () => ingest.lagMs(clock()) / 1000,
      // Who does not lead does not look.
      batches: () => (mayAct() ? batches.standing : { open: 0, oldestSeconds: 0 }),
      isLedgerLost: () => epoch.soundness === 'Lost',
      isLedgerRecovering: () => epoch.soundness === 'Recovering',
      survey: () => (mayAct() ? survey.findings : null),
    },
    settings,
  );

  const begin = () => {
    if (!mayAct()) return;
    log.info({ leader: options.identity }, 'leading');
    const own = world.prices.get(`${namespace}/${PRICES}`);
    if (own !== undefined && prices.problem !== undefined) announcer.pricesRejected(own, prices.problem);
    statuses.forgetAll();
    view.begin();
    epoch.begin();
    schedule.begin(world.workspaces.values().map(({ metadata }) => keyOf(metadata)));
  };
  return {
    metrics,
    expectedEpoch: () => epoch.expected,
    isAlive: () => !schedule.isStuck,
    isReady: () => world.hasSynced,
    start: () => {
      world.start();
      election.start();
      void world.synced().then(begin);
    },
    stop: async () => {
      await stepDown({ schedule, writer, usageLog, election });
      await world.stop();
    },
  };
}

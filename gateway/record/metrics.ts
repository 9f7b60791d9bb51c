import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { LedgerState } from '../../ledger/ledger.ts';
import { type Billed, CallMetrics, dollars, type Spender } from '../../metrics/call-metrics.ts';
import { LabelLimiter, OTHER } from '../../metrics/label-limiter.ts';
import { type Nano, subtract } from '../../policy/core/money.ts';
import type { Usage } from '../../policy/prices/usage.ts';
import type { RefusalReason } from '../../policy/refusals/refusals.ts';
import type { RequestFacts } from '../../policy/request/request.ts';

/** Where the gauges read their values, at each scrape. */
export interface Gauges {
  readonly openCalls: () => number;
  readonly pendingSettles: () => number;
  readonly unsettledCalls: () => number;
  /** Bytes that bodies of open calls take in memory, and on disk. */
  readonly bodyBytes: () => number;
  readonly batchStorageBytes: () => number;
  readonly ledger: () => Promise<LedgerState>;
  /** Seconds since the epoch; null without TLS. */
  readonly certificateExpires: (() => number) | null;
}

/** One call that cost something, as the metrics see it. */
export interface Spending extends Billed {
  readonly spender: Spender;
  /** How it ended, in one word. */
  readonly ending: string;
  readonly worstNano: Nano;
  readonly usage: Usage | null;
  readonly seconds: number;
}

/** So many unknown names have a label of their own, since callers make them up. */
const MOST_NAMES = 50;

/**
 * The gateway's metrics. What OpenTelemetry has a name for is called `gen_ai_*`, money is `tollgate_*`. Labels are
 * bounded: workspaces, models of the price book, reasons, and a limited number of features, departments and, where the
 * installation wants their names, users; never a customer or a key.
 */
export class Metrics {
  readonly registry = new Registry();
  readonly #spending: CallMetrics;
  readonly #callCost: Histogram;
  readonly #begun = new Set<string>();
  readonly #overshoot: Counter;
  readonly #refusals: Counter;
  readonly #uncheckedCalls: Counter;
  readonly #unknownNames: Counter;
  readonly #retries: Counter;
  readonly #names = new LabelLimiter(MOST_NAMES, MOST_NAMES);
  readonly #tokens: Histogram;
  readonly #duration: Histogram;
  readonly #firstByte: Histogram;
  readonly #added: Histogram;
  readonly openStreams: Gauge;

  /** `namedUsers`: how many users have a label of their own. */
  constructor(gauges: Gauges, namedUsers: number) {
    const registers = [this.registry];
    this.#spending = new CallMetrics(this.registry, namedUsers);
    this.#callCost = new Histogram({
      name: 'tollgate_call_cost_usd',
      help: 'What a call cost, in US dollars.',
      labelNames: ['workspace', 'feature'],
      buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100],
      registers,
    });
    this.#overshoot = new Counter({
      name: 'tollgate_overshoot_usd_total',
      help: 'What calls cost above their worst case, in US dollars: the upstream charged more than its published rules.',
      labelNames: ['workspace'],
      registers,
    });
    this.#refusals = new Counter({
      name: 'tollgate_refusals_total',
      help: 'Calls that were refused.',
      labelNames: ['workspace', 'reason'],
      registers,
    });
    this.#uncheckedCalls = new Counter({
      name: 'tollgate_unchecked_calls_total',
      help: 'Calls admitted unchecked because Redis could not be reached (`ledgerLoss: Open`).',
      labelNames: ['workspace'],
      registers,
    });
    this.#unknownNames = new Counter({
      name: 'tollgate_unknown_names_total',
      help: 'Names in forwarded calls that are neither known nor listed as harmless, so that the highest bound was set aside.',
      labelNames: ['workspace', 'name'],
      registers,
    });
    this.#retries = new Counter({
      name: 'tollgate_upstream_retries_total',
      help: 'Second attempts, on a fresh connection, of calls whose connection had been closed by the upstream.',
      labelNames: ['workspace'],
      registers,
    });
    this.#tokens = new Histogram({
      name: 'gen_ai_client_token_usage',
      help: 'Tokens of a call.',
      labelNames: ['workspace', 'gen_ai_request_model', 'gen_ai_token_type'],
      buckets: [1, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576],
      registers,
    });
    this.#duration = new Histogram({
      name: 'gen_ai_client_operation_duration_seconds',
      help: 'Time from the arrival of a call to the end of its answer.',
      labelNames: ['workspace', 'gen_ai_request_model'],
      buckets: [0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000],
      registers,
    });
    this.#firstByte = new Histogram({
      name: 'gen_ai_server_time_to_first_token_seconds',
      help: 'Time from sending a call upstream to the first byte of its answer.',
      labelNames: ['workspace'],
      buckets: [0.03, 0.1, 0.3, 1, 3, 10, 30, 100],
      registers,
    });
    this.#added = new Histogram({
      name: 'tollgate_added_latency_seconds',
      help: 'Time from the arrival of a call until it is sent upstream, with any wait for room in a budget.',
      buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.03, 0.1, 1, 10],
      registers,
    });
    this.openStreams = new Gauge({
      name: 'tollgate_upstream_calls',
      help: 'Calls that were sent upstream and have not ended.',
      registers,
    });
    this.#gauge('tollgate_open_calls', 'Calls that have, or may have, a reservation.', gauges.openCalls);
    this.#gauge(
      'tollgate_pending_settles',
      'Ended calls that wait to be settled in the ledger.',
      gauges.pendingSettles,
    );
    this.#gauge(
      'tollgate_write_ahead_log_calls',
      'Calls in the write-ahead log that the ledger has not settled yet (`ledgerLoss: Open`).',
      gauges.unsettledCalls,
    );
    this.#gauge(
      'tollgate_body_memory_bytes',
      'Memory used by the request bodies of calls in flight, in bytes.',
      gauges.bodyBytes,
    );
    this.#gauge(
      'tollgate_batch_storage_bytes',
      'Disk space used by the bodies of Message Batches, in bytes.',
      gauges.batchStorageBytes,
    );
    if (gauges.certificateExpires !== null) {
      const help = 'When the certificate of the gateway expires, in seconds since 1970 (only with TLS).';
      this.#gauge('tollgate_certificate_expiry_timestamp_seconds', help, gauges.certificateExpires);
    }
    this.#ledgerGauges(gauges.ledger);
    collectDefaultMetrics({ register: this.registry });
  }

  countRefusal(reason: RefusalReason, workspace = ''): void {
    this.#refusals.inc({ workspace, reason });
  }

  /** A call was sent with names that nobody knows. */
  countUnknown(workspace: string, unknown: RequestFacts['unknown']): void {
    for (const { name } of unknown) {
      this.#unknownNames.inc({ workspace, name: this.#names.has(name) ? name : OTHER });
    }
  }

  /** A call that met a stale connection is sent once more. */
  countRetry(workspace: string): void {
    this.#retries.inc({ workspace });
  }

  /** A call was sent upstream. */
  begin(spender: Spender): void {
    if (!this.#spending.begin(spender)) return;
    const { workspace } = spender;
    const labels = { workspace, feature: this.#spending.featureOf(spender) };
    const name = `${workspace}\n${labels.feature}`;
    if (this.#begun.has(name)) return;
    this.#begun.add(name);
    this.#callCost.zero(labels);
    this.#overshoot.inc({ workspace }, 0);
  }

  /** A call that cost nothing, and how it ended. */
  countCall(spender: Spender, ending: string): void {
    this.#spending.countCall(spender, ending);
  }

  countUncheckedCall(workspace: string): void {
    this.#uncheckedCalls.inc({ workspace });
  }

  observeAdded(seconds: number): void {
    this.#added.observe(seconds);
  }

  observeFirstByte(workspace: string, seconds: number): void {
    this.#firstByte.observe({ workspace }, seconds);
  }

  countSpending(spending: Spending): void {
    const { spender, ending, costNano, worstNano, usage, seconds } = spending;
    const { workspace } = spender;
    const model = spender.model ?? OTHER;
    this.#spending.countCall(spender, ending);
    this.#spending.countBilled(spender, spending);
    this.#callCost.observe({ workspace, feature: this.#spending.featureOf(spender) }, dollars(costNano));
    if (costNano > worstNano) this.#overshoot.inc({ workspace }, dollars(subtract(costNano, worstNano)));
    this.#duration.observe({ workspace, gen_ai_request_model: model }, seconds);
    if (usage === null) return;
    const input = usage.input + usage.cacheRead + usage.cacheWrite5m + usage.cacheWrite1h;
    this.#tokens.observe({ workspace, gen_ai_request_model: model, gen_ai_token_type: 'input' }, input);
    this.#tokens.observe({ workspace, gen_ai_request_model: model, gen_ai_token_type: 'output' }, usage.output);
  }

  /** If the value cannot be read, the gauge keeps its last one. */
  #gauge(name: string, help: string, read: () => number | Promise<number>): void {
    const collect = async (): Promise<void> => {
      try {
        gauge.set(await read());
      } catch {
        // `tollgate_ledger_up` reports that the ledger is unreachable.
      }
    };
    const gauge: Gauge = new Gauge({ name, help, registers: [this.registry], collect });
  }

  #ledgerGauges(ask: () => Promise<LedgerState>): void {
    // The gauges of one scrape are collected together and share one request to the ledger.
    let asked: Promise<LedgerState> | null = null;
    const read = () => (asked ??= ask().finally(() => (asked = null)));
    const up = (): Promise<number> =>
      read()
        .then(() => 1)
        .catch(() => 0);
    this.#gauge('tollgate_ledger_up', '1 if the ledger answers, else 0.', up);
    this.#gauge('tollgate_usage_stream_length', 'Usage records that wait in the ledger for the usage log.', () =>
      read().then(({ streamLength }) => streamLength),
    );
    this.#gauge(
      'tollgate_ledger_presumed_calls',
      'Calls whose cost is not known and presumed to be their worst case.',
      () => read().then(({ presumedCount }) => presumedCount),
    );
  }
}

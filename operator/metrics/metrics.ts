import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import { CallMetrics } from '../../metrics/call-metrics.ts';
import type { BatchLine } from '../../policy/cost/batch-result.ts';
import { measureResources, type Resources } from './resource-metrics.ts';
import { measureSpenders, type NameLimits } from './spender-metrics.ts';
import type { SpenderFindings } from './top-spenders.ts';

interface Queue {
  readonly depth: number;
  readonly longestMs: number;
}

/** What the gauges show, asked at each scrape. */
interface Sources extends Resources {
  readonly isLeader: () => boolean;
  readonly queues: Readonly<Record<string, Queue>>;
  readonly isPriceBookInvalid: () => boolean;
  readonly isLedgerLost: () => boolean;
  /** Usage records that wait in the ledger for the log, and how many may. */
  readonly recordsWaiting: () => number;
  readonly recordLimit: () => number;
  /** For how long the oldest of them has waited. */
  readonly lagSeconds: () => number;
  /** The batches whose cost is not booked yet. */
  readonly batches: () => { readonly open: number; readonly oldestSeconds: number };
  readonly isLedgerRecovering: () => boolean;
  /** Who spent what, by the usage log; null where this replica does not know. */
  readonly survey: () => SpenderFindings | null;
}

/**
 * The operator's metrics. Their labels are namespaces and names of resources, words of closed lists, and as many users
 * and customers as the installation wants named.
 */
export class Metrics {
  readonly registry = new Registry();
  readonly #failures: Counter;
  readonly #writes: Counter;
  readonly #spending: CallMetrics;
  readonly #logged: Counter;
  readonly #deadLetters: Counter;

  constructor(sources: Sources, limits: NameLimits) {
    const registers = [this.registry];
    this.#spending = new CallMetrics(this.registry, limits.namedUsers);
    this.#failures = new Counter({
      name: 'tollgate_reconcile_failures_total',
      help: 'Passes of a reconciler that failed and are made again.',
      labelNames: ['reconciler'],
      registers,
    });
    this.#writes = new Counter({
      name: 'tollgate_status_writes_total',
      help: 'Statuses that were written.',
      labelNames: ['kind'],
      registers,
    });
    this.#logged = new Counter({
      name: 'tollgate_usage_log_rows_total',
      help: 'Calls that were written into the usage log, or written anew because more is known of their cost.',
      registers,
    });
    this.#deadLetters = new Counter({
      name: 'tollgate_usage_log_dead_letters_total',
      help: 'Usage records and rows of refusals that could not be written, or not whole (table dead_letters).',
      registers,
    });
    this.#gauge('tollgate_usage_stream_length', 'Usage records that wait in the ledger.', sources.recordsWaiting);
    this.#gauge('tollgate_usage_stream_limit', 'How many may wait before calls are refused.', sources.recordLimit);
    this.#gauge('tollgate_usage_log_lag_seconds', 'For how long the oldest of them has waited.', sources.lagSeconds);
    this.#gauge('tollgate_leader', 'Whether this replica is the one that writes.', () => Number(sources.isLeader()));
    this.#gauge('tollgate_price_book_invalid', "Whether the administrator's own price book is not used.", () =>
      Number(sources.isPriceBookInvalid()),
    );
    this.#gauge('tollgate_ledger_lost', 'Whether the ledger waits for a person to confirm it.', () =>
      Number(sources.isLedgerLost()),
    );
    this.#gauge('tollgate_open_batches', 'Message Batches whose cost is not booked yet.', () => sources.batches().open);
    this.#gauge(
      'tollgate_oldest_batch_seconds',
      'How long ago the oldest of them was admitted.',
      () => sources.batches().oldestSeconds,
    );
    this.#gauge('tollgate_ledger_recovering', 'Whether the ledger is made whole; calls wait meanwhile.', () =>
      Number(sources.isLedgerRecovering()),
    );
    const { queues } = sources;
    const depth = 'Keys that wait for a reconciler or are with one.';
    this.#queueGauge('tollgate_work_queue_depth', depth, queues, (queue) => queue.depth);
    const longest = 'For how long the longest pass of a reconciler that is under way has taken; 0 where none is.';
    this.#queueGauge('tollgate_work_queue_longest_running_seconds', longest, queues, (queue) => queue.longestMs / 1000);
    measureResources(this.registry, sources);
    measureSpenders(this.registry, sources.survey, limits);
    collectDefaultMetrics({ register: this.registry });
  }

  /** Lines of batches that this replica booked. */
  countBatch(lines: readonly BatchLine[]): void {
    for (const { record, model, ...billed } of lines) {
      const { workspace, feature, department, user } = record;
      const spender = {
        workspace: workspace ?? '',
        feature: feature ?? '',
        department: department ?? '',
        user: user ?? '',
        model,
      };
      this.#spending.countCall(spender, 'Batched');
      this.#spending.countBilled(spender, billed);
    }
  }

  countFailure(reconciler: string): void {
    this.#failures.inc({ reconciler });
  }

  countWrite(kind: string): void {
    this.#writes.inc({ kind });
  }

  countLogged(rows: number): void {
    this.#logged.inc(rows);
  }

  countDeadLetters(count: number): void {
    this.#deadLetters.inc(count);
  }

  #gauge(name: string, help: string, read: () => number): void {
    const gauge: Gauge = new Gauge({ name, help, registers: [this.registry], collect: () => gauge.set(read()) });
  }

  #queueGauge(name: string, help: string, queues: Sources['queues'], read: (queue: Queue) => number): void {
    const gauge: Gauge = new Gauge({
      name,
      help,
      labelNames: ['reconciler'],
      registers: [this.registry],
      collect: () => {
        for (const [reconciler, queue] of Object.entries(queues)) gauge.set({ reconciler }, read(queue));
      },
    });
  }
}

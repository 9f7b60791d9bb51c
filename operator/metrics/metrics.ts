import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { Corrected } from '../../log/corrections.ts';
import { CallMetrics, dollars } from '../../metrics/call-metrics.ts';
import { type Nano, subtract } from '../../policy/core/money.ts';
import type { BatchLine } from '../../policy/cost/batch-result.ts';
import { measureResources, type Resources } from './resource-metrics.ts';
import { measureSpenders, type NameLimits } from './spender-metrics.ts';
import type { SpenderTotals } from './top-spenders.ts';

interface Queue {
  readonly depth: number;
  readonly longestMs: number;
}

/** What the gauges show, read at each scrape. */
export interface GaugeSources extends Resources {
  readonly isLeader: () => boolean;
  readonly queues: Readonly<Record<string, Queue>>;
  readonly isPriceBookInvalid: () => boolean;
  readonly isLedgerLost: () => boolean;
  readonly isLedgerRecovering: () => boolean;
  /** Usage records in the ledger's stream, and how many it may hold. */
  readonly streamLength: () => number;
  readonly streamLimit: number;
  /** For how long the oldest record of the stream has waited. */
  readonly lagSeconds: () => number;
  readonly batches: () => { readonly open: number; readonly elsewhere: number; readonly oldestSeconds: number };
  /** Null where this replica does not know. */
  readonly topSpenders: () => SpenderTotals | null;
}

/**
 * The operator's metrics. Their labels are namespaces and names of resources, words of closed lists, and as many users
 * and customers as the settings allow to name.
 */
export class Metrics {
  readonly registry = new Registry();
  readonly #limits: NameLimits;
  readonly #spending: CallMetrics;
  readonly #failures = this.#counter(
    'tollgate_reconcile_failures_total',
    'Failed runs of a reconciler; they are retried.',
    'reconciler',
  );
  readonly #writes = this.#counter('tollgate_status_writes_total', 'Status writes to the API server.', 'kind');
  readonly #logged = this.#counter(
    'tollgate_usage_log_rows_total',
    'Rows written to the usage log, or replaced because more became known of their cost.',
  );
  readonly #deadLetters = this.#counter(
    'tollgate_usage_log_dead_letters_total',
    'Usage records and refusal counts that could not be written, or not completely (table dead_letters).',
  );
  readonly #released = this.#counter(
    'tollgate_presumed_released_usd_total',
    'Presumed money that was released by itself, in US dollars: calls that something in front of the upstream answered at once, without content. If the upstream did bill them, this much is missing from the budgets.',
  );
  readonly #corrected = this.#counter(
    'tollgate_corrected_usd_total',
    'What people have corrected calls by, in US dollars: `direction` is `GivenBack` or `Added`.',
    'direction',
  );

  constructor(limits: NameLimits) {
    this.#limits = limits;
    this.#spending = new CallMetrics(this.registry, limits.namedUsers);
  }

  /** Registers the gauges; call it once, before the first scrape. */
  observe(sources: GaugeSources): void {
    const { queues } = sources;
    this.#gauge(
      'tollgate_usage_stream_length',
      'Usage records that wait in the ledger for the usage log.',
      sources.streamLength,
    );
    this.#gauge(
      'tollgate_usage_stream_limit',
      'How many records may wait before calls are refused (setting `usageStreamLimit`).',
      () => sources.streamLimit,
    );
    this.#gauge(
      'tollgate_usage_log_lag_seconds',
      'How long the oldest waiting usage record has waited, in seconds.',
      sources.lagSeconds,
    );
    this.#flag('tollgate_leader', '1 if this replica leads, else 0.', sources.isLeader);
    this.#flag(
      'tollgate_price_book_invalid',
      "1 if the administrator's price book is invalid and not used, else 0.",
      sources.isPriceBookInvalid,
    );
    this.#flag('tollgate_ledger_lost', '1 if the ledger must be confirmed by a person, else 0.', sources.isLedgerLost);
    this.#gauge('tollgate_open_batches', 'Message Batches that are not settled yet.', () => sources.batches().open);
    this.#gauge(
      'tollgate_batches_elsewhere',
      'Open Message Batches that are not followed, because they are at another upstream than the one of their workspace.',
      () => sources.batches().elsewhere,
    );
    this.#gauge(
      'tollgate_oldest_batch_seconds',
      'Age of the oldest Message Batch that is not settled, in seconds.',
      () => sources.batches().oldestSeconds,
    );
    this.#flag(
      'tollgate_ledger_recovering',
      '1 while the ledger recovers and calls wait, else 0.',
      sources.isLedgerRecovering,
    );
    const depth = 'Keys that wait for a reconciler or are being reconciled.';
    this.#queueGauge('tollgate_work_queue_depth', depth, queues, (queue) => queue.depth);
    const longest = 'How long the longest current run of a reconciler has taken, in seconds; 0 if none runs.';
    this.#queueGauge('tollgate_work_queue_longest_running_seconds', longest, queues, (queue) => queue.longestMs / 1000);
    measureResources(this.registry, sources);
    measureSpenders(this.registry, sources.topSpenders, this.#limits);
    collectDefaultMetrics({ register: this.registry });
  }

  countBatchLines(lines: readonly BatchLine[]): void {
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

  countReleased(amount: Nano): void {
    this.#released.inc(dollars(amount));
  }

  countCorrected(corrected: readonly Corrected[]): void {
    for (const { fromNano, costNano } of corrected) {
      const givenBack = dollars(subtract(fromNano, costNano));
      if (givenBack !== 0)
        this.#corrected.inc({ direction: givenBack > 0 ? 'GivenBack' : 'Added' }, Math.abs(givenBack));
    }
  }

  countLogged(rows: number): void {
    this.#logged.inc(rows);
  }

  countDeadLetters(count: number): void {
    this.#deadLetters.inc(count);
  }

  #counter(name: string, help: string, ...labelNames: string[]): Counter {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }

  #gauge(name: string, help: string, read: () => number): void {
    const gauge: Gauge = new Gauge({ name, help, registers: [this.registry], collect: () => gauge.set(read()) });
  }

  #flag(name: string, help: string, read: () => boolean): void {
    this.#gauge(name, help, () => Number(read()));
  }

  #queueGauge(name: string, help: string, queues: GaugeSources['queues'], read: (queue: Queue) => number): void {
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

import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { ClaudeBudget } from '../crds/types.gen.ts';
import { USD } from '../policy/money.ts';

/** What the gauges show, asked at each scrape. */
interface Sources {
  readonly isLeader: () => boolean;
  readonly depth: () => Readonly<Record<string, number>>;
  readonly budgets: () => readonly ClaudeBudget[];
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
}

/** The operator's metrics. Their labels are namespaces and names of resources, and words of closed lists. */
export class Metrics {
  readonly registry = new Registry();
  readonly #failures: Counter;
  readonly #writes: Counter;
  readonly #batchCost: Counter;
  readonly #logged: Counter;
  readonly #letters: Counter;

  constructor(sources: Sources) {
    const registers = [this.registry];
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
      name: 'tollgate_log_rows_total',
      help: 'Calls that were written into the usage log, or written anew because more is known of their cost.',
      registers,
    });
    this.#letters = new Counter({
      name: 'tollgate_log_dead_letters_total',
      help: 'Usage records of which no row could be made, or not all of one (table dead_letters).',
      registers,
    });
    this.#gauge('tollgate_log_stream_length', 'Usage records that wait in the ledger.', sources.recordsWaiting);
    this.#gauge('tollgate_log_stream_limit', 'How many may wait before calls are refused.', sources.recordLimit);
    this.#gauge('tollgate_log_lag_seconds', 'For how long the oldest of them has waited.', sources.lagSeconds);
    this.#batchCost = new Counter({
      name: 'tollgate_batch_cost_usd_total',
      help: 'What requests of batches cost, in US dollars, as booked by this replica.',
      labelNames: ['workspace'],
      registers,
    });
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
    this.#depth(sources.depth);
    this.#money('tollgate_budget_limit_usd', 'The limit in force, as the status shows it.', sources, 'limitUsd');
    this.#money('tollgate_budget_spent_usd', 'Settled in the period, as the status shows it.', sources, 'spentUsd');
    this.#money('tollgate_budget_presumed_usd', 'Held for calls whose cost is not known.', sources, 'presumedUsd');
    collectDefaultMetrics({ register: this.registry });
  }

  /** Nano-dollars. */
  countBatch(workspace: string, costNano: bigint): void {
    this.#batchCost.inc({ workspace }, Number(costNano) / Number(USD));
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

  countLetters(letters: number): void {
    this.#letters.inc(letters);
  }

  #gauge(name: string, help: string, read: () => number): void {
    const gauge: Gauge = new Gauge({ name, help, registers: [this.registry], collect: () => gauge.set(read()) });
  }

  #depth(read: Sources['depth']): void {
    const gauge: Gauge = new Gauge({
      name: 'tollgate_queue_depth',
      help: 'Keys that wait for a reconciler or are with one.',
      labelNames: ['reconciler'],
      registers: [this.registry],
      collect: () => {
        for (const [reconciler, depth] of Object.entries(read())) gauge.set({ reconciler }, depth);
      },
    });
  }

  #money(name: string, help: string, { budgets }: Sources, field: 'limitUsd' | 'spentUsd' | 'presumedUsd'): void {
    const gauge: Gauge = new Gauge({
      name,
      help,
      labelNames: ['namespace', 'budget'],
      registers: [this.registry],
      collect: () => {
        gauge.reset();
        for (const { metadata, status } of budgets()) {
          const usd = status?.[field];
          if (usd !== undefined) gauge.set({ namespace: metadata.namespace, budget: metadata.name }, Number(usd));
        }
      },
    });
  }
}

import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { ClaudeBudget } from '../crds/types.gen.ts';

/** What the gauges show, asked at each scrape. */
interface Sources {
  readonly isLeader: () => boolean;
  readonly depth: () => Readonly<Record<string, number>>;
  readonly budgets: () => readonly ClaudeBudget[];
  readonly isPriceBookInvalid: () => boolean;
  readonly isLedgerLost: () => boolean;
}

/** The operator's metrics. Their labels are namespaces and names of resources, and words of closed lists. */
export class Metrics {
  readonly registry = new Registry();
  readonly #failures: Counter;
  readonly #writes: Counter;

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
    this.#gauge('tollgate_leader', 'Whether this replica is the one that writes.', () => Number(sources.isLeader()));
    this.#gauge('tollgate_price_book_invalid', "Whether the administrator's own price book is not used.", () =>
      Number(sources.isPriceBookInvalid()),
    );
    this.#gauge('tollgate_ledger_lost', 'Whether the ledger waits for a person to confirm it.', () =>
      Number(sources.isLedgerLost()),
    );
    this.#depth(sources.depth);
    this.#money('tollgate_budget_limit_usd', 'The limit in force, as the status shows it.', sources, 'limitUsd');
    this.#money('tollgate_budget_spent_usd', 'Settled in the period, as the status shows it.', sources, 'spentUsd');
    this.#money('tollgate_budget_presumed_usd', 'Held for calls whose cost is not known.', sources, 'presumedUsd');
    collectDefaultMetrics({ register: this.registry });
  }

  countFailure(reconciler: string): void {
    this.#failures.inc({ reconciler });
  }

  countWrite(kind: string): void {
    this.#writes.inc({ kind });
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

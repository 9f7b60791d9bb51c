import type { Metric, Registry } from 'prom-client';

/** One series at one moment. The same labels should be the same object at each scrape: how they are written is kept. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What a gauge shows. */
export interface Description {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
}

const NONE = {};

/**
 * Registers a gauge whose series are listed anew at each scrape. A gauge of prom-client's own keeps an entry for each and
 * writes its labels each time, which for tens of thousands of budgets costs seconds and 200 MB.
 */
export function registerLiveGauge(registry: Registry, description: Description, list: () => readonly Series[]): void {
  const shown = (values: readonly object[]) => ({ ...description, type: 'gauge', aggregator: 'sum', values });
  const gauge = {
    ...description,
    type: 'gauge',
    get: async () => shown(list()),
    getForPromString: async () => {
      return shown(list().map(({ labels, value }) => ({ labels: NONE, sharedLabels: labels, value })));
    },
    reset: () => undefined,
  };
  registry.registerMetric(gauge as unknown as Metric);
}

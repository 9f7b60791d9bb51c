import { type Attributes, type HrTime, ValueType } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import type { CollectionResult, DataPoint, Histogram, MetricData, MetricProducer } from '@opentelemetry/sdk-metrics';
import { AggregationTemporality, DataPointType } from '@opentelemetry/sdk-metrics';
import type { Registry } from 'prom-client';

/** A sample of a registry. `metricName` tells the buckets, the sum and the count of a histogram apart. */
interface Sample {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number | undefined>>;
  readonly metricName?: string;
}

type Metric = Awaited<ReturnType<Registry['getMetricsAsJSON']>>[number];

/** Exports the metrics of /metrics by OTLP under the same names, so that everything is measured only once. */
export class PrometheusBridge implements MetricProducer {
  readonly #registry: Pick<Registry, 'getMetricsAsJSON'>;
  readonly #resource: Resource;
  readonly #started: HrTime;
  readonly #clock: () => number;

  /** `clock`: milliseconds since the epoch. Created when the counters are at zero. */
  constructor(registry: Pick<Registry, 'getMetricsAsJSON'>, resource: Resource, clock: () => number) {
    this.#registry = registry;
    this.#resource = resource;
    this.#clock = clock;
    this.#started = hrTime(clock());
  }

  async collect(): Promise<CollectionResult> {
    const span = { startTime: this.#started, endTime: hrTime(this.#clock()) };
    const metrics = (await this.#registry.getMetricsAsJSON()).flatMap((metric) => dataOf(metric, span) ?? []);
    const scopeMetrics = [{ scope: { name: 'tollgate' }, metrics }];
    return { resourceMetrics: { resource: this.#resource, scopeMetrics }, errors: [] };
  }
}

type Span = Pick<DataPoint<number>, 'startTime' | 'endTime'>;

/** Undefined for a summary, which Tollgate does not use. */
function dataOf({ name, help, type, values }: Metric, span: Span): MetricData | undefined {
  const samples = values as readonly Sample[];
  const base = {
    descriptor: { name, description: help, unit: '', valueType: ValueType.DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  };
  // At run time prom-client's enumeration holds strings, which its types do not show.
  switch (String(type)) {
    case 'counter':
      return { ...base, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints: numbers(samples, span) };
    case 'gauge':
      return { ...base, dataPointType: DataPointType.GAUGE, dataPoints: numbers(samples, span) };
    case 'histogram':
      return { ...base, dataPointType: DataPointType.HISTOGRAM, dataPoints: histograms(name, samples, span) };
    default:
      return undefined;
  }
}

function numbers(samples: readonly Sample[], span: Span): DataPoint<number>[] {
  return samples.map(({ labels, value }) => ({ ...span, attributes: attributesOf(labels), value }));
}

function histograms(name: string, samples: readonly Sample[], span: Span): DataPoint<Histogram>[] {
  const groups = Map.groupBy(samples, ({ labels }) => JSON.stringify(attributesOf(labels)));
  return [...groups.values()].map((group) => {
    const buckets = group.filter(({ metricName }) => metricName === `${name}_bucket`);
    const value = (part: string): number =>
      group.find(({ metricName }) => metricName === `${name}_${part}`)?.value ?? 0;
    return {
      ...span,
      attributes: attributesOf(group[0]!.labels),
      value: {
        buckets: {
          boundaries: buckets.map(({ labels }) => Number(labels['le'])).filter(Number.isFinite),
          // Prometheus counts everything up to a boundary, OTLP only what is between two.
          counts: buckets.map(({ value }, index) => value - (buckets[index - 1]?.value ?? 0)),
        },
        sum: value('sum'),
        count: value('count'),
      },
    };
  });
}

/** `le`, the boundary of a bucket, is not an attribute. */
function attributesOf(labels: Sample['labels']): Attributes {
  return Object.fromEntries(Object.entries(labels).filter(([name]) => name !== 'le'));
}

function hrTime(ms: number): HrTime {
  return [Math.floor(ms / 1000), Math.round((ms % 1000) * 1e6)];
}

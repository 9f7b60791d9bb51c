import { diag, type DiagLogger, DiagLogLevel } from '@opentelemetry/api';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import type { Resource } from '@opentelemetry/resources';
import { detectResources, envDetector, resourceFromAttributes, serviceNameEnvDetector } from '@opentelemetry/resources';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import type { Registry } from 'prom-client';
import { PrometheusBridge } from './prometheus-bridge.ts';
import { SpanExporter } from './span-exporter.ts';

export interface OtlpExporterOptions {
  /** The service's name, such as `tollgate-gateway`; OTEL_SERVICE_NAME overrides it. */
  readonly service: string;
  readonly version: string;
  /** The Pod's name. */
  readonly pod: string;
  /** How often metrics are sent. Milliseconds. */
  readonly intervalMs: number;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** Something could not be sent, and was dropped. */
  readonly onProblem: (problem: string) => void;
}

/** How long the last export may delay the end of the process. Milliseconds. */
const FLUSH_TIMEOUT_MS = 3_000;

/**
 * Exports metrics and spans by OTLP over HTTP. OpenTelemetry's own variables (`OTEL_EXPORTER_OTLP_ENDPOINT`, `…_HEADERS`,
 * `…_CERTIFICATE`) say where they go; its exporters read them.
 */
export class OtlpExporter {
  readonly spans: SpanExporter;
  readonly #options: OtlpExporterOptions;
  readonly #resource: Resource;
  #meters: MeterProvider | null = null;

  constructor(options: OtlpExporterOptions) {
    const { service, version, pod, onProblem } = options;
    diag.setLogger(problemLogger(onProblem), { logLevel: DiagLogLevel.ERROR, suppressOverrideMessage: true });
    const attributes = {
      'service.name': service,
      'service.version': version,
      'service.instance.id': pod,
      'k8s.pod.name': pod,
    };
    const detected = detectResources({ detectors: [envDetector, serviceNameEnvDetector] });
    this.#options = options;
    this.#resource = resourceFromAttributes(attributes).merge(detected);
    this.spans = new SpanExporter(this.#resource);
  }

  /** Exports the metrics of a registry every `intervalMs`. */
  measure(registry: Pick<Registry, 'getMetricsAsJSON'>): void {
    const { intervalMs, clock } = this.#options;
    const reader = new PeriodicExportingMetricReader({
      exporter: new OTLPMetricExporter(),
      metricProducers: [new PrometheusBridge(registry, this.#resource, clock)],
      exportIntervalMillis: intervalMs,
      exportTimeoutMillis: Math.min(intervalMs, 10_000),
    });
    this.#meters = new MeterProvider({ resource: this.#resource, readers: [reader] });
  }

  /** Sends what is left, for at most `FLUSH_TIMEOUT_MS`. */
  async stop(): Promise<void> {
    const sent = Promise.allSettled([this.#meters?.shutdown(), this.spans.stop()]);
    await Promise.race([sent, new Promise((resolve) => setTimeout(resolve, FLUSH_TIMEOUT_MS).unref())]);
  }
}

/** Reports the message of an error, without passwords in URLs. */
function problemLogger(onProblem: (problem: string) => void): DiagLogger {
  const error = (message: string, ...rest: unknown[]): void => {
    const text = [message, ...rest].map((each) => (each instanceof Error ? each.message : String(each))).join(' ');
    onProblem(text.replaceAll(/\/\/[^@/\s]*@/g, '//').slice(0, 300));
  };
  const nothing = (): void => undefined;
  return { error, warn: nothing, info: nothing, debug: nothing, verbose: nothing };
}

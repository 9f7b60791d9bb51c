import { diag, type DiagLogger, DiagLogLevel } from '@opentelemetry/api';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import {
  detectResources,
  envDetector,
  type Resource,
  resourceFromAttributes,
  serviceNameEnvDetector,
} from '@opentelemetry/resources';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import type { Registry } from 'prom-client';
import { PrometheusBridge } from './prometheus-bridge.ts';
import { Spans } from './spans.ts';

interface TelemetryOptions {
  /** Which entry this is, such as `tollgate-gateway`; OTEL_SERVICE_NAME overrides it. */
  readonly service: string;
  readonly version: string;
  /** The Pod's name. */
  readonly pod: string;
  /** How often metrics are sent. Milliseconds. */
  readonly intervalMs: number;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** Something could not be sent; it is not tried for ever. */
  readonly onProblem: (problem: string) => void;
}

/** How long what is left may take to be sent when the process ends. Milliseconds. */
const LAST_MS = 3_000;

/**
 * Metrics and spans by OTLP over HTTP. Where they go is said by the variables that OpenTelemetry has for it
 * (`OTEL_EXPORTER_OTLP_ENDPOINT`, `…_HEADERS`, `…_CERTIFICATE`), which its exporters read.
 */
export class Telemetry {
  readonly spans: Spans;
  readonly #options: TelemetryOptions;
  readonly #resource: Resource;
  #meters: MeterProvider | null = null;

  constructor(options: TelemetryOptions) {
    const { service, version, pod, onProblem } = options;
    diag.setLogger(problemLogger(onProblem), { logLevel: DiagLogLevel.ERROR, suppressOverrideMessage: true });
    const own = {
      'service.name': service,
      'service.version': version,
      'service.instance.id': pod,
      'k8s.pod.name': pod,
    };
    const told = detectResources({ detectors: [envDetector, serviceNameEnvDetector] });
    this.#options = options;
    this.#resource = resourceFromAttributes(own).merge(told);
    this.spans = new Spans(this.#resource);
  }

  /** Sends what a registry shows, now and then. */
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

  /** Sends what is left, as far as it can be sent in a moment. */
  async stop(): Promise<void> {
    const sent = Promise.allSettled([this.#meters?.shutdown(), this.spans.stop()]);
    await Promise.race([sent, new Promise((resolve) => setTimeout(resolve, LAST_MS).unref())]);
  }
}

/** Of a problem its sentence; a password in a URL is not shown. */
function problemLogger(onProblem: (problem: string) => void): DiagLogger {
  const error = (message: string, ...rest: unknown[]): void => {
    const said = [message, ...rest].map((each) => (each instanceof Error ? each.message : String(each))).join(' ');
    onProblem(said.replaceAll(/\/\/[^@/\s]*@/g, '//').slice(0, 300));
  };
  const nothing = (): void => undefined;
  return { error, warn: nothing, info: nothing, debug: nothing, verbose: nothing };
}

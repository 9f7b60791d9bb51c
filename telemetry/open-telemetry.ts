import type { Telemetry } from './telemetry.ts';

/** What of the environment decides whether and how telemetry is sent; the exporters read the rest of it. */
export interface TelemetryEnvironment {
  readonly OTEL_EXPORTER_OTLP_ENDPOINT?: string | undefined;
  readonly OTEL_EXPORTER_OTLP_PROTOCOL?: string | undefined;
  readonly OTEL_METRIC_EXPORT_INTERVAL?: string | undefined;
}

interface OpenOptions {
  /** Which entry this is, such as `tollgate-gateway`. */
  readonly service: string;
  readonly version: string;
  /** The Pod's name. */
  readonly pod: string;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** Something could not be sent. Called once a minute at most. */
  readonly onProblem: (problem: string) => void;
}

const MINUTE_MS = 60_000;

/**
 * Null where `OTEL_EXPORTER_OTLP_ENDPOINT` is not set: then nothing of OpenTelemetry is loaded.
 * @throws Error that says what to write where a variable is wrong.
 */
export async function openTelemetry(env: TelemetryEnvironment, options: OpenOptions): Promise<Telemetry | null> {
  if (!env.OTEL_EXPORTER_OTLP_ENDPOINT) return null;
  const protocol = env.OTEL_EXPORTER_OTLP_PROTOCOL || 'http/protobuf';
  if (protocol !== 'http/protobuf') {
    throw new Error(`OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf (port 4318 of collectors), not "${protocol}"`);
  }
  const interval = env.OTEL_METRIC_EXPORT_INTERVAL || String(MINUTE_MS);
  if (!/^[1-9]\d{2,7}$/.test(interval)) {
    throw new Error(`OTEL_METRIC_EXPORT_INTERVAL must be milliseconds, 100 at least, not "${interval}"`);
  }
  const { Telemetry } = await import('./telemetry.ts');
  return new Telemetry({ ...options, onProblem: atMostEachMinute(options), intervalMs: Number(interval) });
}

function atMostEachMinute({ clock, onProblem }: OpenOptions): (problem: string) => void {
  let last = -Infinity;
  return (problem) => {
    if (clock() - last < MINUTE_MS) return;
    last = clock();
    onProblem(problem);
  };
}

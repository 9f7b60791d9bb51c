import type { Telemetry } from './telemetry.ts';

interface OpenOptions {
  /** The service's name, such as `tollgate-gateway`. */
  readonly service: string;
  readonly version: string;
  /** The Pod's name. */
  readonly pod: string;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** Something could not be sent. Called at most once a minute. */
  readonly onProblem: (problem: string) => void;
}

const MINUTE_MS = 60_000;

/** Returns null if no telemetry is sent; OpenTelemetry is not loaded then. */
export async function openTelemetry(
  config: { readonly intervalMs: number } | null,
  options: OpenOptions,
): Promise<Telemetry | null> {
  if (config === null) return null;
  const { Telemetry } = await import('./telemetry.ts');
  return new Telemetry({ ...options, ...config, onProblem: atMostEachMinute(options) });
}

function atMostEachMinute({ clock, onProblem }: OpenOptions): (problem: string) => void {
  let last = -Infinity;
  return (problem) => {
    if (clock() - last < MINUTE_MS) return;
    last = clock();
    onProblem(problem);
  };
}

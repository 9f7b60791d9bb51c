import type { Telemetry, TelemetryOptions } from './telemetry.ts';

type OpenOptions = Omit<TelemetryOptions, 'intervalMs'>;

const MINUTE_MS = 60_000;

/** Null if no telemetry is sent; OpenTelemetry is not loaded then. Calls `onProblem` at most once a minute. */
export async function openTelemetry(
  config: Pick<TelemetryOptions, 'intervalMs'> | null,
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

import type { OtlpExporter, OtlpExporterOptions } from './otlp-exporter.ts';

type StartOptions = Omit<OtlpExporterOptions, 'intervalMs'>;

const MINUTE_MS = 60_000;

/** Null if no telemetry is sent; OpenTelemetry is not loaded then. Calls `onProblem` at most once a minute. */
export async function startTelemetry(
  config: Pick<OtlpExporterOptions, 'intervalMs'> | null,
  options: StartOptions,
): Promise<OtlpExporter | null> {
  if (config === null) return null;
  const { OtlpExporter } = await import('./otlp-exporter.ts');
  return new OtlpExporter({ ...options, ...config, onProblem: atMostEachMinute(options) });
}

function atMostEachMinute({ clock, onProblem }: StartOptions): (problem: string) => void {
  let last = -Infinity;
  return (problem) => {
    if (clock() - last < MINUTE_MS) return;
    last = clock();
    onProblem(problem);
  };
}

import { cpus, totalmem } from 'node:os';

/** One row of the table: what was promised, what was measured, and whether the promise holds. */
export interface Figure {
  what: string;
  promised: string;
  measured: string;
  holds: boolean;
}

/** The figures as a Markdown table. */
export function table(figures: readonly Figure[]): string {
  const lines = figures.map(
    ({ what, promised, measured, holds }) => `| ${what} | ${promised} | ${measured} | ${holds ? 'yes' : '**no**'} |`,
  );
  return ['| what | promised | measured | holds |', '| --- | --- | --- | --- |', ...lines].join('\n');
}

/** The machine, in one line. */
export function machine(): string {
  const [first] = cpus();
  return `${cpus().length} cores (${first?.model.trim() ?? 'unknown'}), ${Math.round(totalmem() / 2 ** 30)} GB, Node ${process.version}`;
}

/** The value below which that share of the values lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

/** Milliseconds, rounded for display. */
export function ms(value: number): string {
  return value < 10 ? `${value.toFixed(2)} ms` : `${Math.round(value)} ms`;
}

import { escapeText } from '../../policy/core/plain-text.ts';

/** A row of an answer, by column. */
export type Row = Readonly<Record<string, unknown>>;

/** The rows as kubectl prints them: one line each, below the names of the columns. */
export function textTable(rows: readonly Row[]): string {
  if (rows.length === 0) return 'No rows.\n';
  const columns = Object.keys(rows[0]!);
  const lines = [
    columns.map((name) => name.toUpperCase()),
    ...rows.map((row) => columns.map((name) => cell(row[name]))),
  ];
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  return lines
    .map(
      (line) =>
        `${line
          .map((text, i) => text.padEnd(widths[i]!))
          .join('   ')
          .trimEnd()}\n`,
    )
    .join('');
}

/** The rows for programs; amounts and large numbers are strings, so that nothing is rounded. */
export function jsonRows(rows: readonly Row[]): string {
  return `${JSON.stringify(rows, undefined, 2)}\n`;
}

function cell(value: unknown): string {
  if (value === null || value === undefined || value === '') return '-';
  if (value instanceof Date) return value.toISOString();
  return escapeText(typeof value === 'string' ? value : JSON.stringify(value));
}

import { counted, type Level } from './finding.ts';
import type { Diagnosis } from './run-checks.ts';

const LABELS: Readonly<Record<Level, string>> = { Fine: 'ok', Unknown: '?', Warning: 'warning', Problem: 'PROBLEM' };

/** The report for people: one line for each finding, its remedy below it, and the counts in the last line. */
export function textReport(diagnoses: readonly Diagnosis[]): string {
  const lines = diagnoses.flatMap(({ level, check, message, remedy }) => [
    `${LABELS[level].padEnd(8)} ${check.padEnd(11)} ${message}`,
    ...(remedy === '' ? [] : [`${' '.repeat(21)}→ ${remedy}`]),
  ]);
  return [...lines, '', summary(diagnoses), ''].join('\n');
}

/** The report for programs, as JSON. */
export function jsonReport(diagnoses: readonly Diagnosis[], namespace: string, version: string): string {
  const { Problem, Warning, Unknown } = counts(diagnoses);
  const report = { version, namespace, problems: Problem, warnings: Warning, unknown: Unknown, findings: diagnoses };
  return `${JSON.stringify(report, undefined, 2)}\n`;
}

/** 1 if there is a problem, else 0. */
export function exitCode(diagnoses: readonly Diagnosis[]): number {
  return counts(diagnoses).Problem === 0 ? 0 : 1;
}

function summary(diagnoses: readonly Diagnosis[]): string {
  const { Problem, Warning, Unknown } = counts(diagnoses);
  if (Problem + Warning + Unknown === 0) return 'No problems found.';
  const parts = [
    counted(Problem, 'problem'),
    counted(Warning, 'warning'),
    ...(Unknown === 0 ? [] : [`${Unknown} not checked`]),
  ];
  return `${parts.join(', ')}.`;
}

function counts(diagnoses: readonly Diagnosis[]): Record<Level, number> {
  const found = { Fine: 0, Unknown: 0, Warning: 0, Problem: 0 };
  for (const { level } of diagnoses) found[level] += 1;
  return found;
}

import type { Diagnosis } from './doctor.ts';
import type { Level } from './finding.ts';

const WORDS: Readonly<Record<Level, string>> = { Fine: 'ok', Unknown: '?', Warning: 'warning', Problem: 'PROBLEM' };

/** For people: a line for each finding, what to do below it, and the sum in the last line. */
export function textReport(diagnoses: readonly Diagnosis[]): string {
  const lines = diagnoses.flatMap(({ level, check, message, remedy }) => [
    `${WORDS[level].padEnd(8)} ${check.padEnd(11)} ${message}`,
    ...(remedy === '' ? [] : [`${' '.repeat(21)}→ ${remedy}`]),
  ]);
  return [...lines, '', summary(diagnoses), ''].join('\n');
}

/** For programs. */
export function jsonReport(diagnoses: readonly Diagnosis[], namespace: string, version: string): string {
  const { Problem, Warning, Unknown } = counts(diagnoses);
  const report = { version, namespace, problems: Problem, warnings: Warning, unknown: Unknown, findings: diagnoses };
  return `${JSON.stringify(report, undefined, 2)}\n`;
}

/** 0 where nothing must be done, else 1. */
export function exitCode(diagnoses: readonly Diagnosis[]): number {
  return counts(diagnoses).Problem === 0 ? 0 : 1;
}

function summary(diagnoses: readonly Diagnosis[]): string {
  const { Problem, Warning, Unknown } = counts(diagnoses);
  if (Problem + Warning + Unknown === 0) return 'All is well.';
  const parts = [
    Problem === 1 ? '1 problem' : `${Problem} problems`,
    Warning === 1 ? '1 warning' : `${Warning} warnings`,
    ...(Unknown === 0 ? [] : [`${Unknown} not seen from here`]),
  ];
  return `${parts.join(', ')}.`;
}

function counts(diagnoses: readonly Diagnosis[]): Record<Level, number> {
  const found = { Fine: 0, Unknown: 0, Warning: 0, Problem: 0 };
  for (const { level } of diagnoses) found[level] += 1;
  return found;
}

import { parse } from 'yaml';
import { chart, helm } from '../../../hack/generate/helm.ts';

/** A rule as Prometheus has it. */
export interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** What a rule file holds. */
export interface RuleFile {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[];
}

/** The rules that the chart makes, with values set as `helm --set` takes them. */
export function renderRules(...set: readonly string[]): RuleFile {
  const values = ['metrics.rules.enabled=true', ...set].flatMap((value) => ['--set', value]);
  const template = ['--show-only', 'templates/monitoring/prometheusrule.yaml'];
  const rendered = helm(['template', 'tollgate', chart, '--namespace', 'tollgate-system', ...template, ...values]);
  return (parse(rendered) as { spec: RuleFile }).spec;
}

/** The names of Tollgate's own metrics in a query, without what a histogram adds. */
export function metricsIn(query: string): readonly string[] {
  const names = query.replaceAll(/"[^"]*"/g, '').match(/(?<![\w:])(?:tollgate|gen_ai)_\w+(?![\w:])/g) ?? [];
  return names.map((name) => name.replace(/_(?:bucket|count|sum)$/, ''));
}

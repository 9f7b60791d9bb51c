import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse, stringify } from 'yaml';
import { promtool } from '../../../hack/assets/promtool.ts';
import { metricsIn, renderRules, type RuleFile } from './rules.ts';

const runbooks = join(import.meta.dirname, '../../../docs/runbooks');
const reference = readFileSync(join(import.meta.dirname, '../../../docs/reference/metrics.md'), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'tollgate-rules-'));
const tests = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.test.yaml'));

let rules: RuleFile;
let alerts: readonly string[];

beforeAll(() => {
  rules = renderRules();
  alerts = alertsOf(rules);
  writeFileSync(join(folder, 'rules.yaml'), stringify(rules));
  for (const name of tests) cpSync(join(import.meta.dirname, name), join(folder, name));
}, 600_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function alertsOf({ groups }: RuleFile): readonly string[] {
  return groups.flatMap((group) => group.rules.flatMap(({ alert }) => alert ?? []));
}

interface Expectation {
  readonly alertname: string;
  readonly exp_alerts: readonly unknown[];
}

test('promtool confirms when every alert fires and when it does not', () => {
  expect(promtool(folder, ['check', 'rules', 'rules.yaml'])).toContain('SUCCESS');
  expect(promtool(folder, ['test', 'rules', ...tests])).toContain('SUCCESS');
  const asked = tests.flatMap((name) => {
    const { tests: cases } = parse(readFileSync(join(folder, name), 'utf8')) as {
      tests: readonly { alert_rule_test: readonly Expectation[] }[];
    };
    return cases.flatMap(({ alert_rule_test: expectations }) => expectations);
  });
  const named = (isFiring: boolean) =>
    new Set(asked.filter((one) => one.exp_alerts.length > 0 === isFiring).map(({ alertname }) => alertname));
  expect([...named(true)].toSorted()).toEqual(alerts.toSorted());
  expect([...named(false)].toSorted()).toEqual(alerts.toSorted());
});

test('every alert has a severity, two sentences and a runbook that exists', () => {
  for (const { alert, labels, annotations } of rules.groups.flatMap((group) => group.rules)) {
    if (alert === undefined) continue;
    expect(labels?.['severity']).toMatch(/^(warning|critical|\{\{.*\}\})$/);
    expect(annotations).toMatchObject({ summary: expect.any(String), description: expect.stringMatching(/\.$/) });
    expect(annotations?.['runbook_url']).toMatch(new RegExp(`/docs/runbooks/${alert}\\.md$`));
    expect(existsSync(join(runbooks, `${alert}.md`)) ? '' : `there is no docs/runbooks/${alert}.md`).toBe('');
  }
});

test('every rule queries only metrics that exist', () => {
  const asked = rules.groups.flatMap((group) => group.rules.flatMap(({ expr }) => metricsIn(expr)));
  expect(asked.length).toBeGreaterThan(40);
  for (const name of asked) expect(reference).toContain(`\`${name}\``);
});

describe('the values of the chart', () => {
  const exprOf = (file: RuleFile, name: string) =>
    file.groups.flatMap((group) => group.rules).find(({ alert }) => alert === name)?.expr;

  test('change every threshold, and its sentences', () => {
    const values = parse(readFileSync(join(import.meta.dirname, '../../../charts/tollgate/values.yaml'), 'utf8')) as {
      metrics: { rules: { thresholds: Record<string, number | string> } };
    };
    const others = Object.entries(values.metrics.rules.thresholds).map(([name, value], index) => {
      if (name === 'callUsd') return { name, other: '30' };
      return { name, other: typeof value === 'number' ? `${7001 + index}` : `${7001 + index}s` };
    });
    const text = JSON.stringify(
      renderRules(...others.map(({ name, other }) => `metrics.rules.thresholds.${name}=${other}`)),
    );
    for (const { name, other } of others) expect(text.includes(other) ? '' : `${name} moves nothing`).toBe('');
    const moved = renderRules('metrics.rules.thresholds.tokensPerMinute=25000000');
    expect(exprOf(moved, 'HighTokenUsage')).toMatch(/> (25000000|2\.5e\+07)$/);
  });

  test('disable alerts by name, set the address of runbooks, and reject invalid values', () => {
    const fewer = renderRules('metrics.rules.disabled={TollgateExpensiveCall,HighTokenUsage}');
    expect(alertsOf(fewer)).toEqual(
      alerts.filter((name) => !['TollgateExpensiveCall', 'HighTokenUsage'].includes(name)),
    );
    const elsewhere = JSON.stringify(renderRules('metrics.rules.runbookURL=https://wiki.test/tollgate/'));
    expect(elsewhere).toContain('"runbook_url":"https://wiki.test/tollgate/HighTokenUsage.md"');
    expect(() => renderRules('metrics.rules.thresholds.callUsd=2')).toThrow('callUsd');
    expect(() => renderRules('metrics.rules.thresholds.tokens=2')).toThrow('tokens');
    expect(() => renderRules('metrics.rules.thresholds.callUsd=null')).toThrow(
      'metrics.rules.thresholds gives no value',
    );
  });
});

import type { Registry } from 'prom-client';
import type { ClaudeBudget, ClaudeWorkspace } from '../../crds/types.gen.ts';
import { keyOf } from '../../kube/object.ts';
import { modeAt } from '../../policy/core/budget-period.ts';
import type { BudgetMode } from '../../policy/core/compiled-policy.ts';
import { registerLiveGauge, type Series } from './live-gauge.ts';

export interface Resources {
  readonly budgets: () => readonly ClaudeBudget[];
  readonly workspaces: () => readonly ClaudeWorkspace[];
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** A figure from a budget's status; undefined where it is not there yet. */
type Figure = (budget: ClaudeBudget) => number | undefined;

/** Registers gauges of the figures in the statuses of budgets, and of the number of resources by condition. The label `budget` is `namespace/name`. */
export function measureResources(registry: Registry, resources: Resources): void {
  const budgets = new WeakMap<ClaudeBudget, string>();
  const labelsOf = (one: ClaudeBudget): Series['labels'] => {
    const known = budgets.get(one) ?? keyOf(one.metadata);
    budgets.set(one, known);
    return { budget: known, mode: modeOf(one, resources.now()) };
  };
  const budget = (name: string, help: string, figure: Figure) => {
    registerLiveGauge(registry, { name, help, labelNames: ['budget', 'mode'] }, () =>
      resources.budgets().flatMap((one) => {
        const value = figure(one);
        return value === undefined ? [] : { labels: labelsOf(one), value };
      }),
    );
  };
  budget('tollgate_budget_limit_usd', 'The limit in force, as in the status.', usd('limitUsd'));
  budget('tollgate_budget_spent_usd', 'What has settled in the period, as in the status.', usd('spentUsd'));
  budget('tollgate_budget_presumed_usd', 'Reserved for calls whose cost is not known.', usd('presumedUsd'));
  budget(
    'tollgate_budget_used_ratio',
    'The spent part of the limit, from 0 to 1; with `per`, that of the fullest value.',
    ({ status }) => (status?.percentUsed === undefined ? undefined : status.percentUsed / 100),
  );
  budget(
    'tollgate_budget_exhausted',
    '1 if calls are refused as spent, or would be in mode Observe (condition Exhausted), else 0.',
    ({ status }) => {
      const found = status?.conditions?.find(({ type }) => type === 'Exhausted');
      return found === undefined ? undefined : Number(found.status === 'True');
    },
  );
  budget(
    'tollgate_budget_period_start_timestamp_seconds',
    'When the current period began, in seconds since 1970.',
    ({ status }) => seconds(status?.period?.start),
  );
  budget(
    'tollgate_budget_period_end_timestamp_seconds',
    'When the current period ends, in seconds since 1970; absent if it never ends.',
    ({ status }) => seconds(status?.period?.end),
  );
  measureConditions(registry, resources);
}

function modeOf({ spec: { mode, observeUntilTime } }: ClaudeBudget, now: number): BudgetMode {
  return observeUntilTime === undefined ? mode : modeAt({ mode, observeUntil: Date.parse(observeUntilTime) }, now);
}

function measureConditions(registry: Registry, { budgets, workspaces }: Resources): void {
  const description = {
    name: 'tollgate_conditions',
    help: 'The number of resources with a condition, by its status and reason.',
    labelNames: ['kind', 'type', 'status', 'reason'],
  };
  registerLiveGauge(registry, description, () => {
    const counts = new Map<string, { readonly labels: Series['labels']; value: number }>();
    const count = (kind: string, resources: readonly (ClaudeBudget | ClaudeWorkspace)[]): void => {
      for (const { type, status, reason } of resources.flatMap((one) => one.status?.conditions ?? [])) {
        const name = `${kind} ${type} ${status} ${reason}`;
        const known = counts.get(name) ?? { labels: { kind, type, status, reason }, value: 0 };
        known.value += 1;
        counts.set(name, known);
      }
    };
    count('ClaudeBudget', budgets());
    count('ClaudeWorkspace', workspaces());
    return [...counts.values()];
  });
}

function usd(field: 'limitUsd' | 'spentUsd' | 'presumedUsd'): Figure {
  return ({ status }) => (status?.[field] === undefined ? undefined : Number(status[field]));
}

function seconds(instant: string | undefined): number | undefined {
  return instant === undefined ? undefined : Date.parse(instant) / 1000;
}

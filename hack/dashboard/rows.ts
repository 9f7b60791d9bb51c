import type { Panel, Query, Row } from './panel.ts';

/** The workspaces that the reader has chosen. */
const OF = 'workspace=~"$workspace"';
/** Calls that were sent upstream, or should have been. */
const TRIED = `${OF},ending!~"Refused|Batched"`;
const FAILED = `${OF},ending=~"Broken|ErrorFirst|ErrorStatus|ForeignStatus|NeverSent|Unavailable|Unreported"`;
const PAID = `${OF},ending!~"Refused|Unavailable|NeverSent"`;

const spent = (by: string, over: string): string =>
  `sum by (${by}) (increase(tollgate_cost_usd_total{${OF}}[${over}]))`;
const one = (expr: string): readonly Query[] => [{ expr }];

/** A ratio; without a value where the whole is 0. */
const ratio = (part: string, whole: string): string => `${part} / (${whole} > 0)`;

function stat(title: string, description: string, unit: Panel['unit'], expr: string, mark?: number): Panel {
  const panel = { title, description, unit, kind: 'stat', queries: one(expr), width: 4 } as const;
  return mark === undefined ? panel : { ...panel, mark };
}

/** The spend within the shown time, by the values of a label. */
function ranking(title: string, description: string, expr: string, legend: string): Panel {
  return { title, description, kind: 'ranking', unit: 'currencyUSD', queries: [{ expr, legend }], width: 8 };
}

const keyMetrics: Row = {
  title: 'Key metrics, last 24 hours',
  panels: [
    stat(
      'Spend',
      'The settled cost of the last 24 hours. Exact sums are in the status and in the usage log.',
      'currencyUSD',
      `sum(increase(tollgate_cost_usd_total{${OF}}[24h]))`,
    ),
    stat(
      'Cost of a call',
      'The average over all calls that cost something or were answered.',
      'currencyUSD',
      ratio(`sum(increase(tollgate_cost_usd_total{${OF}}[24h]))`, `sum(increase(tollgate_calls_total{${PAID}}[24h]))`),
    ),
    stat(
      'Output tokens per input token',
      'Should be below 2. Input includes reads from and writes to the prompt cache.',
      'none',
      ratio(
        `sum(increase(tollgate_tokens_total{${OF},type="output"}[24h]))`,
        `sum(increase(tollgate_tokens_total{${OF},type!="output"}[24h]))`,
      ),
      2,
    ),
    stat(
      'Requests per minute',
      'Now, including refused ones, without Message Batches. The alert warns above 500 for one feature.',
      'reqpm',
      `sum(rate(tollgate_calls_total{${OF},ending!="Batched"}[5m])) * 60`,
    ),
    stat(
      'Failed calls',
      'Should be below 1 %: upstream errors, broken connections, and calls that Tollgate could not serve.',
      'percentunit',
      ratio(
        `(sum(increase(tollgate_calls_total{${FAILED}}[24h])) or vector(0))`,
        `sum(increase(tollgate_calls_total{${TRIED}}[24h]))`,
      ),
      0.01,
    ),
    stat(
      'Share of the top tenth of customers',
      'Should be below 50 % of the spend of the last 24 hours, over all workspaces. From the usage log.',
      'percentunit',
      'max(tollgate_top_customers_ratio)',
      0.5,
    ),
  ],
};

const spend: Row = {
  title: 'Spend',
  panels: [
    {
      title: 'Daily spend by feature',
      description: 'The 24 hours before each point. Should be stable; the alert warns above 120 % of the week before.',
      kind: 'lines',
      unit: 'currencyUSD',
      queries: [{ expr: spent('feature', '24h'), legend: '{feature}' }],
      width: 12,
    },
    {
      title: 'Hourly spend by model',
      description: 'The hour before each point.',
      kind: 'lines',
      unit: 'currencyUSD',
      queries: [{ expr: spent('model', '1h'), legend: '{model}' }],
      width: 12,
    },
    {
      title: 'Cost of a call by feature',
      description: 'The average of the hour before each point: shows which kinds of requests are expensive.',
      kind: 'lines',
      unit: 'currencyUSD',
      queries: [
        {
          expr: ratio(spent('feature', '1h'), `sum by (feature) (increase(tollgate_calls_total{${PAID}}[1h]))`),
          legend: '{feature}',
        },
      ],
      width: 12,
    },
    {
      title: 'Requests per minute by feature',
      description: 'Should be stable. The alert warns above 500.',
      kind: 'lines',
      unit: 'reqpm',
      queries: [
        {
          expr: `sum by (feature) (rate(tollgate_calls_total{${OF},ending!="Batched"}[$__rate_interval])) * 60`,
          legend: '{feature}',
        },
      ],
      mark: 500,
      width: 12,
    },
    ranking('By feature', 'Within the time shown.', `topk(10, ${spent('feature', '$__range')})`, '{feature}'),
    ranking('By department', 'Within the time shown.', `topk(10, ${spent('department', '$__range')})`, '{department}'),
    ranking('By model', 'Within the time shown.', `topk(10, ${spent('model', '$__range')})`, '{model}'),
    ranking(
      'Top users, 24 hours',
      'Over all workspaces, from the usage log. Named only with the setting namedUsers.',
      'topk(10, max by (user) (tollgate_user_usd))',
      '{user}',
    ),
    ranking(
      'Top customers, 24 hours',
      'Over all workspaces, from the usage log. Named only with the setting namedCustomers.',
      'topk(10, max by (customer) (tollgate_customer_usd))',
      '{customer}',
    ),
    {
      title: 'Prompt cache',
      description:
        'Within an hour, compared with plain input: what reading from the cache saved, and what writing to it cost more.',
      kind: 'lines',
      unit: 'currencyUSD',
      queries: [
        { expr: `sum(increase(tollgate_cache_saved_usd_total{${OF}}[1h]))`, legend: 'saved by reading' },
        { expr: `sum(increase(tollgate_cache_surcharge_usd_total{${OF}}[1h]))`, legend: 'spent on writing' },
      ],
      width: 8,
    },
  ],
};

const budgets: Row = {
  title: 'Budgets',
  panels: [
    {
      title: 'Fullest budgets',
      description: 'The spent part of the limit; with per, that of the fullest value.',
      kind: 'ranking',
      unit: 'percentunit',
      queries: [{ expr: 'topk(20, max by (budget) (tollgate_budget_used_ratio))', legend: '{budget}' }],
      mark: 0.95,
      width: 12,
    },
    {
      title: 'Spent budgets',
      description: 'Their calls are refused until they reset; in mode Observe they would be.',
      kind: 'ranking',
      unit: 'dateTimeFromNow',
      queries: [
        {
          expr: 'max by (budget, mode) (tollgate_budget_period_end_timestamp_seconds and on (budget) tollgate_budget_exhausted == 1) * 1000',
          legend: '{budget} ({mode}) resets',
        },
      ],
      width: 12,
    },
  ],
};

const refusals: Row = {
  title: 'Refusals and latency',
  panels: [
    {
      title: 'Refusals per minute by reason',
      description:
        'BudgetSpent means that a budget works as intended. docs/reference/refusals.md explains all reasons.',
      kind: 'bars',
      unit: 'short',
      queries: [
        {
          expr: `sum by (reason) (rate(tollgate_refusals_total{${OF}}[$__rate_interval])) * 60`,
          legend: '{reason}',
        },
      ],
      width: 12,
    },
    {
      title: 'Failed calls by ending',
      description: 'Should be below 1 % of all calls.',
      kind: 'lines',
      unit: 'percentunit',
      queries: [
        {
          expr: `sum by (ending) (rate(tollgate_calls_total{${FAILED}}[$__rate_interval])) / on () group_left () (sum(rate(tollgate_calls_total{${TRIED}}[$__rate_interval])) > 0)`,
          legend: '{ending}',
        },
      ],
      mark: 0.01,
      width: 12,
    },
    {
      title: 'Added latency',
      description: 'Time from the arrival of a call until it is sent upstream, with any wait for room in a budget.',
      kind: 'lines',
      unit: 's',
      queries: [0.5, 0.95, 0.99].map((quantile) => ({
        expr: `histogram_quantile(${quantile}, sum by (le) (rate(tollgate_added_latency_seconds_bucket[$__rate_interval])))`,
        legend: `p${quantile * 100}`,
      })),
      width: 12,
    },
    {
      title: "Upstream's time to first token",
      description: 'Time from sending a call until the first byte of its answer.',
      kind: 'lines',
      unit: 's',
      queries: [0.5, 0.95, 0.99].map((quantile) => ({
        expr: `histogram_quantile(${quantile}, sum by (le) (rate(gen_ai_server_time_to_first_token_seconds_bucket{${OF}}[$__rate_interval])))`,
        legend: `p${quantile * 100}`,
      })),
      width: 12,
    },
  ],
};

const system: Row = {
  title: 'System',
  panels: [
    stat('Gateways that reach the ledger', 'Should be all gateways.', 'none', 'sum(tollgate_ledger_up)'),
    stat('Leading operators', 'Should be 1.', 'none', 'sum(tollgate_leader)', 2),
    stat(
      'Usage stream',
      'How full it is. At 100 % all calls are refused, so that no record is lost.',
      'percentunit',
      'max(tollgate_usage_stream_length) / max(tollgate_usage_stream_limit)',
      0.5,
    ),
    stat(
      'Usage log behind',
      'How long the oldest usage record has waited.',
      's',
      'max(tollgate_usage_log_lag_seconds)',
      300,
    ),
    stat('Calls of unknown cost', 'Their worst case stays reserved.', 'none', 'max(tollgate_ledger_presumed_calls)', 1),
    stat('Upstream calls', 'Calls that were sent upstream and have not ended.', 'none', 'sum(tollgate_upstream_calls)'),
    {
      title: 'Resources that are not ready',
      description: 'By the reason of the condition Ready.',
      kind: 'lines',
      unit: 'short',
      queries: [
        {
          expr: 'max by (kind, reason) (tollgate_conditions{type="Ready",status!="True"})',
          legend: '{kind} {reason}',
        },
      ],
      width: 12,
    },
    {
      title: 'Memory',
      description: 'Resident memory of each process.',
      kind: 'lines',
      unit: 'bytes',
      queries: [
        {
          expr: 'process_resident_memory_bytes and on (instance) (tollgate_open_calls or tollgate_leader)',
          legend: '{instance}',
        },
      ],
      width: 12,
    },
  ],
};

/** What the dashboard shows, from top to bottom. */
export const rows: readonly Row[] = [keyMetrics, spend, budgets, refusals, system];

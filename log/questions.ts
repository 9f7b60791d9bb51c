/** A question that the log answers, without the need to write SQL. */
export interface Question {
  readonly summary: string;
  /** The statement, with at most so many rows, a whole number. */
  readonly sql: (scope: Scope, rows: number) => string;
}

/** What a question is about. Its names hold nothing that SQL could take for more than a name. */
export interface Scope {
  /** The last so many seconds, a whole number. */
  readonly seconds: number;
  /** Absent: all. */
  readonly namespace?: string | undefined;
  /** The name of a workspace in its namespace. Absent: all. */
  readonly workspace?: string | undefined;
}

/** The condition on rows whose instant is in the column `time`. */
function within(scope: Scope, time: string): string {
  return [`${time} >= now() - interval '${scope.seconds} seconds'`, ...belongs(scope)].join(' and ');
}

/** The conditions on rows, however old. */
function belongs({ namespace, workspace }: Scope): readonly string[] {
  return [
    ...(namespace === undefined ? [] : [`split_part(workspace, '/', 1) = '${namespace}'`]),
    ...(workspace === undefined ? [] : [`split_part(workspace, '/', 2) = '${workspace}'`]),
  ];
}

/** What was spent by the values of an expression over the columns of `calls`. */
function spendBy(name: string, expression: string, order = 'sum(cost_nano) desc, 1'): Question['sql'] {
  return (scope, rows) => `
select ${expression} as "${name}", sum(coalesce(calls, 1))::bigint as calls,
  sum(input_tokens)::bigint as input, sum(cache_read_tokens)::bigint as cached, sum(output_tokens)::bigint as output,
  sum(cost_nano) * 1e-9 as usd
from calls where ${within(scope, 'time')}
group by 1 order by ${order} limit ${rows}`;
}

/** Every question, by the name that `tollgate query` gives it. */
export const questions = {
  workspaces: { summary: 'what each workspace spent', sql: spendBy('workspace', 'workspace') },
  features: { summary: 'what each feature spent', sql: spendBy('feature', 'feature') },
  departments: { summary: 'what each department spent', sql: spendBy('department', 'department') },
  customers: { summary: 'what each customer spent', sql: spendBy('customer', 'customer') },
  users: { summary: 'what each user spent', sql: spendBy('user', 'end_user') },
  keys: { summary: 'what each key spent', sql: spendBy('key', `workspace || ' ' || key`) },
  models: { summary: 'what was spent on each model', sql: spendBy('model', 'model') },
  days: {
    summary: 'what was spent each day, in UTC',
    sql: spendBy('day', `to_char(time at time zone 'UTC', 'YYYY-MM-DD')`, '1 desc'),
  },
  calls: {
    summary: 'the most expensive calls',
    sql: (scope, rows) => `
select to_char(time at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as time, workspace, key, model,
  input_tokens as input, cache_read_tokens as cached, output_tokens as output,
  (cost_nano + coalesce(rest_nano, 0)) * 1e-9 as usd, id
from calls left join lateral (select r.cost_nano as rest_nano from calls r where r.id = calls.id || '/rest') rest on true
where ${within(scope, 'time')} and calls.calls is distinct from 0
order by cost_nano + coalesce(rest_nano, 0) desc, id limit ${rows}`,
  },
  presumed: {
    summary: 'calls whose cost is not known yet, however old, and what each holds',
    sql: (scope, rows) => `
select coalesce(batch, id) as id, workspace, to_char(now() - time, 'FMDD"d" HH24:MI') as age, presumed_nano * 1e-9 as usd,
  case when batch is null then ended_as else 'Batch' end as ending
from calls left join lateral (select c.ending as ended_as from calls c where c.id = split_part(calls.id, '/', 1) and c.id <> calls.id) broken on true
where ${["state = 'presumed'", ...belongs(scope)].join(' and ')}
order by time, id limit ${rows}`,
  },
  refusals: {
    summary: 'how many calls were refused, for which reason and by which budget',
    sql: (scope, rows) => `
select workspace, key, reason, budget, sum(count)::bigint as calls
from refusals where ${within(scope, 'minute')}
group by 1, 2, 3, 4 order by 5 desc, 1, 2, 3, 4 limit ${rows}`,
  },
} as const satisfies Readonly<Record<string, Question>>;

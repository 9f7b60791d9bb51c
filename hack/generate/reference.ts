/**
 * Generates pages of docs/reference/: the kinds from the CRDs; refusals, conditions and the usage log from their tables;
 * metrics from their registries. It also fills in the imports of the rooms in docs/explanation/architecture.md.
 * With `--check` it writes nothing and exits 1 if a page is out of date.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Registry } from 'prom-client';
import { Metrics as GatewayMetrics } from '../../gateway/record/metrics.ts';
import { Metrics as OperatorMetrics } from '../../operator/metrics/metrics.ts';
import { conditionReasons, type ConditionType, hasRunbook } from '../../policy/core/conditions.ts';
import { callColumns } from '../../policy/core/usage-record.ts';
import { ENDINGS } from '../../policy/cost/ending-cost.ts';
import { type Retry, refusals } from '../../policy/refusals/refusals.ts';
import { type CRD, type Schema, readCRDs } from './crds.ts';
import { generate } from './generated.ts';
import { withImports } from './rooms.ts';

const folder = join(import.meta.dirname, '../../docs/reference');

function kindPage({ kind, apiVersion, plural, shortNames, columns, schema }: CRD): string {
  const { spec, status } = schema.properties!;
  const shown = columns.filter(({ name }) => name !== 'AGE');
  return page(
    `# ${kind}`,
    schema.description!,
    `\`${apiVersion}\`, namespaced, also \`${[plural, ...shortNames].join('`, `')}\`. The name has at most 63 characters. [Examples](../../examples/).`,
    '## spec',
    specTable(spec!),
    `Over several fields:\n\n${sentences(spec!)
      .map((each) => `- ${each}`)
      .join('\n')}`,
    '## status',
    status!.description!,
    statusTable(status!),
    '## kubectl get',
    table(
      ['Column', 'Shows'],
      shown.map(({ name, priority, description }) => [name, `${description}${priority ? ' With `-o wide`.' : ''}`]),
    ),
  );
}

function specTable(spec: Schema): string {
  return table(
    ['Field', 'Type', 'Default', 'Meaning, and the messages of the API server for invalid values'],
    [...fields(spec)].map(({ path, field, required }) => [
      code(path),
      typeOf(field),
      field.default === undefined ? (required ? 'required' : '') : code(JSON.stringify(field.default)),
      [field.description!, ...new Set(rulesOf(field))].join('<br>• '),
    ]),
  );
}

function statusTable(status: Schema): string {
  return table(
    ['Field', 'Type', 'Meaning'],
    [...fields(status)].map(({ path, field }) => [code(path), typeOf(field), field.description!]),
  );
}

interface Field {
  /** `keys[].name`. */
  path: string;
  field: Schema;
  required: boolean;
}

function* fields(schema: Schema, prefix = ''): Generator<Field> {
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    const path = `${prefix}${name}`;
    yield { path, field, required: schema.required?.includes(name) ?? false };
    if (field.items) yield* fields(field.items, `${path}[].`);
    else yield* fields(field, `${path}.`);
  }
}

/** `string (≤ 63)`, `list (1–64) of different string (≤ 256)`. */
function typeOf(field: Schema): string {
  const { type, format, items, additionalProperties: values } = field;
  if (field.enum) return field.enum.map((value) => code(String(value))).join(', ');
  if (items) return `list (${range(field.minItems, field.maxItems)}) of ${unique(field)}${typeOf(items)}`;
  if (values) return `map (${range(undefined, field.maxProperties)}) to ${typeOf(values)}`;
  if (type === 'string') return format ?? `string (${range(undefined, field.maxLength)})`;
  return type === 'integer' ? `integer (${range(field.minimum, field.maximum)})` : type!;
}

function range(least: number | undefined, most: number | undefined): string {
  if (most === undefined) return `≥ ${least}`;
  return least === undefined ? `≤ ${most}` : `${least}–${most}`;
}

function unique(list: Schema): string {
  if (list['x-kubernetes-list-type'] === 'set') return 'different ';
  const keys = list['x-kubernetes-list-map-keys'];
  return keys ? `by ${keys.join(' and ')} different ` : '';
}

/** What is refused of a field, of its items and of its values, as the API server says it. */
function rulesOf(field: Schema): string[] {
  const inner = [field.items, field.additionalProperties].flatMap((each) => (each ? rulesOf(each) : []));
  return [...sentences(field), ...pattern(field), ...inner];
}

function sentences(schema: Schema): string[] {
  return (schema['x-kubernetes-validations'] ?? []).map(({ message }) => message);
}

/** Of patterns only the usual ones have words of their own. */
function pattern({ pattern: expression, format }: Schema): string[] {
  if (expression === undefined) return [];
  if (expression.includes(String.raw`\x00`)) return ['no control characters'];
  return [format === 'date-time' ? 'RFC 3339, with `Z` or an offset' : `should match ${code(expression)}`];
}

const retries: Readonly<Record<Retry, string>> = {
  Never: 'never',
  Soon: 'after `retry-after`',
  AsClient: 'as of any server',
};

function refusalsPage(): string {
  const conditions = Object.entries(conditionReasons).flatMap(([type, reasons]) => [
    `### ${type}`,
    table(
      ['Reason', 'Status', 'Meaning'],
      Object.entries(reasons).map(([reason, row]) => [
        hasRunbook(type as ConditionType, row)
          ? `[${code(reason)}](../runbooks/conditions/${reason}.md)`
          : code(reason),
        row.status,
        row.meaning,
      ]),
    ),
  ]);
  return page(
    '# Refusals and conditions',
    'All reasons for which Tollgate refuses a call, and all reasons of the conditions in a status.',
    '## Refusals',
    "The reason is in the gateway's log and metrics; the caller gets the status, the type and a sentence. Refusals that must not be retried carry `x-should-retry: false` ([why](../explanation/refusals.md)).",
    table(
      ['Reason', 'Status', 'Type', 'Retry', 'Meaning'],
      Object.entries(refusals).map(([reason, { status, type, retry, meaning }]) => [
        code(reason),
        String(status),
        code(type),
        retries[retry],
        meaning,
      ]),
    ),
    '## Conditions',
    "Each condition has the generation that it describes. `Ready` sums up the others and stays True when a budget is exhausted. A reason that needs action has a runbook, whose address is in the condition's message.",
    ...conditions,
  );
}

/** The index of the pages that people write, one for each reason that asks for somebody. */
function runbooksPage(): string {
  const rows = Object.entries(conditionReasons).flatMap(([type, reasons]) =>
    Object.entries(reasons)
      .filter(([, row]) => hasRunbook(type as ConditionType, row))
      .map(([reason, { status, meaning }]) => [`[${reason}](${reason}.md)`, `${type}=${status}`, meaning]),
  );
  return page(
    '# Runbooks for conditions',
    'What to do for each reason of a condition that needs action. `kubectl get cw,cb -A -o wide` shows the reason of Ready, `kubectl describe` the reasons of all conditions, and `tollgate doctor` sums them up.',
    table(['Reason', 'Condition', 'Meaning'], rows),
  );
}

function logPage(): string {
  return page(
    '# Usage log',
    'A Postgres database, or Postgres in a folder of the operator ([how to choose and query it](../how-to/query-the-log.md)). The operator creates and migrates the tables when it starts. Read from them as you like; only the operator writes.',
    '## calls',
    'One row for each admitted call, seconds after it ended, exactly once; two if its first attempt met a stale connection (ending `StaleConnection`). A call that cost nothing, because the upstream answered with an error or could not be reached, may be missing after a crash. A row is replaced when more becomes known of its cost.',
    table(
      ['Column', 'Type', 'Meaning'],
      callColumns.map(({ name, sqlType, meaning }) => [code(name), sqlType, meaning]),
    ),
    'Amounts are whole nano-dollars: `sum(cost_nano) / 1e9` is exact, in dollars. There are indexes on `time`, and on `workspace`, `feature` and `customer`, each with `time`.',
    '## totals',
    'One row for each counter of the ledger, changed in the same transaction as the rows of `calls`. A rebuild of the ledger starts from them. `counter` is the budget, its period and, after `#`, the value of `per`; `keep_until` is when the ledger may forget it (milliseconds since 1970); `spent_nano`, `presumed_nano` and `requests` add up the calls.',
    '## refusals',
    'How often each key was refused in each minute: `minute`, `workspace`, its `workspace_uid` and `namespace_uid`, `key`, `budget` (empty where no budget refused), `reason` (of [the table](refusals.md)) and `count`. For callers without a valid key, `workspace`, the uids and `key` are empty. Counts may be missing after a crash, since they are not money.',
    '## batches',
    "One row for each Message Batch: `batch` (the upstream's id), `workspace`, its `workspace_uid` and `namespace_uid`, and what a rebuild of the ledger needs to put it back. Its lines are rows of `calls` with the same `batch`; they say how far it is settled.",
    '## dead_letters',
    'Usage records that could not be made into a row, or not completely, and refusals that could not be counted (`entry` ends in `/refusals`), unchanged, with the `problem`. Their money is in `calls` and `totals` if it could be read. The table is empty unless something is wrong (metric `tollgate_usage_log_dead_letters_total`).',
    '## migrations, positions',
    'Internal to the operator.',
  );
}

function endingsPage(): string {
  return page(
    '# Endings',
    'What a call costs by the way in which it ended. Messages and Message Batches obey this one table; the column `ending` of the [usage log](usage-log.md) and the label of `tollgate_calls_total` have its names. [Why](../explanation/aborted-calls.md).',
    table(
      ['Ending', 'Settled', 'Presumed', 'When'],
      Object.entries(ENDINGS).map(([ending, { settled, presumed, when }]) => [
        code(ending),
        SETTLED[settled],
        presumed === 'Rest' ? 'the rest of the worst case' : 'nothing',
        when,
      ]),
    ),
    "The API's form of an error is a complete body of the content type `application/json` that is one object with `type` equal to `error` and, in `error`, a `type` that is not empty and a `message`. A final usage is that of a message, or what the events of a stream say of it together, in whichever of them: the output was reported behind all content, and a `stop_reason` was named there or the stream ended with `message_stop` or `[DONE]`. Of several reports the larger count is taken, field by field, and `null` says nothing. A usage cannot be read if its input or output is missing, if a count in it is not a non-negative integer, if a charge in it has no price, or if it adds up to more than a counter holds.",
    'What stays presumed is [resolved](../how-to/resolve-presumed.md) by a person or by `presumedHold`. It is released by itself after 15 minutes only if the answer came to its end within 2 seconds of sending and held nothing of a message (no bytes, a page, or an error in the form above), as when a proxy has no connection to the API, or if the ending is `StaleConnection`; `tollgate_presumed_released_usd_total` adds it up. Of the results of a Message Batch nothing stays presumed: that part is settled at the highest worst case of its requests, or for `Lost` at what is left of the batch.',
  );
}

const SETTLED = {
  Nothing: 'nothing',
  Reported: 'what was reported',
  Seen: 'what was reported, and an estimate of what was seen since',
};

function metricsPage(): string {
  const unread = () => Promise.reject(new Error('only names are read'));
  const gateway = new GatewayMetrics(
    {
      openCalls: () => 0,
      pendingSettles: () => 0,
      unsettledCalls: () => 0,
      ledger: unread,
      bodyBytes: () => 0,
      batchStorageBytes: () => 0,
      certificateExpires: () => 0,
    },
    0,
  );
  const operator = new OperatorMetrics({ namedUsers: 0, namedCustomers: 0 });
  operator.observe({
    isLeader: () => false,
    queues: {},
    budgets: () => [],
    workspaces: () => [],
    now: () => 0,
    isPriceBookInvalid: () => false,
    isLedgerLost: () => false,
    isLedgerRecovering: () => false,
    streamLength: () => 0,
    streamLimit: 0,
    lagSeconds: () => 0,
    batches: () => ({ open: 0, elsewhere: 0, oldestSeconds: 0 }),
    topSpenders: () => null,
  });
  return page(
    '# Metrics',
    'Prometheus text on `/metrics`; the gateway serves it on its own port or on `ADMIN_PORT`, and both only to who shows the token of `TOLLGATE_METRICS_TOKEN` as `Authorization: Bearer`. Metrics with an OpenTelemetry name are called `gen_ai_*`, all others `tollgate_*`; the usual `process_*` and `nodejs_*` are there too. A metric is a float for display: the exact money is in the ledger and in the status. No label holds a key; users and customers are named only as the settings `namedUsers` and `namedCustomers` allow.',
    '## Gateway',
    metricsTable(gateway.registry),
    '## Operator',
    metricsTable(operator.registry),
  );
}

/** The parts of a metric that prom-client has and does not declare. */
interface Described {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly labelNames: readonly string[];
}

function metricsTable(registry: Registry): string {
  const described = registry.getMetricsAsArray() as unknown as readonly Described[];
  return table(
    ['Metric', 'Type', 'Labels', 'Meaning'],
    described
      .filter(({ name }) => !/^(process|nodejs)_/.test(name))
      .map(({ name, type, labelNames, help }) => [code(name), type, labelNames.map(code).join(', '), help]),
  );
}

function page(...blocks: string[]): string {
  return `${['<!-- Made by hack/generate/reference.ts; do not edit. -->', ...blocks].join('\n\n')}\n`;
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}

function code(text: string): string {
  return `\`${text}\``;
}

const pages = new Map(readCRDs().map((crd) => [join(folder, `${crd.kind.toLowerCase()}.md`), kindPage(crd)]));
pages.set(join(folder, 'refusals.md'), refusalsPage());
pages.set(join(folder, '../runbooks/conditions/README.md'), runbooksPage());
pages.set(join(folder, 'metrics.md'), metricsPage());
pages.set(join(folder, 'usage-log.md'), logPage());
pages.set(join(folder, 'endings.md'), endingsPage());
const architecture = join(folder, '../explanation/architecture.md');
pages.set(architecture, withImports(readFileSync(architecture, 'utf8')));
generate(pages, process.argv.includes('--check'));

/** What the upstream says that a call used. */

import type { UsageRecord } from '../core/usage-record.ts';

/** Tokens of one inference, by price. */
export interface Tokens {
  readonly input: number;
  readonly cacheWrite5m: number;
  readonly cacheWrite1h: number;
  readonly cacheRead: number;
  readonly output: number;
}

/** One entry of `usage.iterations`. */
export interface Iteration extends Tokens {
  /** Null for the model that was asked for. */
  readonly model: string | null;
  /** True for an attempt to answer, which is not billed if it declined before any output; false for compaction or advice. */
  readonly answers: boolean;
}

/** `usage` of an answer, read field by field. */
export interface Usage extends Tokens {
  /** What is billed, if the answer lists it: compaction and attempts of other models are in no total. */
  readonly iterations: readonly Iteration[];
  readonly webSearches: number;
  /** Runs in a container, which is billed by time and not by this count. */
  readonly codeExecutions: number;
  /** The answer's `speed` is `fast`. */
  readonly fast: boolean;
  /** Inference was kept in a region, which has a surcharge. */
  readonly regional: boolean;
  /** The answer of a batch: its tokens cost half. */
  readonly batch: boolean;
  /** The bill may be another than the cost of these counts: a credit or a commitment paid for it, or there are counts that nobody knows. */
  readonly uncertain: boolean;
  /** The model refused before any content: the usage of its last attempt is reported but not billed. */
  readonly declined: boolean;
  /** It cannot be read: a count is missing or not a non-negative integer, or a charge has no price. Its cost is not known. */
  readonly absurd: boolean;
}

/** The counts without which the cost of an answer is not known. */
const REQUIRED = ['input_tokens', 'output_tokens'];

/** Reads `usage` of an answer. Never throws. */
export function readUsage(usage: unknown, required: readonly string[] = REQUIRED): Usage {
  const fields = new Fields(usage);
  for (const name of required) fields.mustBeThere(name);
  const tier = fields.value('service_tier');
  return {
    ...tokens(fields),
    iterations: iterations(fields),
    ...serverTools(fields),
    fast: fields.value('speed') === 'fast',
    regional: ![undefined, null, 'global', 'not_available'].includes(fields.value('inference_geo') as string),
    batch: tier === 'batch',
    uncertain: tier === 'priority' || credited(fields) || hasUnknownCount(fields),
    declined: false,
    absurd: fields.absurd,
  };
}

const FIVE_MINUTES = 'ephemeral_5m_input_tokens';
const ONE_HOUR = 'ephemeral_1h_input_tokens';

/** Writes to a cache of another duration have no price. */
function tokens(fields: Fields): Tokens {
  const split = fields.nested('cache_creation');
  const [fiveMinutes, oneHour] = [split.count(FIVE_MINUTES), split.count(ONE_HOUR)];
  for (const name of split.names()) if (name !== FIVE_MINUTES && name !== ONE_HOUR) split.mustBeZero(name);
  // Writes outside the split count as one-hour writes if the split has any, otherwise as five-minute writes.
  const rest = Math.max(0, fields.count('cache_creation_input_tokens') - fiveMinutes - oneHour);
  return {
    input: fields.count('input_tokens'),
    cacheWrite5m: fiveMinutes + (oneHour > 0 ? 0 : rest),
    cacheWrite1h: oneHour + (oneHour > 0 ? rest : 0),
    cacheRead: fields.count('cache_read_input_tokens'),
    output: fields.count('output_tokens'),
  };
}

function iterations(fields: Fields): Iteration[] {
  return fields.list('iterations').map((entry) => {
    const model = entry.value('model');
    return {
      ...tokens(entry),
      model: typeof model === 'string' ? model : null,
      answers: ['message', 'fallback_message'].includes(entry.value('type') as string),
    };
  });
}

/** A count of an unknown tool is absurd, because it may cost anything. */
function serverTools(fields: Fields): Pick<Usage, 'webSearches' | 'codeExecutions'> {
  const tools = fields.nested('server_tool_use');
  for (const name of tools.names()) if (!TOOL_COUNTS.includes(name)) tools.mustBeZero(name);
  for (const name of FREE_COUNTS) tools.count(name);
  return { webSearches: tools.count('web_search_requests'), codeExecutions: tools.count('code_execution_requests') };
}

/** These tools cost only the tokens that they add. */
const FREE_COUNTS = ['web_fetch_requests', 'tool_search_requests'];
const TOOL_COUNTS = ['web_search_requests', 'code_execution_requests', ...FREE_COUNTS];

/** A redeemed credit bills the call as if another model's cache had been its own, which `cost` does not calculate. */
function credited(fields: Fields): boolean {
  if (fields.value('fallback_credit') == null) return false;
  return fields.nested('fallback_credit').nested('status').value('type') !== 'not_applied';
}

/** All that a usage has today. */
const FIELDS = new Set([
  'input_tokens',
  'output_tokens',
  'output_tokens_details',
  'cache_creation',
  'cache_creation_input_tokens',
  'cache_read_input_tokens',
  'server_tool_use',
  'service_tier',
  'inference_geo',
  'speed',
  'iterations',
  'fallback_credit',
]);

/** A new count mostly says more of what is counted already; it may also be a new charge. */
function hasUnknownCount(fields: Fields): boolean {
  return fields.names().some((name) => {
    if (FIELDS.has(name)) return false;
    const value = fields.value(name);
    return isPositive(value) || (typeof value === 'object' && value !== null && Object.values(value).some(isPositive));
  });
}

function isPositive(value: unknown): boolean {
  return typeof value === 'number' && value > 0;
}

/** Whether a value is a non-negative integer. */
export function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** No call has so many inferences, and each becomes part of its usage record. */
const MAX_LIST = 1_000;

/** Reads an untrusted object. It and the objects nested in it share one flag that says whether anything was absurd. */
class Fields {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #found: { absurd: boolean };

  constructor(values: unknown, found = { absurd: false }) {
    this.#found = found;
    const isObject = typeof values === 'object' && values !== null && !Array.isArray(values);
    this.#values = isObject ? (values as Record<string, unknown>) : {};
    if (!isObject) found.absurd = true;
  }

  get absurd(): boolean {
    return this.#found.absurd;
  }

  names(): string[] {
    return Object.keys(this.#values);
  }

  value(name: string): unknown {
    return this.#values[name];
  }

  /** A non-negative integer; absent and null are 0. */
  count(name: string): number {
    const value = this.value(name) ?? 0;
    if (isCount(value)) return value;
    this.#found.absurd = true;
    return 0;
  }

  nested(name: string): Fields {
    return new Fields(this.value(name) ?? {}, this.#found);
  }

  list(name: string): Fields[] {
    const value = this.value(name) ?? [];
    const isList = Array.isArray(value) && value.length <= MAX_LIST;
    if (isList) return value.map((entry) => new Fields(entry, this.#found));
    this.#found.absurd = true;
    return [];
  }

  /** Without it the cost is not known. */
  mustBeThere(name: string): void {
    if (this.value(name) == null) this.#found.absurd = true;
  }

  mustBeZero(name: string): void {
    if (this.count(name) > 0) this.#found.absurd = true;
  }
}

/** The fields of a usage record that say what a call used. */
type UsageFields = Required<Pick<UsageRecord, keyof typeof SOURCES | 'iterations'>>;

const SOURCES = {
  input_tokens: 'input',
  output_tokens: 'output',
  cache_read_tokens: 'cacheRead',
  cache_write_5m_tokens: 'cacheWrite5m',
  cache_write_1h_tokens: 'cacheWrite1h',
  web_searches: 'webSearches',
  code_executions: 'codeExecutions',
  fast: 'fast',
  regional: 'regional',
} as const satisfies { readonly [Field in keyof UsageRecord]?: keyof Usage };

/** A usage as a usage record has it; all null if it is not known. */
export function usageRecordFields(usage: Usage | null): UsageFields {
  const fields = Object.entries(SOURCES).map(([field, source]) => [field, usage?.[source] ?? null] as const);
  const isListed = usage !== null && usage.iterations.length > 0;
  const iterations = isListed ? JSON.stringify(usage.iterations) : null;
  return { ...(Object.fromEntries(fields) as Omit<UsageFields, 'iterations'>), iterations };
}

/** What the upstream says a call used: in message_start and again, in part, in each message_delta. */

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
  /** A credit or a commitment paid for it, so the bill may be lower than the cost of these counts. */
  readonly repriced: boolean;
  /** The model refused before any content: the usage of its last attempt is reported but not billed. */
  readonly declined: boolean;
  /** It cannot be read: a count is missing or not a non-negative integer, or a charge has no price. Its cost is not known. */
  readonly absurd: boolean;
}

/** Reads `usage` of an answer, or of the message in message_start. Never throws. */
export function readUsage(usage: unknown): Usage {
  const fields = new Fields(usage);
  for (const name of REQUIRED) fields.mustBeThere(name);
  const tier = fields.value('service_tier');
  return {
    ...tokens(fields),
    iterations: iterations(fields),
    ...(serverTools(fields) ?? { webSearches: 0, codeExecutions: 0 }),
    fast: fields.value('speed') === 'fast',
    regional: ![undefined, null, 'global', 'not_available'].includes(fields.value('inference_geo') as string),
    batch: tier === 'batch',
    repriced: tier === 'priority' || credited(fields),
    declined: false,
    absurd: fields.absurd,
  };
}

/**
 * Merges `usage` of a message_delta into what is known so far. Output is taken from the delta, of every other count the
 * larger one stays, since all are cumulative, and speed, region and the split of cache writes stay those of message_start.
 * Never throws.
 */
export function mergeDelta(usage: Usage, delta: unknown): Usage {
  const fields = new Fields(delta);
  fields.mustBeThere('output_tokens');
  const { input, cacheRead, cacheWrite5m, cacheWrite1h, output } = tokens(fields);
  const written = Math.max(0, cacheWrite5m + cacheWrite1h - usage.cacheWrite5m - usage.cacheWrite1h);
  const hours = usage.cacheWrite1h > 0;
  const billed = iterations(fields);
  return {
    ...usage,
    input: Math.max(usage.input, input),
    cacheRead: Math.max(usage.cacheRead, cacheRead),
    cacheWrite5m: usage.cacheWrite5m + (hours ? 0 : written),
    cacheWrite1h: usage.cacheWrite1h + (hours ? written : 0),
    output: fields.value('output_tokens') == null ? usage.output : output,
    iterations: billed.length > 0 ? billed : usage.iterations,
    ...moreTools(usage, serverTools(fields)),
    repriced: usage.repriced || credited(fields),
    absurd: usage.absurd || fields.absurd || hasFewer(billed, usage.iterations),
  };
}

/** Whether inferences that were listed before are missing in a later list. */
function hasFewer(later: readonly Iteration[], earlier: readonly Iteration[]): boolean {
  return later.length > 0 && later.length < earlier.length;
}

function tokens(fields: Fields): Tokens {
  const split = fields.nested('cache_creation');
  const [fiveMinutes, oneHour] = [split.count('ephemeral_5m_input_tokens'), split.count('ephemeral_1h_input_tokens')];
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

type ServerToolCounts = Pick<Usage, 'webSearches' | 'codeExecutions'>;

/** Null if the answer does not mention server tools. A count of an unknown tool is absurd, because it may cost anything. */
function serverTools(fields: Fields): ServerToolCounts | null {
  if (fields.value('server_tool_use') == null) return null;
  const tools = fields.nested('server_tool_use');
  for (const name of tools.names()) if (!TOOL_COUNTS.includes(name)) tools.mustBeZero(name);
  for (const name of FREE_COUNTS) tools.count(name);
  return { webSearches: tools.count('web_search_requests'), codeExecutions: tools.count('code_execution_requests') };
}

/** These tools cost only the tokens that they add. */
const FREE_COUNTS = ['web_fetch_requests', 'tool_search_requests'];
const TOOL_COUNTS = ['web_search_requests', 'code_execution_requests', ...FREE_COUNTS];

function moreTools(known: ServerToolCounts, reported: ServerToolCounts | null): ServerToolCounts {
  return {
    webSearches: Math.max(known.webSearches, reported?.webSearches ?? 0),
    codeExecutions: Math.max(known.codeExecutions, reported?.codeExecutions ?? 0),
  };
}

/** A redeemed credit bills the call as if another model's cache had been its own, which `cost` does not calculate. */
function credited(fields: Fields): boolean {
  if (fields.value('fallback_credit') == null) return false;
  return fields.nested('fallback_credit').nested('status').value('type') !== 'not_applied';
}

/** The counts that every usage has. */
const REQUIRED = ['input_tokens', 'output_tokens'];

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
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
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

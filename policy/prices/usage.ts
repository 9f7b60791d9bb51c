import { ceilDiv } from '../core/money.ts';
/**
 * What the upstream says a call used, and what that costs. Anthropic reports usage in message_start and again, in part,
 * in each message_delta; billed is the sum over `iterations` where there are any.
 */
import { higherRate, highestRateAt, GEO_UNIT, rateAt } from './price-book.ts';
import type { PriceBook, Prices, Rate } from './price-book.ts';

/** Tokens of one sampling, by price. */
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
  /** It tried to answer, and is not billed where it declined before any output; else it compacted or advised. */
  readonly answers: boolean;
}

/** `usage` of an answer, read field by field. */
export interface Usage extends Tokens {
  /** What is billed, where an answer lists it: compaction and other models' attempts are in no total. */
  readonly iterations: readonly Iteration[];
  readonly webSearches: number;
  /** What ran in a container, which is billed by time and not by this count. */
  readonly codeExecutions: number;
  /** The answer's `speed` is `fast`. */
  readonly fast: boolean;
  /** Inference was kept in a region, which has its surcharge. */
  readonly regional: boolean;
  /** The answer of a batch: its tokens cost half. */
  readonly batch: boolean;
  /** A credit was redeemed or a commitment paid for it: the bill may be lower than what these counts cost. */
  readonly repriced: boolean;
  /** The model refused before any content: what its last attempt used is shown and not billed. */
  readonly declined: boolean;
  /** There is no usage, a count is not a non-negative integer, or a charge has no price: book the worst case. */
  readonly absurd: boolean;
}

/** Reads `usage` of an answer, or of the message in message_start. Never throws. */
export function readUsage(usage: unknown): Usage {
  const fields = new Fields(usage);
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
 * Lays `usage` of a message_delta over what is known so far: outputs and searches are the newest, of each input count the
 * larger one stays, and speed, region and the split of cache writes are those of message_start. Never throws.
 */
export function mergeDelta(usage: Usage, delta: unknown): Usage {
  const fields = new Fields(delta);
  const { input, cacheRead, cacheWrite5m, cacheWrite1h, output } = tokens(fields);
  const written = Math.max(0, cacheWrite5m + cacheWrite1h - usage.cacheWrite5m - usage.cacheWrite1h);
  const hours = usage.cacheWrite1h > 0;
  const billed = iterations(fields);
  return {
    input: Math.max(usage.input, input),
    cacheRead: Math.max(usage.cacheRead, cacheRead),
    cacheWrite5m: usage.cacheWrite5m + (hours ? 0 : written),
    cacheWrite1h: usage.cacheWrite1h + (hours ? written : 0),
    output: fields.value('output_tokens') == null ? usage.output : output,
    iterations: billed.length > 0 ? billed : usage.iterations,
    ...(serverTools(fields) ?? { webSearches: usage.webSearches, codeExecutions: usage.codeExecutions }),
    fast: usage.fast,
    regional: usage.regional,
    batch: usage.batch,
    repriced: usage.repriced || credited(fields),
    declined: usage.declined,
    absurd: usage.absurd || fields.absurd,
  };
}

/**
 * The exact cost in nano-dollars at the prices of an instant (milliseconds), rounded up once: tokens and searches. A
 * model that the book does not know costs what the dearest does, and what may be of the model that served or of the one
 * that was asked for costs what the dearer of them does. A prepaid tier lowers nothing here.
 */
export function cost(usage: Usage, servedModel: string, book: PriceBook, at: number, askedModel = servedModel): bigint {
  const price = (part: Tokens, model: string): bigint => partCost(part, usage, rateOf(model, book, at));
  const listed = charged(usage, servedModel).reduce((sum, part) => {
    if (part.model !== null) return sum + price(part, part.model);
    const [served, asked] = [price(part, servedModel), price(part, askedModel)];
    return sum + (served > asked ? served : asked);
  }, 0n);
  const total = usage.declined || isListed(usage) ? 0n : price(usage, servedModel);
  const tokens = total > listed ? total : listed;
  const searches = BigInt(usage.webSearches) * book.webSearchNano;
  // Fast inference is never part of a batch, so where an answer says both the discount is in doubt.
  return ceilDiv(tokens, usage.batch && !usage.fast ? 2n * TOKEN_UNIT : TOKEN_UNIT) + searches;
}

/** The tokens that `cost` charges for, of all inferences together. */
export function billedTokens(usage: Usage, servedModel: string): Tokens {
  const parts = charged(usage, servedModel);
  const isTotal = !usage.declined && !isListed(usage);
  const count = (kind: Kind): number => {
    const listed = parts.reduce((sum, part) => sum + part[kind], 0);
    return isTotal ? Math.max(usage[kind], listed) : listed;
  };
  return {
    input: count('input'),
    cacheWrite5m: count('cacheWrite5m'),
    cacheWrite1h: count('cacheWrite1h'),
    cacheRead: count('cacheRead'),
    output: count('output'),
  };
}

/**
 * True where the usage cannot be: see `Usage.absurd`, or more than a model's context window or output maximum in each
 * of the inferences that the call may have had.
 */
export function isAbsurd(usage: Usage, servedModel: string, book: PriceBook, at: number, inferences = 1): boolean {
  const parts = usage.iterations.length > 0 ? usage.iterations : [{ ...usage, model: null }];
  return (
    usage.absurd ||
    parts.some((part) => {
      const { contextWindow, maxOutputTokens } = rateOf(part.model ?? servedModel, book, at);
      return promptOf(part) > contextWindow * inferences || part.output > maxOutputTokens * inferences;
    })
  );
}

/** Token prices are nano-dollars for a million, times a multiplier in ten-thousandths. */
export const TOKEN_UNIT: bigint = 1_000_000n * GEO_UNIT;

/** What of the iterations is billed: an attempt that declined before any output is listed all the same. */
function charged({ iterations, declined }: Usage, servedModel: string): readonly Iteration[] {
  const last = iterations.findLastIndex((part) => part.answers);
  return iterations.filter((part, i) => {
    if (!part.answers) return true;
    if (declined) return part.output > 0 && i !== last;
    return part.output > 0 || part.model === null || part.model === servedModel;
  });
}

const KINDS = ['input', 'cacheWrite5m', 'cacheWrite1h', 'cacheRead', 'output'] as const;
type Kind = (typeof KINDS)[number];

/** Whether the iterations have all that the totals say; where they do not, the totals are the least that is billed. */
function isListed(usage: Usage): boolean {
  if (usage.iterations.length === 0) return false;
  const answered = usage.iterations.filter((part) => part.answers);
  return KINDS.every((kind) => answered.reduce((sum, part) => sum + part[kind], 0) >= usage[kind]);
}

/** In `TOKEN_UNIT`s of a nano-dollar. */
function partCost(part: Tokens, usage: Usage, rate: Rate): bigint {
  const prices = pricesOf(promptOf(part), usage.fast, rate);
  const sum =
    BigInt(part.input) * prices.input +
    BigInt(part.cacheWrite5m) * prices.cacheWrite5m +
    BigInt(part.cacheWrite1h) * prices.cacheWrite1h +
    BigInt(part.cacheRead) * prices.cacheRead +
    BigInt(part.output) * prices.output;
  return sum * (usage.regional ? rate.geo : GEO_UNIT);
}

function pricesOf(promptTokens: number, fast: boolean, rate: Rate): Prices {
  const { standard, longPrompt } = rate;
  const long = longPrompt !== null && promptTokens > longPrompt.abovePromptTokens ? longPrompt.prices : null;
  if (fast) return long === null ? rate.fast : higherRate(rate.fast, long);
  return long ?? standard;
}

function rateOf(model: string, book: PriceBook, at: number): Rate {
  return rateAt(book, model, at) ?? highestRateAt(book, at);
}

function promptOf(part: Tokens): number {
  return part.input + part.cacheWrite5m + part.cacheWrite1h + part.cacheRead;
}

function tokens(fields: Fields): Tokens {
  const split = fields.nested('cache_creation');
  const [fiveMinutes, oneHour] = [split.count('ephemeral_5m_input_tokens'), split.count('ephemeral_1h_input_tokens')];
  // Writes outside the split are of the kind that is there: without a split they are five-minute ones.
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

/** Null where the answer says nothing of server tools. A tool that is not known may cost anything. */
function serverTools(fields: Fields): Pick<Usage, 'webSearches' | 'codeExecutions'> | null {
  if (fields.value('server_tool_use') == null) return null;
  const tools = fields.nested('server_tool_use');
  for (const name of tools.names()) if (!TOOL_COUNTS.includes(name)) tools.mustBeNothing(name);
  for (const name of FREE_COUNTS) tools.count(name);
  return { webSearches: tools.count('web_search_requests'), codeExecutions: tools.count('code_execution_requests') };
}

/** They cost the tokens that they bring, and nothing else. */
const FREE_COUNTS = ['web_fetch_requests', 'tool_search_requests'];
const TOOL_COUNTS = ['web_search_requests', 'code_execution_requests', ...FREE_COUNTS];

/** A redeemed credit bills the call as if another model's cache had been its own: no arithmetic of ours has that. */
function credited(fields: Fields): boolean {
  if (fields.value('fallback_credit') == null) return false;
  return fields.nested('fallback_credit').nested('status').value('type') !== 'not_applied';
}

/** Reads an untrusted object; it and all that is nested in it share one memory of whether anything was absurd. */
class Fields {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #doubts: { absurd: boolean };

  constructor(values: unknown, doubts = { absurd: false }) {
    this.#doubts = doubts;
    const isObject = typeof values === 'object' && values !== null && !Array.isArray(values);
    this.#values = isObject ? (values as Record<string, unknown>) : {};
    if (!isObject) doubts.absurd = true;
  }

  get absurd(): boolean {
    return this.#doubts.absurd;
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
    this.#doubts.absurd = true;
    return 0;
  }

  nested(name: string): Fields {
    return new Fields(this.value(name) ?? {}, this.#doubts);
  }

  list(name: string): Fields[] {
    const value = this.value(name) ?? [];
    if (Array.isArray(value)) return value.map((entry) => new Fields(entry, this.#doubts));
    this.#doubts.absurd = true;
    return [];
  }

  mustBeNothing(name: string): void {
    if (this.count(name) > 0) this.#doubts.absurd = true;
  }
}

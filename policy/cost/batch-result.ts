import { add, max, MAX_CALL_NANO, type Nano, ZERO } from '../core/money.ts';
import type { CallRecord } from '../core/usage-record.ts';
import { type CacheSavings, cacheSavings } from '../prices/cache-savings.ts';
import { isSameModel, knownName, type PriceBook } from '../prices/price-book.ts';
import { billedTokens, cost, hasUnknownModel } from '../prices/usage-cost.ts';
import { readUsage, type Tokens, type Usage, usageRecordFields } from '../prices/usage.ts';
import type { BatchMeta, UnknownInBatch } from './batch-meta.ts';
import { type Ending, endingCost } from './ending-cost.ts';

/** What one line of a batch's results costs, and its usage record. */
export interface BatchLine {
  /** The line says how its request ended; other text is no result. */
  readonly isResult: boolean;
  readonly costNano: Nano;
  readonly record: CallRecord;
  /** What it was billed for; null if that is not known, as is `cache`. */
  readonly tokens: Tokens | null;
  readonly cache: CacheSavings | null;
  /** The model's name in the price book; null if it is not there. */
  readonly model: string | null;
}

export interface LinePosition {
  /** The upstream's id of the batch, and the id of the call that sent it. */
  readonly batch: string;
  readonly call: string;
  readonly index: number;
  /** When the upstream had finished the batch. Milliseconds. */
  readonly endedAt: number;
}

type Fields = Readonly<Record<string, unknown>>;

interface LineCost {
  readonly costNano: Nano;
  readonly estimated: boolean;
  readonly usage: Usage | null;
  readonly cache: CacheSavings | null;
  readonly model: string | null;
  /** The upstream's id of the answer. */
  readonly message: string | null;
}

/** The endings that a result names; every other result is that of a request that succeeded. */
const UNSUCCESSFUL: ReadonlyMap<unknown, Ending> = new Map([
  ['errored', 'Errored'],
  ['canceled', 'Canceled'],
  ['expired', 'Expired'],
]);
/** The most that an integer column holds: 24 days. */
const MOST_MS = 2 ** 31 - 1;
const CUSTOM_ID = /^[A-Za-z0-9_-]{1,64}$/;

/**
 * Settles a line. A request that succeeded costs what its usage says, at the higher of the prices at admission and at the
 * end of the batch, also above its worst case; one that did not succeed costs nothing. A line that cannot be read costs the
 * highest worst case of the batch's requests. Never throws.
 */
export function settleBatchLine(text: string, meta: BatchMeta, book: PriceBook, position: LinePosition): BatchLine {
  const line = parsed(text);
  const result = object(line['result']);
  const failed = UNSUCCESSFUL.get(result['type']);
  const message = failed === undefined ? messageCost(object(result['message']), meta, book, position.endedAt) : NO_COST;
  const ending = failed ?? (message.usage === null ? 'Unreported' : 'Answered');
  const lineCost = { ...message, costNano: settledCost(ending, meta.highestNano, message.costNano) };
  const id = line['custom_id'];
  const name = typeof id === 'string' && CUSTOM_ID.test(id) ? id : `#${position.index}`;
  const record = {
    ...lineRecord(meta, book, position, lineCost),
    ...unknownOf(meta, book, lineCost),
    id: `${position.call}/batch/${name}`,
    ending,
  };
  return lineOf(typeof result['type'] === 'string', lineCost, record, book);
}

/** Settles a batch whose results are gone: all that is left of its worst case is booked, because its cost stays unknown. */
export function settleLostBatch(leftNano: Nano, meta: BatchMeta, book: PriceBook, position: LinePosition): BatchLine {
  const ending = 'Lost';
  const costNano = settledCost(ending, leftNano, ZERO);
  const lineCost = { ...NO_COST, costNano, estimated: true, model: meta.model };
  const record = { ...lineRecord(meta, book, position, lineCost), id: `${position.call}/batch/#lost`, ending };
  return lineOf(true, lineCost, record, book);
}

/** What would stay presumed of a call is settled here: a batch is closed with its last line, and nothing would correct it. */
function settledCost(ending: Ending, worstNano: Nano, reportedNano: Nano): Nano {
  const { costNano, presumedNano } = endingCost(ending, worstNano, () => reportedNano);
  return add(costNano, presumedNano);
}

function lineOf(isResult: boolean, lineCost: LineCost, record: CallRecord, book: PriceBook): BatchLine {
  const { costNano, usage, cache, model } = lineCost;
  const known = model === null ? null : knownName(book, model);
  const tokens = usage === null || model === null ? null : billedTokens(usage, model);
  return { isResult, costNano, record, tokens, cache, model: known };
}

const NO_COST: LineCost = { costNano: ZERO, estimated: false, usage: null, cache: null, model: null, message: null };

function messageCost(message: Fields, meta: BatchMeta, book: PriceBook, endedAt: number): LineCost {
  const { id, model: served } = message;
  const model = typeof served === 'string' ? served : meta.model;
  const usage = { ...readUsage(message['usage']), declined: isDeclined(message) };
  const name = typeof id === 'string' ? id : null;
  const unknown = { ...NO_COST, estimated: true, model, message: name };
  if (model === null || usage.absurd) return unknown;
  const asked = meta.asked.length > 0 ? meta.asked : [meta.model ?? model];
  const price = (used: Usage): Nano => {
    const costs = asked.flatMap((one) => [meta.at, endedAt].map((at) => cost(used, model, book, at, one)));
    return costs.reduce(max);
  };
  const costNano = price(usage);
  if (costNano > MAX_CALL_NANO) return unknown;
  const estimated = usage.uncertain || hasUnknownModel(usage, model, book);
  return { costNano, estimated, usage, cache: cacheSavings(usage, price), model, message: name };
}

/** A refusal before any content is not billed. */
function isDeclined({ stop_reason: reason, content }: Fields): boolean {
  return reason === 'refusal' && Array.isArray(content) && content.length === 0;
}

/** The unknown names that requests to the model had, and whether the result cost more than was set aside for one of them. */
function unknownOf(
  meta: BatchMeta,
  book: PriceBook,
  { model, costNano, usage }: LineCost,
): Pick<CallRecord, 'unknown'> {
  if (meta.unknown === undefined || usage === null) return {};
  const groups = unknownOfModel(meta, meta.unknown, book, model);
  const exceeded = groups.filter(({ boundNano }) => costNano > boundNano);
  const names = new Set((exceeded.length > 0 ? exceeded : groups).flatMap((group) => group.names));
  return names.size === 0 ? {} : { unknown: JSON.stringify({ names: [...names], exceeded: exceeded.length > 0 }) };
}

/** Where all requests asked for one model, and another one answered, any of the names may be the cause. */
function unknownOfModel(
  meta: BatchMeta,
  groups: readonly UnknownInBatch[],
  book: PriceBook,
  model: string | null,
): readonly UnknownInBatch[] {
  const mayAnswer = (models: readonly string[]): boolean =>
    models.length === 0 || models.some((one) => model !== null && isSameModel(book, one, model));
  const own = groups.filter(({ models }) => mayAnswer(models));
  return own.length > 0 || meta.model === null ? own : groups;
}

function lineRecord(meta: BatchMeta, book: PriceBook, { batch, endedAt }: LinePosition, line: LineCost): CallRecord {
  // Of the first request.
  const { unknown: _, ...shared } = meta.record;
  return {
    ...shared,
    ...usageRecordFields(line.usage),
    timestamp: new Date(endedAt).toISOString(),
    model: line.model ?? meta.model,
    asked_model: meta.model,
    cost_nano: String(line.costNano),
    presumed_nano: '0',
    worst_nano: String(meta.highestNano),
    estimated: line.estimated,
    price_version: book.version,
    request_id: line.message,
    batch,
    duration_ms: Math.min(Math.max(0, endedAt - meta.at), MOST_MS),
  };
}

function parsed(text: string): Fields {
  try {
    return object(JSON.parse(text));
  } catch {
    return {};
  }
}

function object(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

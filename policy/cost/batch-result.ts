/** What one line of a batch's results costs, and the row that the log keeps of it. */

import { MOST_NANO } from '../core/money.ts';
import type { CallRecord } from '../core/usage-record.ts';
import { type CacheEffect, cacheEffect } from '../prices/cache-effect.ts';
import { knownName, type PriceBook } from '../prices/price-book.ts';
import { usageFields } from '../prices/usage-fields.ts';
import { billedTokens, cost, isAbsurd, readUsage, type Tokens, type Usage } from '../prices/usage.ts';
import type { BatchMeta } from './batch-meta.ts';

/** A line, booked. */
export interface BatchLine {
  readonly costNano: bigint;
  readonly record: CallRecord;
  /** What it was billed for; null where that is not known, as in `cache`. */
  readonly tokens: Tokens | null;
  readonly cache: CacheEffect | null;
  /** As the price book names it; null where it does not know it. */
  readonly model: string | null;
}

/** Where a line stands: of which batch, and how manieth. */
export interface LinePlace {
  /** The upstream's id of the batch, and the id of the call that sent it. */
  readonly batch: string;
  readonly call: string;
  readonly index: number;
  /** When the upstream had finished the batch. Milliseconds. */
  readonly endedAt: number;
}

type Fields = Readonly<Record<string, unknown>>;

interface Booked {
  readonly costNano: bigint;
  readonly estimated: boolean;
  readonly usage: Usage | null;
  readonly cache: CacheEffect | null;
  readonly model: string | null;
  /** The upstream's name for the answer. */
  readonly message: string | null;
}

/** What has no cost, by `result.type`. */
const FREE = new Set(['errored', 'canceled', 'expired']);
/** As much as an integer column holds: 24 days. */
const MOST_MS = 2 ** 31 - 1;
const CUSTOM_ID = /^[A-Za-z0-9_-]{1,64}$/;

/**
 * Books a line: what succeeded costs what its usage says, at the dearer of the prices at which the batch was admitted and
 * at which it ended, and what did not succeed costs nothing. A line that cannot be read costs as much as the dearest
 * request could. Never throws.
 */
export function settleBatchLine(text: string, meta: BatchMeta, book: PriceBook, place: LinePlace): BatchLine {
  const line = parsed(text);
  const result = object(line['result']);
  const type = String(result['type']);
  const booked = FREE.has(type) ? NOTHING : bookMessage(object(result['message']), meta, book, place.endedAt);
  const id = line['custom_id'];
  const name = typeof id === 'string' && CUSTOM_ID.test(id) ? id : `#${place.index}`;
  const record = {
    ...lineRecord(meta, book, place, booked),
    id: `${place.call}/batch/${name}`,
    ending: endingOf(type),
  };
  return lineOf(booked, record, book);
}

/** Books all that is left of a batch whose results are gone: nobody will ever know what it cost. */
export function settleLostBatch(leftNano: bigint, meta: BatchMeta, book: PriceBook, place: LinePlace): BatchLine {
  const booked = { ...NOTHING, costNano: leftNano, estimated: true, model: meta.model };
  const record = { ...lineRecord(meta, book, place, booked), id: `${place.call}/batch/#lost`, ending: 'Lost' };
  return lineOf(booked, record, book);
}

function lineOf({ costNano, usage, cache, model }: Booked, record: CallRecord, book: PriceBook): BatchLine {
  const known = model === null ? null : knownName(book, model);
  const tokens = usage === null || model === null ? null : billedTokens(usage, model);
  return { costNano, record, tokens, cache, model: known };
}

const NOTHING: Booked = { costNano: 0n, estimated: false, usage: null, cache: null, model: null, message: null };

function bookMessage(message: Fields, meta: BatchMeta, book: PriceBook, endedAt: number): Booked {
  const { id, model: served } = message;
  const model = typeof served === 'string' ? served : meta.model;
  const usage = { ...readUsage(message['usage']), declined: isDeclined(message) };
  const name = typeof id === 'string' ? id : null;
  const unknown = { ...NOTHING, costNano: meta.highestNano, estimated: true, model, message: name };
  if (model === null || isAbsurd(usage, model, book, meta.at, meta.maxInferences ?? Infinity)) return unknown;
  const asked = meta.asked.length > 0 ? meta.asked : [model];
  const price = (used: Usage): bigint => {
    const costs = asked.flatMap((one) => [meta.at, endedAt].map((at) => cost(used, model, book, at, one)));
    return costs.reduce((dearest, one) => (one > dearest ? one : dearest));
  };
  const costNano = price(usage);
  if (costNano > MOST_NANO) return unknown;
  return { costNano, estimated: usage.repriced, usage, cache: cacheEffect(usage, price), model, message: name };
}

/** A refusal before any content is not billed. */
function isDeclined({ stop_reason: reason, content }: Fields): boolean {
  return reason === 'refusal' && Array.isArray(content) && content.length === 0;
}

function lineRecord(meta: BatchMeta, book: PriceBook, { batch, endedAt }: LinePlace, booked: Booked): CallRecord {
  return {
    ...meta.record,
    ...usageFields(booked.usage),
    timestamp: new Date(endedAt).toISOString(),
    model: booked.model ?? meta.model,
    asked_model: meta.model,
    cost_nano: String(booked.costNano),
    presumed_nano: '0',
    worst_nano: String(meta.highestNano),
    estimated: booked.estimated,
    price_version: book.version,
    request_id: booked.message,
    batch,
    duration_ms: Math.min(Math.max(0, endedAt - meta.at), MOST_MS),
  };
}

function endingOf(type: string): string {
  return FREE.has(type) ? `${type.charAt(0).toUpperCase()}${type.slice(1)}` : 'Answered';
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

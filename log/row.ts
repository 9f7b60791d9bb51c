import type { StreamEntry, UsageRecord } from '../ledger/streams.ts';
import { type ColumnName, type ColumnType, columnTypes } from './columns.ts';
import { isState, type RecordState } from './record-state.ts';

/** What a column takes, as JSON that Postgres reads. */
export type Value = string | number | boolean | null | Readonly<Record<string, unknown>> | readonly unknown[];

/** One entry of the stream as a row of the table of calls. */
export interface Row {
  readonly id: string;
  readonly state: RecordState;
  /** What it cost, or while that is presumed what is presumed. Nano-dollars. */
  readonly amountNano: bigint;
  /** By column; what is absent is null. */
  readonly values: Readonly<Record<string, Value>>;
  /** What the poller needs to know of the Message Batch whose money the row is about: JSON; else null. */
  readonly meta: string | null;
  readonly counters: readonly string[];
  /** Milliseconds since the epoch. */
  readonly keepUntil: number;
}

/** An entry of which no row could be made, or not all of one: kept as it came, for a person. */
export interface DeadLetter {
  readonly entry: StreamEntry;
  readonly problem: string;
}

/** The largest amount of a counter of the ledger, and so of a call. */
const MAX_NANO = 2n ** 63n - 1n;
const MAX_INTEGER = 2 ** 31 - 1;
/** Longer texts are cut: an index takes no more, and nobody reads it. */
const MAX_TEXT = 1000;
/** Postgres reads no other years as they are written here. */
const LAST_INSTANT = Date.parse('9999-12-31T23:59:59.999Z');

/** What a row has whatever else is wrong: which call it is, when, and what it cost. */
const BARE = new Set<ColumnName>(['id', 'state', 'cost_nano', 'presumed_nano', 'worst_nano']);

/**
 * Reads an entry. A field that has no place in its column is left out of the row and comes with a letter; without an
 * id or the money there is only a letter.
 */
export function readEntry(entry: StreamEntry): { row: Row | null; letter: DeadLetter | null } {
  const problems: string[] = [];
  const read = <T>(name: string, reader: () => T): T | null => {
    try {
      return reader();
    } catch (error) {
      problems.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
      return null;
    }
  };
  const bare = read('row', () => bareRow(entry));
  const row = bare && { ...bare, values: { ...bare.values, ...describe(entry.record, read) } };
  return { row, letter: problems.length === 0 ? null : { entry, problem: problems.join('; ') } };
}

type Read = <T>(name: string, reader: () => T) => T | null;

function describe(record: UsageRecord, read: Read): Record<string, Value> {
  const values: Record<string, Value> = {};
  for (const [name, { type, field = name }] of columnTypes) {
    if (BARE.has(name) || name === 'details') continue;
    const value = read(field, () => valueOf(type, record[field]));
    if (value !== null) values[name] = value;
  }
  return { ...values, details: detailsOf(record) };
}

/** The row with nothing in it but which call it is and what it cost. Throws where even that is not to be had. */
export function bareRow(entry: StreamEntry): Row {
  const { record } = entry;
  const { id, state = 'final' } = record;
  if (typeof id !== 'string' || id === '' || id.length > MAX_TEXT) throw new TypeError('there is no usable id');
  if (!isState(state)) throw new TypeError(`there is no state ${JSON.stringify(state)}`);
  const money = moneyOf(state, record);
  return {
    id: clean(id),
    state,
    amountNano: BigInt(state === 'presumed' ? money.presumed_nano : money.cost_nano),
    values: { id: clean(id), state, time: new Date(arrivalOf(entry)).toISOString(), ...money },
    meta: typeof record['meta'] === 'string' ? clean(record['meta']) : null,
    counters: entry.counters.map(clean),
    keepUntil: entry.keepUntil,
  };
}

/** Amounts as decimal digits. What is presumed costs nothing yet, and its worst case is what is presumed. */
function moneyOf(state: RecordState, { cost_nano: cost, presumed_nano: presumed, worst_nano: worst }: UsageRecord) {
  const isPresumed = state === 'presumed';
  return {
    cost_nano: isPresumed ? '0' : nano(cost),
    presumed_nano: nano(isPresumed ? worst : (presumed ?? '0')),
    worst_nano: worst === undefined || worst === null ? null : nano(worst),
  };
}

/** When the ledger took the entry. Milliseconds since the epoch. */
export function arrivalOf({ entry }: StreamEntry): number {
  return Number(entry.split('-')[0]);
}

/** Null for what is not there. Throws where the column cannot take it. */
function valueOf(type: ColumnType, value: unknown): Value {
  return value === undefined || value === null ? null : READERS[type](value);
}

const READERS: Readonly<Record<ColumnType, (value: unknown) => Value>> = {
  text,
  timestamptz: instant,
  integer: (value) => integer(value, MAX_INTEGER),
  bigint: (value) => integer(value, Number.MAX_SAFE_INTEGER),
  boolean,
  jsonb: json,
};

function text(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError('is no text');
  return clean(value.slice(0, MAX_TEXT));
}

function boolean(value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw new TypeError('is neither true nor false');
}

function integer(value: unknown, most: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= most) return value;
  throw new TypeError(`is no whole number up to ${most}`);
}

function instant(value: unknown): string {
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  if (ms >= 0 && ms <= LAST_INSTANT) return new Date(ms).toISOString();
  throw new TypeError('is no instant');
}

/** An amount in decimal digits, since JSON's numbers do not hold all of them. */
function nano(value: unknown): string {
  const isAmount = typeof value === 'string' && /^\d{1,19}$/.test(value) && BigInt(value) <= MAX_NANO;
  if (!isAmount) throw new TypeError(`${JSON.stringify(value)} is no amount`);
  return value;
}

/** The record is flat, so objects and lists come as their JSON. */
function json(value: unknown): Value {
  const parsed: unknown = typeof value === 'string' ? JSON.parse(value) : value;
  if (typeof parsed !== 'object' || parsed === null) throw new TypeError('is neither an object nor a list');
  return cleanValue(parsed) as Value;
}

/** What has a column, here or in the table of batches. */
const FIELDS: ReadonlySet<string> = new Set([...columnTypes.map(([name, { field = name }]) => field), 'meta']);

function detailsOf(record: UsageRecord): Value {
  const others = Object.entries(record).filter(([field, value]) => !FIELDS.has(field) && value !== null);
  return others.length === 0 ? null : cleaned(Object.fromEntries(others));
}

function cleaned(value: object): Readonly<Record<string, unknown>> {
  const entries = Object.entries(value).map(([name, each]: [string, unknown]) => [clean(name), cleanValue(each)]);
  return Object.fromEntries(entries) as Record<string, unknown>;
}

function cleanValue(value: unknown): unknown {
  if (typeof value === 'string') return clean(value);
  if (Array.isArray(value)) return value.map(cleanValue);
  return typeof value === 'object' && value !== null ? cleaned(value) : value;
}

/** Postgres keeps neither NUL nor half a surrogate pair. */
export function clean(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\u{FFFD}');
}

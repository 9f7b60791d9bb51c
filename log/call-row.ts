import type { StreamEntry } from '../ledger/streams.ts';
import { decodeNano, MAX_NANO, type Nano } from '../policy/core/money.ts';
import type { ColumnType, RecordState, StreamedRecord, UsageColumn } from '../policy/core/usage-record.ts';
import { callColumns, RECORD_STATES } from '../policy/core/usage-record.ts';
import { wholeOf } from './row-ids.ts';
import { sharedColumns } from './shared-columns.ts';

/** What a column takes, as JSON that Postgres reads. */
type Value = string | number | boolean | null | Readonly<Record<string, unknown>> | readonly unknown[];

/** A row, or a part of it; what is absent is null. */
export type Values = Readonly<Partial<Record<UsageColumn, Value>>>;

/** One entry of the stream as a row of the table `calls`. */
export interface Row {
  readonly id: string;
  readonly state: RecordState;
  /** The cost, or the presumed amount while the cost is not known. Nano-dollars. */
  readonly amountNano: Nano;
  /** By column; what is absent is null. */
  readonly values: Values;
  /** In the record that a Message Batch starts with: what is needed to put it back into a ledger, as JSON. Else null. */
  readonly meta: string | null;
  readonly counters: readonly string[];
  /** Milliseconds since the epoch. */
  readonly keepUntil: number;
}

/** An entry of a stream that could not become a row, or not completely: kept as it came, for a person to look at. */
export interface DeadLetter {
  /** The id of the entry, unique among both streams. */
  readonly entry: string;
  readonly record: unknown;
  readonly counters: readonly string[];
  /** Milliseconds since the epoch. */
  readonly keepUntil: number;
  readonly problem: string;
}

const MAX_INTEGER = 2 ** 31 - 1;
/** Longer texts are cut, because an index does not take them. Characters. */
const MAX_TEXT = 1000;
/** Postgres does not read later years in the form that toISOString gives them. */
const LAST_INSTANT = Date.parse('9999-12-31T23:59:59.999Z');

/** The columns that `minimalRow` fills. */
const MINIMAL = new Set<UsageColumn>(['id', 'state', 'cost_nano', 'presumed_nano', 'worst_nano', 'counters']);
const SHARED = new Set<UsageColumn>(sharedColumns);

/**
 * Decodes an entry. A field that its column cannot take is left out of the row and reported in a dead letter. Without an
 * id or an amount there is no row, only the dead letter.
 */
export function readEntry(entry: StreamEntry): { row: Row | null; deadLetter: DeadLetter | null } {
  const problems: string[] = [];
  const attempt = <T>(name: string, read: () => T): T | null => {
    try {
      return read();
    } catch (error) {
      problems.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
      return null;
    }
  };
  const minimal = attempt('row', () => minimalRow(entry));
  const row = minimal && { ...minimal, values: { ...minimal.values, ...readColumns(entry.record, attempt) } };
  return { row, deadLetter: problems.length === 0 ? null : { ...entry, problem: problems.join('; ') } };
}

type Attempt = <T>(name: string, read: () => T) => T | null;

function readColumns(record: StreamedRecord, attempt: Attempt): Values {
  const values: Partial<Record<UsageColumn, Value>> = { details: detailsOf(record) };
  const requests = recordOfRequests(record);
  for (const { name, field, type } of callColumns) {
    if (MINIMAL.has(name) || field === null) continue;
    const value = attempt(field, () => valueOf(type, record[field] ?? (SHARED.has(name) ? requests[field] : null)));
    if (value !== null) values[name] = value;
  }
  return values;
}

/** What the records of all requests share, in the record that a Message Batch starts with; otherwise nothing. */
function recordOfRequests({ meta }: StreamedRecord): StreamedRecord {
  if (typeof meta !== 'string') return {};
  try {
    return (JSON.parse(meta) as { record?: StreamedRecord } | null)?.record ?? {};
  } catch {
    return {};
  }
}

/** A row with only the id, the state, the time and the money. Throws if even these cannot be read. */
export function minimalRow(entry: StreamEntry): Row {
  const { record, counters, keepUntil } = entry;
  const { id, state = 'final', meta } = record;
  if (typeof id !== 'string' || id === '' || id.length > MAX_TEXT) throw new TypeError('there is no usable id');
  if (!isState(state)) throw new TypeError(`there is no state ${JSON.stringify(state)}`);
  const money = moneyOf(state, record);
  const named = counters.map(clean);
  const calls = wholeOf(id) === null ? {} : { calls: 0 };
  return {
    id: clean(id),
    state,
    amountNano: decodeNano(state === 'presumed' ? money.presumed_nano : money.cost_nano),
    values: {
      id: clean(id),
      state,
      time: new Date(arrivalOf(entry)).toISOString(),
      ...money,
      counters: named,
      ...calls,
    },
    meta: typeof meta === 'string' ? clean(meta) : null,
    counters: named,
    keepUntil,
  };
}

function isState(value: unknown): value is RecordState {
  return RECORD_STATES.some((state) => state === value);
}

/** Amounts as decimal digits. A presumed call costs nothing yet; its worst case is what is presumed. */
function moneyOf(state: RecordState, { cost_nano: cost, presumed_nano: presumed, worst_nano: worst }: StreamedRecord) {
  const isPresumed = state === 'presumed';
  return {
    cost_nano: isPresumed ? '0' : amount(cost),
    presumed_nano: amount(isPresumed ? worst : (presumed ?? '0')),
    worst_nano: worst === undefined || worst === null ? null : amount(worst),
  };
}

/** When the ledger took the entry. Milliseconds since the epoch. */
export function arrivalOf({ entry }: Pick<StreamEntry, 'entry'>): number {
  return Number(entry.split('-')[0]);
}

/** Null for what is absent. Throws if the column cannot take the value. */
function valueOf(type: ColumnType, value: unknown): Value {
  return value === undefined || value === null ? null : READERS[type](value);
}

const READERS: Readonly<Record<ColumnType, (value: unknown) => Value>> = {
  text,
  timestamptz: instant,
  integer: (value) => integer(value, MAX_INTEGER),
  bigint: (value) => integer(value, Number.MAX_SAFE_INTEGER),
  nano: amount,
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

function amount(value: unknown): string {
  const isAmount = typeof value === 'string' && /^\d{1,19}$/.test(value) && BigInt(value) <= MAX_NANO;
  if (!isAmount) throw new TypeError(`${JSON.stringify(value)} is no amount`);
  return value;
}

/** The record is flat, so objects and lists come as JSON text. */
function json(value: unknown): Value {
  const parsed: unknown = typeof value === 'string' ? JSON.parse(value) : value;
  if (typeof parsed !== 'object' || parsed === null) throw new TypeError('is neither an object nor a list');
  return cleanValue(parsed) as Value;
}

/** The fields that have a column, in `calls` or in `batches`. */
const KNOWN: ReadonlySet<string> = new Set([...callColumns.map(({ field }) => field ?? 'details'), 'meta']);

function detailsOf(record: StreamedRecord): Value {
  const others = Object.entries(record).filter(([field, value]) => !KNOWN.has(field) && value !== null);
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

/** Postgres takes neither NUL nor half of a surrogate pair. */
export function clean(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\u{FFFD}');
}

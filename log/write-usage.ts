import { add, decodeNano, type Nano, subtract, ZERO } from '../policy/core/money.ts';
import { callColumns, RECORD_STATES, type RecordState } from '../policy/core/usage-record.ts';
import type { DeadLetter, Row, Values } from './call-row.ts';
import type { Query } from './database/database.ts';
import { writeBatches } from './message-batches.ts';
import { wholeOf } from './row-ids.ts';
import { sharedColumns, sharedOf } from './shared-columns.ts';
import { writeDeadLetters } from './write-dead-letters.ts';

const names = callColumns.map(({ name }) => name);
const list = names.join(', ');
const typed = callColumns.map(({ name, sqlType }) => `${name} ${sqlType}`).join(', ');
const replacing = names.filter((name) => name !== 'id').map((name) => `${name} = excluded.${name}`);

const FIND_CALLS = `
select c.id, c.state, (case c.state when 'presumed' then c.presumed_nano else c.cost_nano end)::text as amount,
  (coalesce(c.original_nano, c.cost_nano) - c.cost_nano)::text as corrected, ${sharedColumns.map((name) => `c.${name}`).join(', ')}
from calls c join json_array_elements_text($1::json) as asked (id) on asked.id = c.id`;

const UPSERT_CALLS = `
insert into calls (${list}) select ${list} from json_to_recordset($1::json) as given (${typed})
on conflict (id) do update set ${replacing.join(', ')}`;

const ADD_TO_TOTALS = `
insert into totals as t (counter, keep_until, spent_nano, corrected_nano, presumed_nano, requests)
select * from json_to_recordset($1::json)
  as given (counter text, keep_until bigint, spent_nano numeric, corrected_nano numeric, presumed_nano numeric, requests bigint)
on conflict (counter) do update set
  keep_until = greatest(t.keep_until, excluded.keep_until),
  spent_nano = t.spent_nano + excluded.spent_nano,
  corrected_nano = coalesce(t.corrected_nano + excluded.corrected_nano, t.corrected_nano, excluded.corrected_nano),
  presumed_nano = t.presumed_nano + excluded.presumed_nano,
  requests = t.requests + excluded.requests`;

/**
 * Writes rows and dead letters, in a transaction that holds the log's lock. A row that tells no more than the table knows
 * changes nothing, so the same entries may come any number of times. Returns how many rows were inserted or replaced.
 */
export async function writeUsage(
  query: Query,
  rows: readonly Row[],
  deadLetters: readonly DeadLetter[],
): Promise<number> {
  const plan = planUpsert(rows, await findCalls(query, rows));
  if (plan.rows.length > 0) await query(UPSERT_CALLS, [JSON.stringify(plan.rows.map(({ values }) => values))]);
  if (plan.totals.length > 0) await query(ADD_TO_TOTALS, [JSON.stringify(plan.totals.map(totalRow))]);
  await writeBatches(query, rows);
  await writeDeadLetters(query, deadLetters);
  return plan.rows.length;
}

async function findCalls(query: Query, rows: readonly Row[]): Promise<ReadonlyMap<string, KnownCall>> {
  if (rows.length === 0) return new Map();
  const ids = new Set(rows.flatMap(({ id }) => [id, wholeOf(id) ?? id]));
  type Found = Readonly<Record<'id' | 'amount' | 'corrected', string>> & { readonly state: RecordState } & Values;
  const found = await query<Found>(FIND_CALLS, [JSON.stringify([...ids])]);
  return new Map(
    found.map(({ id, state, amount, corrected, ...values }) => {
      return [id, { state, amountNano: decodeNano(amount), correctedNano: decodeNano(corrected), values }];
    }),
  );
}

function totalRow({ counter, keepUntil, spentNano, correctedNano, presumedNano, requests }: TotalChange) {
  // Null leaves a counter that nobody has corrected as one.
  const corrected_nano = correctedNano === 0n ? null : `${correctedNano}`;
  const money = { spent_nano: `${spentNano}`, corrected_nano, presumed_nano: `${presumedNano}` };
  return { counter, keep_until: keepUntil, ...money, requests };
}

/** What the table holds of a call. */
export interface KnownCall {
  readonly state: RecordState;
  /** The cost, or the presumed amount while the cost is not known. Nano-dollars. */
  readonly amountNano: Nano;
  /** What people have taken out of the cost by correcting it; negative if they added to it. Nano-dollars. */
  readonly correctedNano: Nano;
  /** At least what it has in the shared columns. */
  readonly values: Values;
}

/** What a call adds to each of its counters. Nano-dollars. */
interface Contribution {
  readonly spentNano: Nano;
  readonly correctedNano: Nano;
  readonly presumedNano: Nano;
  readonly requests: number;
}

/** By how much the totals of a counter change; `keepUntil` in milliseconds. */
export interface TotalChange extends Contribution {
  readonly counter: string;
  readonly keepUntil: number;
}

/** Which rows to insert or replace, and how the totals of their counters change. Pure. */
export interface UpsertPlan {
  readonly rows: readonly Row[];
  readonly totals: readonly TotalChange[];
}

const NOTHING: Contribution = { spentNano: ZERO, correctedNano: ZERO, presumedNano: ZERO, requests: 0 };

/**
 * Plans for rows in the order of the stream; `known` is what the table holds of their ids, and of the calls that they belong
 * to. The ledger does not know whose call it presumes or resolves, so a row inherits that from the row that it replaces, or
 * from its call. What people have corrected of a row ends with it, where more becomes known of its call.
 */
export function planUpsert(rows: readonly Row[], known: ReadonlyMap<string, KnownCall>): UpsertPlan {
  const planned = new Map<string, Row>();
  const totals = new Map<string, TotalChange>();
  for (const row of rows) {
    const replaced = planned.get(row.id);
    const before = replaced === undefined ? known.get(row.id) : { ...replaced, correctedNano: ZERO };
    if (before !== undefined && !knowsMore(row.state, before.state)) continue;
    const whole = wholeOf(row.id);
    const call = whole === null ? undefined : (planned.get(whole) ?? known.get(whole));
    planned.set(row.id, inheriting(row, call, before));
    const from = before === undefined ? NOTHING : contribution(before);
    const to = contribution({ ...row, correctedNano: ZERO });
    for (const counter of row.counters) {
      const sum = totals.get(counter) ?? { ...NOTHING, keepUntil: 0 };
      totals.set(counter, {
        counter,
        keepUntil: Math.max(row.keepUntil, sum.keepUntil),
        spentNano: subtract(add(sum.spentNano, to.spentNano), from.spentNano),
        correctedNano: subtract(add(sum.correctedNano, to.correctedNano), from.correctedNano),
        presumedNano: subtract(add(sum.presumedNano, to.presumedNano), from.presumedNano),
        requests: sum.requests + to.requests - from.requests,
      });
    }
  }
  return { rows: [...planned.values()], totals: [...totals.values()] };
}

/** The row with what it lacks of the shared columns. Most rows are the first of their call and lack nothing. */
function inheriting(row: Row, ...from: readonly (Pick<KnownCall, 'values'> | undefined)[]): Row {
  const known = from.flatMap((one) => (one === undefined ? [] : [sharedOf(one.values)]));
  return known.length === 0 ? row : { ...row, values: Object.assign({}, ...known, row.values) as Values };
}

/** Whether a record replaces an earlier one of the same call. A record of the same rank changes nothing. */
function knowsMore(next: RecordState, before: RecordState): boolean {
  return RECORD_STATES.indexOf(next) > RECORD_STATES.indexOf(before);
}

/** Presumed money is not spent, and only a settled call counts as a request. */
function contribution({ state, amountNano, correctedNano }: Omit<KnownCall, 'values'>): Contribution {
  const isPresumed = state === 'presumed';
  return {
    spentNano: isPresumed ? ZERO : amountNano,
    correctedNano,
    presumedNano: isPresumed ? amountNano : ZERO,
    requests: state === 'final' ? 1 : 0,
  };
}

import type { CounterCorrection } from '../ledger/operator-ledger.ts';
import { decodeNano, max, type Nano, subtract, ZERO } from '../policy/core/money.ts';
import type { RecordState } from '../policy/core/usage-record.ts';
import { clean } from './call-row.ts';
import type { Query } from './database/database.ts';

/** What a call cost, as a person says. */
export interface Correction {
  /** Of a row of the usage log. */
  readonly id: string;
  readonly costNano: Nano;
  readonly reason: string;
}

/** A row of the usage log, as far as a correction needs it. */
export interface CorrectableCall {
  readonly state: RecordState;
  /** What it counts at now, and what it was booked at before any correction. Nano-dollars. */
  readonly costNano: Nano;
  readonly originalNano: Nano;
  /** What was reserved for it; null where the row does not say. Nano-dollars. */
  readonly worstNano: Nano | null;
  /** Null in a row of a version that did not write them. */
  readonly counters: readonly string[] | null;
}

/** Why a call cannot be corrected. */
type CorrectionProblem = 'Unknown' | 'Presumed' | 'WithoutCounters' | 'AboveWorst';

/** What became of a correction. `fromNano` is what the call cost before it; equal to `costNano` where that was so already. */
export interface Corrected extends Correction {
  readonly fromNano: Nano;
}

/** The first correction that cannot be made. `mostNano`: the highest cost that could be. */
export interface NotCorrected extends Correction {
  readonly problem: CorrectionProblem;
  readonly mostNano: Nano;
}

const FIND = `
select id, state, cost_nano::text as cost, coalesce(original_nano, cost_nano)::text as original,
  worst_nano::text as worst, counters::text as counters
from calls where id in (select json_array_elements_text($1::json))`;

const CORRECT_CALL = `
update calls set cost_nano = $2, original_nano = coalesce(original_nano, cost_nano) where id = $1`;

const ADD = `insert into corrections (time, call, from_nano, to_nano, reason) values ($1, $2, $3, $4, $5)`;

const CORRECT_TOTALS = `
update totals set spent_nano = spent_nano - $2::bigint, corrected_nano = coalesce(corrected_nano, 0) + $2::bigint
where counter in (select json_array_elements_text($1::json))`;

const READ = `
select counter, corrected_nano::text as corrected from totals where corrected_nano is not null and keep_until > $1`;

/** The rows that have one of the ids. */
export async function findCorrectable(
  query: Query,
  ids: readonly string[],
): Promise<ReadonlyMap<string, CorrectableCall>> {
  type Texts = Readonly<Record<'id' | 'cost' | 'original', string>>;
  type Found = Texts & { readonly state: RecordState; readonly worst: string | null; readonly counters: string | null };
  const rows = await query<Found>(FIND, [JSON.stringify(ids)]);
  return new Map(
    rows.map(({ id, state, cost, original, worst, counters }) => {
      const amounts = { costNano: decodeNano(cost), originalNano: decodeNano(original) };
      const worstNano = worst === null ? null : decodeNano(worst);
      return [
        id,
        { state, ...amounts, worstNano, counters: counters === null ? null : (JSON.parse(counters) as string[]) },
      ];
    }),
  );
}

/**
 * Corrects calls in a transaction that holds the log's lock: all of them, or none where one cannot be. A call costs nothing
 * at least, and at most what was reserved for it or what it was booked at, whichever is more. Idempotent: what a call costs
 * already changes nothing. `now` in milliseconds.
 */
export async function writeCorrections(
  query: Query,
  corrections: readonly Correction[],
  now: number,
): Promise<readonly Corrected[] | NotCorrected> {
  const calls = await findCorrectable(
    query,
    corrections.map(({ id }) => id),
  );
  for (const correction of corrections) {
    const mistaken = notCorrected(correction, calls.get(correction.id));
    if (mistaken !== null) return mistaken;
  }
  const corrected: Corrected[] = [];
  for (const correction of corrections) {
    const { id, costNano, reason } = correction;
    const { costNano: fromNano, counters } = calls.get(id)!;
    corrected.push({ ...correction, fromNano });
    if (costNano === fromNano) continue;
    await query(CORRECT_CALL, [id, `${costNano}`]);
    await query(ADD, [new Date(now).toISOString(), id, `${fromNano}`, `${costNano}`, clean(reason)]);
    await query(CORRECT_TOTALS, [JSON.stringify(counters), `${subtract(fromNano, costNano)}`]);
  }
  return corrected;
}

/** Why a correction of what the log has of its call cannot be made; null if it can. */
export function notCorrected(correction: Correction, found: CorrectableCall | undefined): NotCorrected | null {
  if (found === undefined) return { ...correction, problem: 'Unknown', mostNano: ZERO };
  const { state, counters, worstNano, originalNano } = found;
  const mostNano = max(worstNano ?? ZERO, originalNano);
  if (counters === null) return { ...correction, problem: 'WithoutCounters', mostNano };
  if (correction.costNano > mostNano) return { ...correction, problem: 'AboveWorst', mostNano };
  return state === 'presumed' ? { ...correction, problem: 'Presumed', mostNano } : null;
}

/** What people have corrected in every counter that is kept beyond `now` (milliseconds), where they ever did. */
export async function readCorrected(query: Query, now: number): Promise<readonly CounterCorrection[]> {
  const rows = await query<{ counter: string; corrected: string }>(READ, [now]);
  return rows.map(({ counter, corrected }) => ({ counter, correctedNano: decodeNano(corrected) }));
}

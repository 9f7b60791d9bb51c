import { arrivalOf, clean, type DeadLetter } from './call-row.ts';
import type { Query } from './database/database.ts';

const INSERT = `
insert into dead_letters (entry, time, problem, record, counters, keep_until)
select * from json_to_recordset($1::json)
  as given (entry text, time timestamptz, problem text, record text, counters text, keep_until bigint)
on conflict (entry) do nothing`;

/** Keeps entries that are not in their table as they came, in a transaction that holds the log's lock. */
export async function writeDeadLetters(query: Query, deadLetters: readonly DeadLetter[]): Promise<void> {
  if (deadLetters.length > 0) await query(INSERT, [JSON.stringify(deadLetters.map(rowOf))]);
}

function rowOf({ entry, record, counters, keepUntil, problem }: DeadLetter) {
  return {
    entry,
    time: new Date(arrivalOf({ entry })).toISOString(),
    problem: clean(problem),
    record: clean(JSON.stringify(record)),
    counters: clean(JSON.stringify(counters)),
    keep_until: keepUntil,
  };
}

import type { Query } from './database/database.ts';
import { arrivalOf, clean, type DeadLetter } from './row.ts';

const POST = `
insert into dead_letters (entry, time, problem, record, counters, keep_until)
select * from json_to_recordset($1::json)
  as given (entry text, time timestamptz, problem text, record text, counters text, keep_until bigint)
on conflict (entry) do nothing`;

/** Keeps what is not in its table as it came, in a transaction that holds the log's lock. */
export async function writeDeadLetters(query: Query, letters: readonly DeadLetter[]): Promise<void> {
  if (letters.length > 0) await query(POST, [JSON.stringify(letters.map(posted))]);
}

function posted({ entry, problem }: DeadLetter): Record<string, unknown> {
  const { record, counters, keepUntil } = entry;
  const raw = { record: clean(JSON.stringify(record)), counters: clean(JSON.stringify(counters)) };
  const time = new Date(arrivalOf(entry)).toISOString();
  return { entry: entry.entry, time, problem: clean(problem), ...raw, keep_until: keepUntil };
}

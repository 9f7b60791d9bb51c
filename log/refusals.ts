import type { RefusalEntry } from '../ledger/streams.ts';
import type { Query } from './database.ts';
import { clean } from './row.ts';

const COUNT = `
insert into refusals as r (minute, workspace, key, budget, reason, count)
select * from json_to_recordset($1::json)
  as given (minute timestamptz, workspace text, key text, budget text, reason text, count bigint)
on conflict (minute, workspace, key, budget, reason) do update set count = r.count + excluded.count`;

const REMEMBER = `
insert into positions (stream, entry) values ('refusals', $1)
on conflict (stream) do update set entry = excluded.entry`;

/** Adds refusals to their minutes in a transaction that holds the log's lock; what was added before is left out. */
export async function writeRefusals(query: Query, entries: readonly RefusalEntry[]): Promise<void> {
  const [position] = await query<{ entry: string }>(`select entry from positions where stream = 'refusals'`);
  const fresh = entries.filter(({ entry }) => position === undefined || isLater(entry, position.entry));
  const last = fresh.at(-1);
  if (last === undefined) return;
  await query(COUNT, [JSON.stringify([...summed(fresh).values()])]);
  await query(REMEMBER, [last.entry]);
}

interface Minute {
  readonly minute: string;
  readonly workspace: string;
  readonly key: string;
  readonly budget: string;
  readonly reason: string;
  readonly count: number;
}

/** One row for each of the same minute and kind: a statement may meet a row only once. */
function summed(entries: readonly RefusalEntry[]): ReadonlyMap<string, Minute> {
  const sums = new Map<string, Minute>();
  for (const { row } of entries) {
    const [workspace, key, budget, reason] = [row.workspace, row.key, row.budget, row.reason].map(clean);
    const what = { minute: new Date(row.minute).toISOString(), workspace, key, budget, reason } as Omit<
      Minute,
      'count'
    >;
    const name = JSON.stringify(what);
    sums.set(name, { ...what, count: row.count + (sums.get(name)?.count ?? 0) });
  }
  return sums;
}

/** Ids of entries are `<milliseconds>-<number>`. */
function isLater(entry: string, than: string): boolean {
  const [ms = 0, number = 0] = entry.split('-').map(Number);
  const [thanMs = 0, thanNumber = 0] = than.split('-').map(Number);
  return ms > thanMs || (ms === thanMs && number > thanNumber);
}

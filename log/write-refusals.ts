import type { RefusalEntry, RefusalRow } from '../ledger/streams.ts';
import { clean, type DeadLetter } from './call-row.ts';
import { type Query, RowRefused } from './database/database.ts';
import { writeDeadLetters } from './write-dead-letters.ts';

const ADD_COUNTS = `
insert into refusals as r (minute, workspace, workspace_uid, namespace_uid, key, budget, reason, count)
select * from json_to_recordset($1::json)
  as given (minute timestamptz, workspace text, workspace_uid text, namespace_uid text, key text, budget text, reason text, count bigint)
on conflict (minute, workspace, workspace_uid, namespace_uid, key, budget, reason) do update set count = r.count + excluded.count`;

const SAVE_POSITION = `
insert into positions (stream, entry) values ('refusals', $1)
on conflict (stream) do update set entry = excluded.entry`;

/**
 * Adds refusals to their minutes, in a transaction that holds the log's lock; entries that were added before are skipped.
 * With a `problem`, the entries become dead letters instead, which are returned. Throws `RowRefused` if one of them cannot
 * be added.
 */
export async function writeRefusals(
  query: Query,
  entries: readonly RefusalEntry[],
  problem: string | null = null,
): Promise<readonly DeadLetter[]> {
  const [position] = await query<{ entry: string }>(`select entry from positions where stream = 'refusals'`);
  const fresh = entries.filter(({ entry }) => position === undefined || isLater(entry, position.entry));
  const last = fresh.at(-1);
  if (last === undefined) return [];
  const deadLetters = problem === null ? [] : fresh.map((one) => deadLetterOf(one, problem));
  if (problem === null) await query(ADD_COUNTS, [JSON.stringify([...summed(fresh).values()])]);
  await writeDeadLetters(query, deadLetters);
  await query(SAVE_POSITION, [last.entry]);
  return deadLetters;
}

/** Both streams have the same form of ids, so the suffix keeps them apart. */
function deadLetterOf({ entry, row }: RefusalEntry, problem: string): DeadLetter {
  return { entry: `${entry}/refusals`, record: row, counters: [], keepUntil: 0, problem };
}

/** The columns of text by the fields of the row. */
const TEXTS = {
  workspace: 'workspace',
  workspaceUid: 'workspace_uid',
  namespaceUid: 'namespace_uid',
  key: 'key',
  budget: 'budget',
  reason: 'reason',
} as const satisfies Partial<Record<keyof RefusalRow, string>>;

type Texts = Readonly<Record<(typeof TEXTS)[keyof typeof TEXTS], string>>;

type Minute = Texts & { readonly minute: string; readonly count: number };

/** Adds up the entries of the same minute and kind, because one statement may update a row only once. */
function summed(entries: readonly RefusalEntry[]): ReadonlyMap<string, Minute> {
  const sums = new Map<string, Minute>();
  for (const { row } of entries) {
    const { count, ...what } = minuteOf(row);
    const name = JSON.stringify(what);
    sums.set(name, { ...what, count: count + (sums.get(name)?.count ?? 0) });
  }
  return sums;
}

/** Checks an entry: the stream may hold anything. */
function minuteOf(row: RefusalRow): Minute {
  try {
    const minute = new Date(row.minute).toISOString();
    // Gateways before schema 3 sent no uids.
    const given: Partial<RefusalRow> = row;
    const { workspaceUid = '', namespaceUid = '' } = given;
    const known = { ...row, workspaceUid, namespaceUid };
    const texts = Object.entries(TEXTS).map(([field, column]) => [column, clean(known[field as keyof typeof TEXTS])]);
    if (Number.isSafeInteger(row.count)) return { minute, ...(Object.fromEntries(texts) as Texts), count: row.count };
  } catch {
    // Thrown below.
  }
  throw new RowRefused('the entry is not a row of refusals');
}

/** Ids of entries are `<milliseconds>-<number>`. */
function isLater(entry: string, than: string): boolean {
  const [ms = 0, number = 0] = entry.split('-').map(Number);
  const [thanMs = 0, thanNumber = 0] = than.split('-').map(Number);
  return ms > thanMs || (ms === thanMs && number > thanNumber);
}

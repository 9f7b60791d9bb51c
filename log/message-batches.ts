import { type LoggedBatch, BATCH_OWNER_TTL_MS } from '../ledger/message-batches.ts';
import { decodeNano, ZERO } from '../policy/core/money.ts';
import type { Row } from './call-row.ts';
import type { Query } from './database/database.ts';
import { HELD } from './row-ids.ts';

const INSERT = `
insert into batches (id, time, batch, workspace, workspace_uid, namespace_uid, meta, worst_nano, counters, keep_until)
select * from json_to_recordset($1::json) as given (id text, time timestamptz, batch text, workspace text,
  workspace_uid text, namespace_uid text, meta text, worst_nano bigint, counters json, keep_until bigint)
on conflict (id) do nothing`;

const READ = `
select b.id, b.batch, b.workspace, b.workspace_uid, b.namespace_uid, b.meta, b.counters::text as counters, b.keep_until::text as keep,
  held.state <> 'presumed' as settled, count(line.id)::int as lines,
  greatest(b.worst_nano - coalesce(sum(coalesce(line.original_nano, line.cost_nano)), 0), 0)::text as left_nano
from batches b join calls held on held.id = b.id || '${HELD}'
left join calls line on line.batch = b.batch and line.state = 'final' and held.state = 'presumed'
where held.state = 'presumed' or b.time > $1::timestamptz
group by b.id, held.state`;

/** Inserts the Message Batches that rows start with, in a transaction that holds the log's lock; known ones stay as they are. */
export async function writeBatches(query: Query, rows: readonly Row[]): Promise<void> {
  const batches = rows.flatMap(({ id, meta, values, counters, keepUntil }) => {
    const { time, batch = null, workspace = null, worst_nano } = values;
    const { workspace_uid = '', namespace_uid = '' } = values;
    const owner = { workspace, workspace_uid, namespace_uid };
    const kept = { id: id.slice(0, -HELD.length), time, batch, ...owner, meta, worst_nano };
    return meta === null || batch === null || workspace === null ? [] : [{ ...kept, counters, keep_until: keepUntil }];
  });
  if (batches.length > 0) await query(INSERT, [JSON.stringify(batches)]);
}

type Texts =
  | 'id'
  | 'batch'
  | 'workspace'
  | 'workspace_uid'
  | 'namespace_uid'
  | 'meta'
  | 'counters'
  | 'keep'
  | 'left_nano';

type BatchRow = Readonly<Record<Texts, string>> & {
  readonly settled: boolean;
  readonly lines: number;
};

/** The Message Batches that are not settled, and those whose owner the ledger still knows at `now` (milliseconds). */
export async function readBatches(query: Query, now: number): Promise<readonly LoggedBatch[]> {
  const rows = await query<BatchRow>(READ, [new Date(now - BATCH_OWNER_TTL_MS).toISOString()]);
  return rows.map(({ workspace_uid, namespace_uid, counters, keep, lines, left_nano: left, ...batch }) => ({
    ...batch,
    workspaceUid: workspace_uid,
    namespaceUid: namespace_uid,
    settledLines: lines,
    reservedNano: batch.settled ? ZERO : decodeNano(left),
    counters: JSON.parse(counters) as string[],
    keepUntil: Number(keep),
  }));
}

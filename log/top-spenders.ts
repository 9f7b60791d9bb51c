import { decodeNano, type Nano } from '../policy/core/money.ts';
import type { Query } from './database/database.ts';

/** The attributes by which the log ranks spenders. */
export type SpenderKind = 'customer' | 'user';

/** Who spent how much since an instant. Nano-dollars. */
export interface SpenderRanking {
  readonly count: number;
  readonly totalNano: Nano;
  /** What the top tenth of them, rounded up, spent together. */
  readonly tenthNano: Nano;
  /** The one that spent most comes first. */
  readonly top: readonly { readonly name: string; readonly spentNano: Nano }[];
}

type RankedRow = Readonly<Record<'name' | 'nano' | 'count' | 'total' | 'tenth', string>>;

const COLUMNS: Readonly<Record<SpenderKind, string>> = { customer: 'customer', user: 'end_user' };

/** Ranks the values of an attribute in calls since an instant (milliseconds) and lists the first `most`. Throws `LogUnreachable`. */
export async function rankSpenders(
  query: Query,
  kind: SpenderKind,
  since: number,
  most: number,
): Promise<SpenderRanking> {
  const column = COLUMNS[kind];
  const rows = await query<RankedRow>(
    `with spent as (
       select ${column} as name, sum(cost_nano) as nano from calls
       where time >= to_timestamp($1) and ${column} <> '' group by 1
     ), ranked as (
       select name, nano, row_number() over (order by nano desc, name) as place, count(*) over () as count from spent
     ), summed as (
       select *, sum(nano) over () as total, sum(nano) filter (where place <= ceil(count / 10.0)) over () as tenth
       from ranked
     )
     select name, nano::text as nano, count::text as count, total::text as total, tenth::text as tenth
     from summed where place <= $2 order by place`,
    [since / 1000, most],
  );
  const { count = '0', total = '0', tenth = '0' } = rows[0] ?? {};
  return {
    count: Number(count),
    totalNano: decodeNano(total),
    tenthNano: decodeNano(tenth),
    top: rows.map(({ name, nano }) => ({ name, spentNano: decodeNano(nano) })),
  };
}

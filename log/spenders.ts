import type { Query } from './database/database.ts';

/** The attributes that the log can rank by. */
export type SpenderKind = 'customer' | 'user';

/** One of those who spent most. */
interface Dearest {
  readonly name: string;
  readonly spentNano: bigint;
}

/** Who spent how much since an instant. Nano-dollars. */
export interface Spenders {
  readonly count: number;
  readonly totalNano: bigint;
  /** Of the tenth of them, rounded up, that spent most. */
  readonly tenthNano: bigint;
  /** The one that spent most first. */
  readonly dearest: readonly Dearest[];
}

interface Read {
  readonly name: string;
  readonly nano: string;
  readonly count: string;
  readonly total: string;
  readonly tenth: string;
}

const COLUMNS: Readonly<Record<SpenderKind, string>> = { customer: 'customer', user: 'end_user' };

/** Ranks whoever is named in calls since an instant (milliseconds), and gives the `most` dearest. Throws LogUnreachable. */
export async function readSpenders(query: Query, kind: SpenderKind, since: number, most: number): Promise<Spenders> {
  const column = COLUMNS[kind];
  const rows = await query<Read>(
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
    totalNano: BigInt(total),
    tenthNano: BigInt(tenth),
    dearest: rows.map(({ name, nano }) => ({ name, spentNano: BigInt(nano) })),
  };
}

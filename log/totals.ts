import type { Query } from './database.ts';
import type { Floor } from '../ledger/ledger.ts';

interface Read {
  readonly counter: string;
  readonly keep: string;
  readonly spent: string;
  readonly presumed: string;
  readonly requests: string;
}

/** What the calls of every counter that is kept beyond `now` (milliseconds) add up to. Never less than nothing. */
export async function readTotals(query: Query, now: number): Promise<readonly Floor[]> {
  const rows = await query<Read>(
    `select counter, keep_until::text as keep, spent_nano::text as spent,
       greatest(presumed_nano, 0)::text as presumed, requests::text as requests
     from totals where keep_until > $1`,
    [now],
  );
  return rows.map(({ counter, keep, spent, presumed, requests }) => ({
    counter,
    keepUntil: Number(keep),
    spentNano: BigInt(spent),
    presumedNano: BigInt(presumed),
    requests: Number(requests),
  }));
}

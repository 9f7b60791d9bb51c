import type { CounterMinimum } from '../ledger/operator-ledger.ts';
import { decodeNano } from '../policy/core/money.ts';
import type { Query } from './database/database.ts';

type TotalRow = Readonly<Record<'counter' | 'keep' | 'settled' | 'corrected' | 'presumed' | 'requests', string>>;

/**
 * The totals of every counter that is kept beyond `now` (milliseconds). Never negative. What open Message Batches hold is
 * not part of the presumed money: a rebuild puts the batches back, and they hold it themselves.
 */
export async function readTotals(query: Query, now: number): Promise<readonly CounterMinimum[]> {
  const rows = await query<TotalRow>(
    `with held as (
       select counter, sum(c.presumed_nano) as nano
       from batches b join calls c on c.id = b.id || '/batch' and c.state = 'presumed',
         json_array_elements_text(b.counters) as counter
       group by counter
     )
     select counter, keep_until::text as keep, (spent_nano + coalesce(corrected_nano, 0))::text as settled,
       coalesce(corrected_nano, 0)::text as corrected,
       greatest(presumed_nano - coalesce(held.nano, 0), 0)::text as presumed, requests::text as requests
     from totals left join held using (counter) where keep_until > $1`,
    [now],
  );
  return rows.map(({ counter, keep, settled, corrected, presumed, requests }) => ({
    counter,
    keepUntil: Number(keep),
    spentNano: decodeNano(settled),
    correctedNano: decodeNano(corrected),
    presumedNano: decodeNano(presumed),
    requests: Number(requests),
  }));
}

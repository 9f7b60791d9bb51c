import { describe, expect, test } from '@jest/globals';
import { nano } from '../../../policy/core/money.ts';
import { call, counters, recordOf, reservationOf, reserve } from '../../support/ledger-calls.ts';
import { describeLog, startServices } from './log-fixture.ts';

const services = startServices();

describeLog(services, (fixture) => {
  const NOW = Date.now();
  const of = (id: string, cost: bigint, reason = 'priced twice') => ({ id, costNano: nano(cost), reason });

  /** What the totals of a call's counters say: each the same. */
  async function totals() {
    const all = await fixture().log.totals(NOW);
    return counters('acme').map((counter) => {
      const { spentNano, correctedNano } = all.find((one) => one.counter === counter)!;
      return { spentNano, correctedNano };
    });
  }
  const thrice = (total: object) => [total, total, total];

  describe('a correction', () => {
    test('changes the row and the totals, and keeps what was booked, when, and why', async () => {
      const { name, database, ledger, log } = fixture();
      await call(ledger, `${name}-1`, 'acme', { costNano: nano(600n) });
      await log.drain();
      expect(await log.correct([of(`${name}-1`, 100n)], NOW)).toEqual([{ ...of(`${name}-1`, 100n), fromNano: 600n }]);
      expect(await log.correct([of(`${name}-1`, 250n, 'half\0 of it')], NOW)).toMatchObject([{ fromNano: 100n }]);
      expect(await totals()).toEqual(thrice({ spentNano: 600n, correctedNano: 350n }));
      const expected = counters('acme').map((counter) => ({ counter, correctedNano: nano(350n) }));
      const byName = (list: readonly { readonly counter: string }[]) =>
        list.toSorted((a, b) => a.counter.localeCompare(b.counter));
      expect(byName(await log.corrected(NOW))).toEqual(byName(expected));
      expect(
        await database.query(`select cost_nano::text as cost, original_nano::text as original, state from calls`),
      ).toEqual([{ cost: '250', original: '600', state: 'final' }]);
      expect(
        await database.query('select call, from_nano::text, to_nano::text, reason from corrections order by number'),
      ).toEqual([
        { call: `${name}-1`, from_nano: '600', to_nano: '100', reason: 'priced twice' },
        { call: `${name}-1`, from_nano: '100', to_nano: '250', reason: 'half\u{FFFD} of it' },
      ]);
    });

    test('that is made twice changes nothing the second time', async () => {
      const { name, database, ledger, log } = fixture();
      await call(ledger, `${name}-twice`, 'acme', { costNano: nano(600n) });
      await log.drain();
      for (const fromNano of [600n, 0n]) {
        expect(await log.correct([of(`${name}-twice`, 0n)], NOW)).toMatchObject([{ fromNano }]);
      }
      expect(await totals()).toEqual(thrice({ spentNano: 600n, correctedNano: 600n }));
      expect(await database.query('select count(*)::int as count from corrections')).toEqual([{ count: 1 }]);
    });

    test('may add up to what was reserved for the call, and no more', async () => {
      const { name, ledger, log } = fixture();
      await call(ledger, `${name}-more`, 'acme', { costNano: nano(600n) });
      await log.drain();
      const above = await log.correct([of(`${name}-more`, 1_000_001n)], NOW);
      expect(above).toMatchObject({ problem: 'AboveWorst', mostNano: 1_000_000n });
      expect(await log.correct([of(`${name}-more`, 1_000_000n)], NOW)).toMatchObject([{ fromNano: 600n }]);
      expect(await totals()).toEqual(thrice({ spentNano: 600n, correctedNano: -999_400n }));
    });

    test.each(['unknown', 'presumed', 'early'] as const)('of a call that is %s corrects none', async (kind) => {
      const { name, database, ledger, log } = fixture();
      const ids = [`${name}-${kind}-known`, `${name}-${kind}`] as const;
      await call(ledger, ids[0], 'acme', { costNano: nano(600n) });
      if (kind === 'presumed') {
        await reserve(ledger, ids[1], 'acme');
        await ledger.gateway.settleUnchecked({ reservation: reservationOf(ids[1], 'acme'), settlement: null });
      }
      if (kind === 'early') await call(ledger, ids[1], 'acme', { costNano: nano(600n) });
      await log.drain();
      if (kind === 'early') await database.query(`update calls set counters = null where id = $1`, [ids[1]]);
      const problem = { unknown: 'Unknown', presumed: 'Presumed', early: 'WithoutCounters' }[kind];
      expect(await log.correct([of(ids[0], 1n), of(ids[1], 1n)], NOW)).toMatchObject({ id: ids[1], problem });
      expect(await database.query(`select id from calls where original_nano is not null`)).toEqual([]);
      expect(await log.corrected(NOW)).toEqual([]);
    });

    test('ends where more becomes known of its call', async () => {
      const { name, database, ledger, log } = fixture();
      const id = `${name}-late`;
      await reserve(ledger, id, 'acme');
      await ledger.gateway.settleUnchecked({ reservation: reservationOf(id, 'acme'), settlement: null });
      await ledger.operator.resolvePresumed([id], 'Book');
      await log.drain();
      await log.correct([of(id, 1n)], NOW);
      expect(await totals()).toEqual(thrice({ spentNano: 1_000_000n, correctedNano: 999_999n }));
      const record = recordOf(id, 'acme', 70n);
      await ledger.gateway.settle({ id, costNano: nano(70n), presumedNano: nano(0n), record });
      await log.drain();
      expect(await totals()).toEqual(thrice({ spentNano: 70n, correctedNano: 0n }));
      // The ledger has to hear of it too.
      expect(await log.corrected(NOW)).toHaveLength(3);
      expect(await database.query('select original_nano from calls')).toEqual([{ original_nano: null }]);
    });
  });
});

import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import type { Database } from '../../../log/database/database.ts';
import { nano } from '../../../policy/core/money.ts';
import { call, counters, recordOf, reserve } from '../../support/ledger-calls.ts';
import { OWNER } from '../../support/owner.ts';
import { describeLog, startServices } from './log-fixture.ts';

const services = startServices();

const callsIn = (database: Database, columns: string) => database.query(`select ${columns} from calls order by id`);

describeLog(services, (fixture) => {
  test('deletes old rows, except presumed ones, and the totals of expired counters', async () => {
    const { name, database, ledger, log } = fixture();
    const now = Date.parse('2026-11-25T12:00:00Z');
    const day = 86_400_000;
    const ended = (days: number) => ({ record: { timestamp: new Date(now - days * day).toISOString() } });
    await call(ledger, `${name}-aged`, 'acme', ended(60));
    await call(ledger, `${name}-recent`, 'acme', ended(20));
    await call(ledger, `${name}-undecided`, 'acme', { ...ended(60), presumedNano: nano(7n) });
    await log.drain();
    await database.query(`update calls set time = time - interval '60 days' where state = 'presumed'`);
    await database.query(
      `insert into refusals values ('2026-09-01T00:00:00Z', 'payments/checkout', 'api', '', 'NoBudget', 3)`,
    );
    await database.query(
      `insert into corrections (time, call, from_nano, to_nano, reason) values ('2026-09-01T00:00:00Z', 'a', 2, 1, 'old')`,
    );
    await database.query(`insert into totals values ('forgotten', ${now - 2 * day}, 1, 0, 1)`);
    const totals = () => database.query('select counter, spent_nano::text as spent from totals order by counter');
    const [, ...kept] = await totals();

    expect(await log.deleteOld(now, null)).toBe(false);
    expect(await totals()).toEqual(kept);
    expect(await callsIn(database, 'id')).toHaveLength(4);
    expect(await log.deleteOld(now, 31 * day)).toBe(false);
    expect(await callsIn(database, 'id')).toEqual([{ id: `${name}-recent` }, { id: `${name}-undecided/rest` }]);
    expect(await database.query('select * from refusals')).toEqual([]);
    expect(await database.query('select * from corrections')).toEqual([]);
    expect(await totals()).toEqual(kept);

    // What was kept undecided is counted once, when it is decided.
    await ledger.operator.resolvePresumed([`${name}-undecided`], 'Book');
    await log.drain();
    const spent = kept.map((row) => BigInt((row as { spent: string }).spent) + 7n);
    expect((await totals()).map((row) => BigInt((row as { spent: string }).spent))).toEqual(spent);
    expect(await callsIn(database, 'id, state')).toEqual([
      { id: `${name}-recent`, state: 'final' },
      { id: `${name}-undecided/rest`, state: 'booked' },
    ]);
  });

  test('answers every query of the how-to and of the runbooks', async () => {
    const { name, database, ledger, log } = fixture();
    await call(ledger, `${name}-asked`, 'acme');
    await log.drain();
    const docs = join(import.meta.dirname, '../../../docs');
    const runbooks = globSync('runbooks/**/*.md', { cwd: docs });
    const pages = ['how-to/query-the-log.md', 'how-to/resolve-presumed.md', ...runbooks].map((name) =>
      readFileSync(join(docs, name), 'utf8'),
    );
    const fenced = pages.flatMap((page) => [...page.matchAll(/```sql\n(.*?)```/gs)]);
    const queries = fenced.map(([, sql]) => sql!.trim().replace(/;$/, ''));
    expect(queries.length).toBeGreaterThan(14);
    for (const sql of queries) await expect(database.query(sql)).resolves.toBeDefined();
  });

  test('ranks spenders since an instant, by name and by the share of the top tenth', async () => {
    const { name, ledger, log } = fixture();
    const at = (timestamp: string) => ({ timestamp, user: '' });
    for (let i = 1; i <= 11; i += 1) {
      const record = { ...at('2026-11-25T10:00:00.000Z'), customer: `c-${i}` };
      await call(ledger, `${name}-ranked-${i}`, 'acme', { costNano: nano(BigInt(i)), record });
    }
    const old = { ...at('2026-11-24T09:59:59.000Z'), customer: 'c-1' };
    await call(ledger, `${name}-ranked-old`, 'acme', { costNano: nano(1_000n), record: old });
    const nobody = { ...at('2026-11-25T10:00:00.000Z'), customer: null };
    await call(ledger, `${name}-ranked-nobody`, 'acme', { costNano: nano(500n), record: nobody });
    await log.drain();
    expect(await log.spenders('customer', Date.parse('2026-11-24T10:00:00Z'), 2)).toEqual({
      count: 11,
      totalNano: 66n,
      tenthNano: 21n,
      top: [
        { name: 'c-11', spentNano: 11n },
        { name: 'c-10', spentNano: 10n },
      ],
    });
    expect(await log.spenders('user', 0, 2)).toEqual({ count: 0, totalNano: 0n, tenthNano: 0n, top: [] });
  });

  test('knows what a batch holds and who owns it, while it runs and for 30 days after it began', async () => {
    const { name, ledger, log } = fixture();
    const adopted = async (id: string) => {
      await reserve(ledger, id, 'acme');
      const adoption = { id, batch: `msgbatch_${id}`, ...OWNER, meta: '{"a":"\\u0000"}' };
      await ledger.gateway.openBatch(adoption);
      return adoption;
    };
    const [open, ended, dearer] = [
      await adopted(`${name}-open`),
      await adopted(`${name}-ended`),
      await adopted(`${name}-dearer`),
    ];
    const book = (of: typeof open, from: number, costs: readonly bigint[]) => {
      const lines = costs.map((costNano, index) => {
        const id = `${of.id}/batch/${from + index}`;
        return { costNano: nano(costNano), record: recordOf(id, 'acme', costNano, { batch: of.batch }) };
      });
      return ledger.operator.settleBatchLines({ batch: of.batch, from, lines });
    };
    await book(open, 0, [300n, 40n]);
    await book(ended, 0, [5n]);
    await ledger.operator.closeBatch(ended.batch);
    await book(dearer, 0, [2_000_000n]);
    await log.drain();
    await book(open, 2, [1n]);
    await log.drain();
    // What a person says of a request gives the batch nothing back.
    await log.correct([{ id: `${open.id}/batch/0`, costNano: nano(100n), reason: 'priced twice' }], Date.now());

    const now = Date.now();
    const kept = new Map((await log.batches(now)).map((one) => [one.batch, one]));
    const held = { settled: false, counters: expect.arrayContaining(counters('acme')) };
    expect(kept.get(open.batch)).toMatchObject({ ...open, ...held, settledLines: 3, reservedNano: 999_659n });
    expect(kept.get(dearer.batch)).toMatchObject({ ...dearer, ...held, settledLines: 1, reservedNano: 0n });
    expect(kept.get(ended.batch)).toMatchObject({ ...ended, settled: true, reservedNano: 0n });
    expect(kept.get(open.batch)!.keepUntil).toBeGreaterThan(now);
    const later = await log.batches(now + 31 * 24 * 3_600_000);
    expect(later.map(({ batch }) => batch).toSorted()).toEqual([dearer.batch, open.batch].toSorted());
    // What they hold they hold themselves once they are put back.
    expect(await log.totals(now)).toEqual(
      counters('acme').map(() => expect.objectContaining({ presumedNano: 0n, spentNano: 2_000_346n, requests: 5 })),
    );
    for (const { batch } of [open, dearer]) await ledger.operator.closeBatch(batch);
    await log.drain();
  });
});

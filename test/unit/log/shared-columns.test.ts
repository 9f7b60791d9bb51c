import { expect, test } from '@jest/globals';
import { questions } from '../../../log/questions.ts';
import { wholeOf } from '../../../log/row-ids.ts';
import { nano } from '../../../policy/core/money.ts';
import { call, counters, recordOf, reserve } from '../../support/ledger-calls.ts';
import { OWNER } from '../../support/owner.ts';
import { describeLog, startServices } from './log-fixture.ts';

const services = startServices();
const ALWAYS = { seconds: 1e9 };

describeLog(services, (fixture) => {
  test('says whose call it was in every row of a call, so that the sums of workspaces are those of their budgets', async () => {
    const { name, database, ledger, log } = fixture();
    const of = (workspace: string) => ({
      workspace,
      workspace_uid: `uid-${workspace}`,
      namespace_uid: 'ns',
      session: 's',
      ending: 'Broken',
    });
    const broken = (id: string, presumedNano: bigint, workspace: string) =>
      call(ledger, `${name}-${id}`, 'acme', { presumedNano: nano(presumedNano), record: of(workspace) });
    await broken('booked', 70n, 'ops/ops');
    await broken('released', 90n, 'ops/ops');
    await log.drain();
    // Its rows are all in one chunk of the stream.
    await broken('at-once', 8n, 'ops/chat');
    await ledger.operator.resolvePresumed([`${name}-at-once`, `${name}-booked`], 'Book');
    await ledger.operator.resolvePresumed([`${name}-released`], 'Release');
    await broken('held', 5n, 'ops/chat');
    await log.drain();

    const rests = await database.query(
      `select state, workspace, workspace_uid, namespace_uid, key, feature, customer, end_user, tags, model, asked_model, session
       from calls where id like '%/rest' order by id`,
    );
    const record = recordOf('', 'acme', 0n);
    const { model, asked_model } = record;
    const shared = {
      key: 'api',
      feature: 'checkout',
      customer: 'acme',
      end_user: 'ada',
      tags: { env: 'prod' },
      session: 's',
    };
    const row = (state: string, workspace: string) => {
      return {
        state,
        workspace,
        workspace_uid: `uid-${workspace}`,
        namespace_uid: 'ns',
        ...shared,
        model,
        asked_model,
      };
    };
    expect(rests).toEqual([
      row('booked', 'ops/chat'),
      row('booked', 'ops/ops'),
      row('presumed', 'ops/chat'),
      row('released', 'ops/ops'),
    ]);
    type Sum = Readonly<Record<'workspace' | 'calls' | 'usd', string>>;
    const sums = await database.query<Sum>(questions.workspaces.sql(ALWAYS, 10));
    expect(sums.map(({ workspace, calls, usd }) => [workspace, Number(calls), Number(usd)])).toEqual([
      ['ops/ops', 2, 2.07e-6],
      ['ops/chat', 2, 2.008e-6],
    ]);
    const [, , own] = counters('acme');
    const total = (await log.totals(Date.now())).find(({ counter }) => counter === own);
    expect(total).toMatchObject({ spentNano: 4_078n, presumedNano: 5n, requests: 4 });

    type Shown = Readonly<Record<'id' | 'workspace' | 'usd', string>>;
    const dearest = await database.query<Shown>(questions.calls.sql(ALWAYS, 2));
    expect(dearest.map(({ id, workspace, usd }) => [id, workspace, Number(usd)])).toEqual([
      [`${name}-booked`, 'ops/ops', 1.07e-6],
      [`${name}-at-once`, 'ops/chat', 1.008e-6],
    ]);
    const presumed = await database.query<Shown>(questions.presumed.sql({ seconds: 1, workspace: 'chat' }, 10));
    expect(presumed.map((row) => ({ ...row, usd: Number(row.usd) }))).toEqual([
      { id: `${name}-held/rest`, workspace: 'ops/chat', age: '0d 00:00', usd: 5e-9, ending: 'Broken' },
    ]);
  });

  test('says whose a Message Batch was, from what its requests share, also once it is settled', async () => {
    const { name, database, ledger, log } = fixture();
    const record = recordOf(`${name}-batch`, 'acme', 0n, { session: 's' });
    const open = async (id: string) => {
      await reserve(ledger, id, 'acme');
      await ledger.gateway.openBatch({ id, batch: `msgbatch_${id}`, ...OWNER, meta: JSON.stringify({ record }) });
    };
    await open(`${name}-batch-a`);
    await log.drain();
    await ledger.operator.closeBatch(`msgbatch_${name}-batch-a`);
    // Its rows are all in one chunk of the stream.
    await open(`${name}-batch-b`);
    await ledger.operator.closeBatch(`msgbatch_${name}-batch-b`);
    await log.drain();
    const owner = { workspace: OWNER.workspace, workspace_uid: OWNER.workspaceUid, namespace_uid: OWNER.namespaceUid };
    const shared = { key: 'api', feature: 'checkout', customer: 'acme', session: 's', model: record.model };
    expect(
      await database.query(
        `select state, batch, workspace, workspace_uid, namespace_uid, key, feature, customer, session, model, calls
         from calls order by id`,
      ),
    ).toEqual(
      ['a', 'b'].map((id) => ({
        state: 'released',
        batch: `msgbatch_${name}-batch-${id}`,
        ...owner,
        ...shared,
        calls: 0,
      })),
    );
  });
});

test('a request of a Message Batch is a call of its own, whatever its custom_id', () => {
  const ids = ['a', 'a/rest', 'a/batch', 'a/free', 'a/batch/rest', 'a/batch/batch'];
  expect(ids.map(wholeOf)).toEqual([null, 'a', 'a', null, null, null]);
});

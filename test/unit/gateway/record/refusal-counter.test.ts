import { expect, test } from '@jest/globals';
import { RefusalCounter } from '../../../../gateway/record/refusal-counter.ts';
import type { RefusalRow, UnaskedRefusals } from '../../../../ledger/streams.ts';
import type { Caller } from '../../../../policy/admit/caller.ts';
import type { Check } from '../../../../policy/core/counter-check.ts';
import { refusalFor } from '../../../../policy/refusals/refusals.ts';

function caller(namespace: string, key: string): Caller {
  return { workspace: { namespace, name: 'app' }, key: { name: key } } as unknown as Caller;
}

function check(value: string | null): Check {
  return { counter: 'a/daily/Day/UTC/0', value, end: 7 } as Check;
}

/** What reaches the ledger. */
async function recorded(count: (counter: RefusalCounter) => void) {
  const sent: { rows: RefusalRow[]; unasked: UnaskedRefusals[] } = { rows: [], unasked: [] };
  const recordRefusals = async (rows: readonly RefusalRow[], unasked: readonly UnaskedRefusals[]): Promise<void> => {
    sent.rows.push(...rows);
    sent.unasked.push(...unasked);
  };
  const counter = new RefusalCounter({ ledger: { recordRefusals }, now: () => 125_000 });
  count(counter);
  await counter.stop();
  return sent;
}

test('a loop of refused calls is one row', async () => {
  const { rows } = await recorded((counter) => {
    for (let i = 0; i < 3_000; i++) counter.count(refusalFor('NoBudget'), caller('a', 'api'));
  });
  const owner = { workspace: 'a/app', workspaceUid: '', namespaceUid: '' };
  const row = { minute: 120_000, ...owner, key: 'api', budget: '', reason: 'NoBudget', count: 3_000 };
  expect(rows).toEqual([row]);
});

test('no workspace takes the rows of another, and its own sum stays exact', async () => {
  const { rows } = await recorded((counter) => {
    for (let key = 0; key < 5_000; key++) counter.count(refusalFor('NoBudget'), caller('hostile', `key-${key}`));
    counter.count(refusalFor('NoBudget'), caller('neighbour', 'api'));
  });
  expect(rows).toHaveLength(52);
  const hostile = rows.filter(({ workspace }) => workspace === 'hostile/app');
  expect(hostile.reduce((sum, { count }) => sum + count, 0)).toBe(5_000);
  expect(rows.at(-1)).toMatchObject({ workspace: 'neighbour/app', key: 'api', count: 1 });
});

test('calls that the ledger was not asked about are counted by value, and beyond 500 values for the budget alone', async () => {
  const { unasked } = await recorded((counter) => {
    for (let n = 0; n < 600; n++) counter.countUnasked('a/app', [check(JSON.stringify([`customer ${n}`]))]);
    counter.countUnasked('a/app', [check('["customer 0"]')]);
  });
  expect(unasked[0]).toEqual({
    counter: 'a/daily/Day/UTC/0',
    value: '["customer 0"]',
    end: 7,
    workspace: 'a/app',
    count: 2,
  });
  expect(unasked).toHaveLength(501);
  expect(unasked.at(-1)).toEqual({ counter: 'a/daily/Day/UTC/0', value: null, end: 7, workspace: 'a/app', count: 100 });
});

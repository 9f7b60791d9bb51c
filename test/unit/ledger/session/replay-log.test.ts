import { expect, test } from '@jest/globals';
import { ReplayLog } from '../../../../ledger/session/replay-log.ts';
import { nano } from '../../../../policy/core/money.ts';
import { reservation } from '../redis/loaded-gateway.ts';

test('the late answer to an unchecked call without a cost does not replace the cost that is known', () => {
  const log = new ReplayLog({ removeHolder: () => undefined });
  const call = reservation('a-1');
  const settlement = { id: 'a-1', costNano: nano(7n), presumedNano: nano(0n), record: { id: 'a-1' } };
  const known = { kind: 'settleUnchecked', call: { reservation: call, settlement } } as const;
  log.addEnd('a-1', known, 5);
  log.addEnd('a-1', { kind: 'settleUnchecked', call: { reservation: call, settlement: null } }, 6);
  expect(log.changesAfter(0)).toEqual([{ id: 'a-1', changes: [known] }]);
});

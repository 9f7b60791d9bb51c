import { expect, test } from '@jest/globals';
import pino from 'pino';
import type { ConfigMap } from '../../../../kube/kinds.ts';
import { OperatorEvents } from '../../../../operator/events/operator-events.ts';

const checkpoint: ConfigMap = { metadata: { name: 'tollgate-ledger' } };

/** What an Event says. */
function noted(tell: (events: OperatorEvents) => void): unknown {
  const told: unknown[] = [];
  const events = { record: async (_about: unknown, details: unknown) => void told.push(details) };
  tell(new OperatorEvents({ events, workspaces: new Map(), log: pino({ enabled: false }) }));
  return told[0];
}

test('tells how many presumed calls were resolved, and of which ids nothing was presumed', () => {
  expect(noted((events) => events.presumedResolved('Book', 1, checkpoint))).toMatchObject({
    note: '1 presumed call was booked as spent at the worst case.',
  });
  expect(noted((events) => events.presumedResolved('Release', 2, checkpoint))).toMatchObject({
    note: '2 presumed calls were released.',
  });
  const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
  expect(noted((events) => events.presumedUnknown(ids, checkpoint))).toMatchObject({
    type: 'Warning',
    reason: 'PresumedNotResolved',
    note: expect.stringContaining('nothing is presumed of a, b, c, d, e and 2 more: the id is wrong'),
  });
});

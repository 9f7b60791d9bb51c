import { expect, test } from '@jest/globals';
import { unknownCalls } from '../../../log/unknown-calls.ts';

const entry = (record: object) => ({ entry: '1-0', record, counters: [], keepUntil: 0 });

test('calls with unknown names are found among the entries, whatever else is in the stream', () => {
  const unknown = JSON.stringify({ names: ['dream', 5], exceeded: true });
  expect(
    unknownCalls([
      entry({ workspace: 'a/b', unknown }),
      entry({ workspace: 'a/b' }),
      entry({ workspace: 'a/b', unknown: '{' }),
      entry({ workspace: 'a/b', unknown: 'null' }),
      entry({ workspace: 5, unknown }),
    ]),
  ).toEqual([{ workspace: 'a/b', names: ['dream'], hasExceeded: true }]);
});

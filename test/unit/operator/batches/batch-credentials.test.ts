import { expect, test } from '@jest/globals';
import { batchCredentials } from '../../../../operator/batches/batch-credentials.ts';
import { isSameUpstream } from '../../../../policy/cost/batch-meta.ts';
import type { PreviousShards } from '../../../../policy/shards/shard-set.ts';

function shards(named: string, checksum: string): PreviousShards {
  const upstreamHeaders = { 'x-team': 'a' };
  const workspace = { baseURL: 'https://new.example', upstreamHeaders, prices: 'book', credentials: named };
  const entry = { credentials: { upstreamKey: 'sk-ant-new' }, checksum };
  return {
    policy: new Map([['p', { workspaces: new Map([['payments/checkout', workspace]]) }]]),
    keys: new Map([['k', { credentials: new Map([['payments/checkout', entry]]) }]]),
    shared: { books: new Map([['book', { book: {} }]]) },
  } as unknown as PreviousShards;
}

test('a key counts only for the workspace that names it: of two shards one may be older', () => {
  const read = (named: string, checksum: string) => batchCredentials(shards(named, checksum), 'payments/checkout');
  expect(read('one', 'one')).toMatchObject({
    baseURL: 'https://new.example',
    apiKey: 'sk-ant-new',
    headers: { 'x-team': 'a' },
  });
  expect(read('one', 'two')).toMatchObject({ apiKey: null });
  expect(batchCredentials(shards('one', 'one'), 'payments/other')).toBeUndefined();
});

test.each([
  ['https://api.example', true],
  ['https://api.example/', true],
  ['https://api.example/prefix', true],
  ['https://api.example:443', true],
  ['http://api.example', false],
  ['https://api.example:8443', false],
  ['https://api.example.org', false],
])('a key for https://api.example may go to %s: %s', (batchURL, isSame) => {
  const own = { baseURL: 'https://api.example', apiKey: 'sk-ant', headers: {}, prices: {} as never };
  expect(isSameUpstream(own, { baseURL: batchURL })).toBe(isSame);
});

import { beforeEach, expect, test } from '@jest/globals';
import { FreeUsage } from '../../../../gateway/record/free-usage.ts';
import type { CallRecord, UsageRecord } from '../../../../policy/core/usage-record.ts';

/** A usage stream of at most 1,000 records. */
const LIMIT = 1_000;

let stream: UsageRecord[];
let usage: FreeUsage;

beforeEach(() => {
  stream = [];
  const appendFreeUsage = async (record: UsageRecord, share: number): Promise<boolean> => {
    if (stream.length >= LIMIT * share) return false;
    stream.push(record);
    return true;
  };
  usage = new FreeUsage({ ledger: { appendFreeUsage }, now: () => Date.parse('2026-11-30T10:00:59Z') });
});

let calls = 0;

function record(more: Partial<CallRecord> = {}): CallRecord {
  const id = `call-${(calls += 1)}`;
  const owner = { workspace: 'a/app', workspace_uid: 'w', namespace_uid: 'n', key: 'api' };
  const call = { feature: 'chat', customer: 'acme', user: 'ada', ending: 'ErrorStatus', status: 400, cost_nano: '0' };
  return { id, state: 'final', ...owner, ...call, ...more } as unknown as CallRecord;
}

/** Appends that many records, each of another key and so within the limit of every key. */
async function fill(count: number): Promise<void> {
  for (let key = 0; key < count; key++) await usage.append(record({ key: `key-${key}` }));
}

test('a free call has a record of its own while the stream is less than half full', async () => {
  const own = record();
  await usage.append(own);
  expect(stream).toEqual([own]);
  await usage.stop();
  expect(stream).toHaveLength(1);
});

test('above half, one record a minute stands for all calls of a key, feature, customer and ending', async () => {
  await fill(500);
  const first = record();
  await usage.append(first);
  for (let call = 1; call < 2_000; call++) await usage.append(record());
  await usage.append(record({ customer: 'other' }));
  expect(stream).toHaveLength(500);
  await usage.stop();
  const sum = { id: `${first.id}/free`, state: 'final', workspace: 'a/app', workspace_uid: 'w', namespace_uid: 'n' };
  const what = { key: 'api', feature: 'chat', customer: 'acme', ending: 'ErrorStatus', status: 400, cost_nano: '0' };
  const when = { timestamp: '2026-11-30T10:00:59.000Z' };
  expect(stream.slice(500)).toEqual([
    { ...sum, ...what, ...when, calls: 2_000 },
    expect.objectContaining({ customer: 'other', calls: 1 }),
  ]);
});

test('a key that makes too many is summed however empty the stream is, and others are not', async () => {
  for (let call = 0; call < 400; call++) await usage.append(record());
  expect(stream).toHaveLength(300);
  await usage.append(record({ key: 'other' }));
  expect(stream).toHaveLength(301);
  await usage.stop();
  expect(stream.at(-1)).toMatchObject({ key: 'api', calls: 100 });
});

test('made-up customers and many keys add no more than a hundred records of a workspace, and all calls are in them', async () => {
  await fill(500);
  for (let customer = 0; customer < 5_000; customer++) await usage.append(record({ customer: `c${customer}` }));
  for (let key = 0; key < 5_000; key++) await usage.append(record({ key: `k${key}` }));
  await usage.append(record({ workspace: 'b/app' }));
  await usage.stop();
  const sums = stream.slice(500);
  const own = sums.filter(({ workspace }) => workspace === 'a/app');
  expect(own).toHaveLength(101);
  expect(own.reduce((sum, { calls: count }) => sum + (count ?? 0), 0)).toBe(10_000);
  expect(own.filter(({ key }) => key === 'api')).toHaveLength(20);
  expect(sums.at(-1)).toMatchObject({ workspace: 'b/app', calls: 1 });
});

test('sums leave the last quarter of the stream to calls that cost money', async () => {
  await fill(500);
  for (let workspace = 0; workspace < 1_000; workspace++) await usage.append(record({ workspace: `a/w${workspace}` }));
  await usage.stop();
  expect(stream).toHaveLength(750);
});

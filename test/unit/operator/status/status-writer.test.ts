import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { budgets } from '../../../../crds/kinds.gen.ts';
import type { ClaudeBudgetStatus } from '../../../../crds/types.gen.ts';
import type { KubeObject } from '../../../../kube/object.ts';
import type { Status } from '../../../../operator/status/status-planner.ts';
import { StatusWriter } from '../../../../operator/status/status-writer.ts';

function budgetNamed(name: string, status?: Partial<Status>): KubeObject & { readonly status?: Status } {
  const metadata = { namespace: 'payments', name, uid: name };
  return status === undefined ? { metadata } : { metadata, status };
}

/** A writer whose clock the test sets; `applyStatus` gets what it sends to the API server. */
function writerOver(applyStatus: (object: KubeObject & { readonly status?: unknown }) => Promise<void> | void) {
  const time = { now: 0 };
  const lead = { isOurs: true };
  const problems: string[] = [];
  const merged: unknown[] = [];
  let version = 100;
  const writer = new StatusWriter({
    client: {
      applyStatus: async (_resource, object) => {
        await applyStatus(object);
        version += 1;
        return { ...object, metadata: { ...object.metadata, resourceVersion: `${version}` } };
      },
      mergeStatus: async (_resource, _ref, patch) => {
        merged.push((patch as { status: unknown }).status);
        return {} as never;
      },
    },
    events: { record: async () => undefined },
    elapsed: () => time.now,
    mayAct: () => lead.isOurs,
    onWritten: () => undefined,
    onProblem: (key) => problems.push(key),
  });
  const want = (object: KubeObject & { readonly status?: Status }, status: Partial<Status>) =>
    writer.want({ resource: budgets, object, status });
  /** Writes what is due, as the status loop does; `read` gets the budgets to read again before figures are written. */
  const writeAt = async (now: number, read: (refs: readonly string[]) => Promise<unknown> = async () => undefined) => {
    time.now = now;
    const { at, urgent, figures, toRead } = writer.due();
    writer.write(urgent, at);
    if (toRead.length > 0) await read(toRead);
    writer.write(figures, at);
  };
  return { writer, time, lead, problems, merged, want, writeAt };
}

test('after a reset, a status that another leader has changed is written again', async () => {
  const written: (string | undefined)[] = [];
  const { writer, want, writeAt } = writerOver(({ status }) => void written.push((status as ClaudeBudgetStatus).state));
  want(budgetNamed('daily'), { state: 'OK' });
  await writeAt(10_000);
  await writer.settled();
  writer.reset();
  const found = budgetNamed('daily', { state: 'Spent' });
  expect(writer.lastWritten(found)).toEqual({ state: 'Spent' });
  want(found, { state: 'OK' });
  await writeAt(20_000);
  await writer.settled();
  expect(written).toEqual(['OK', 'OK']);
});

describe('a status that somebody else has edited', () => {
  const ours = { state: 'OK', spentUsd: '1.00', limitUsd: '2.00' } as const;
  const edited = (version: number, status: Partial<Status>) => {
    const found = budgetNamed('daily', status);
    return { ...found, metadata: { ...found.metadata, resourceVersion: `${version}` } };
  };
  const written = async () => {
    const sent: unknown[] = [];
    const test = writerOver(({ status }) => void sent.push(status));
    test.want(edited(1, {}), ours);
    await test.writeAt(10_000);
    await test.writer.settled();
    return { ...test, sent };
  };

  test('is written again, at the rate of figures also where a condition was edited', async () => {
    const { writer, writeAt, sent } = await written();
    writer.see(edited(102, { ...ours, state: 'Spent', spentUsd: '99999999999999999999' }));
    expect([writer.isBehind, writer.isUrgent]).toEqual([true, false]);
    await writeAt(11_000);
    await writer.settled();
    expect(sent).toEqual([ours]);
    await writeAt(12_000);
    await writer.settled();
    expect([sent, writer.isBehind]).toEqual([[ours, ours], false]);
  });

  test('loses what the edit added, which an apply would leave', async () => {
    const { writer, writeAt, merged } = await written();
    const top = [{ values: ['acme'], spentUsd: '9.00' }];
    writer.see(edited(102, { ...ours, top }));
    await writeAt(12_000);
    await writer.settled();
    expect(merged).toEqual([{ top: null }]);
  });

  test('is not the one that this replica wrote, or an older one', async () => {
    const { writer } = await written();
    writer.see(edited(101, ours));
    writer.see(edited(102, ours));
    writer.see(edited(50, { state: 'Spent' }));
    expect(writer.isBehind).toBe(false);
  });

  test('is seen also if it was edited during a write', async () => {
    const { writer, want, writeAt, sent } = await written();
    want(edited(101, ours), { ...ours, spentUsd: '1.50' });
    const writing = writeAt(12_000);
    writer.see(edited(103, { ...ours, spentUsd: '0.00' }));
    await writing;
    await writer.settled();
    await writeAt(14_000);
    await writer.settled();
    expect(sent).toEqual([ours, { ...ours, spentUsd: '1.50' }, { ...ours, spentUsd: '1.50' }]);
  });
});

test('Programmed=Pending is written at the rate of figures, Programmed=True at once', async () => {
  const written: string[] = [];
  const { writer, want, writeAt } = writerOver(({ metadata }) => void written.push(metadata.name));
  const wantProgrammed = (name: string, reason: 'Pending' | 'Programmed') => {
    const programmed = { type: 'Programmed', status: reason === 'Pending' ? 'False' : 'True', reason } as const;
    const rest = { message: 'So it is.', observedGeneration: 1, lastTransitionTime: '2026-11-25T12:00:00Z' };
    want(budgetNamed(name), { conditions: [{ ...programmed, ...rest }] });
  };
  const read: string[] = [];
  const readAgain = async (refs: readonly string[]) => {
    read.push(...refs);
    wantProgrammed('pending-0', 'Programmed'); // the gateways report it by now
  };
  for (let i = 0; i < 40; i += 1) wantProgrammed(`pending-${i}`, 'Pending');
  for (let i = 0; i < 20; i += 1) wantProgrammed(`enforced-${i}`, 'Programmed');
  await writeAt(100_000, readAgain);
  await writer.settled();
  expect(written.filter((name) => name.startsWith('enforced'))).toHaveLength(20);
  expect(written.filter((name) => name.startsWith('pending'))).toHaveLength(10);
  expect(read).toHaveLength(10);
  expect(writer.lastWritten(budgetNamed('pending-0'))).toMatchObject({ conditions: [{ reason: 'Programmed' }] });
  expect(writer.isBehind).toBe(true);
});

test('no write waits for a slow one, and a budget that changes during its write goes behind those that wait', async () => {
  const written: string[] = [];
  const slow = Promise.withResolvers<void>();
  const { writer, want, writeAt } = writerOver(({ metadata }) => {
    written.push(metadata.name);
    return metadata.name === 'slow' ? slow.promise : undefined;
  });
  const wantRequests = (name: string, requests: number) =>
    want(budgetNamed(name, { state: 'OK' }), { state: 'OK', requests });
  wantRequests('slow', 1);
  await writeAt(100_000);
  wantRequests('slow', 2);
  wantRequests('late', 1);
  await writeAt(100_100);
  expect(written).toEqual(['slow', 'late']);
  wantRequests('later', 1);
  slow.resolve();
  await writer.settled();
  const read: string[] = [];
  await writeAt(110_000, async (refs) => void read.push(...refs));
  await writer.settled();
  expect(written).toEqual(['slow', 'late', 'later', 'slow']);
  // Not only what is about to be written, also what was written lately: it may have changed again.
  expect(read).toEqual(['payments/later', 'payments/slow', 'payments/late']);
  expect(writer.isBehind).toBe(false);
});

test('the next urgent write begins as soon as one ends, without another turn of the loop', async () => {
  const written: string[] = [];
  let [open, most] = [0, 0];
  const { writer, time, want, writeAt } = writerOver(async ({ metadata }) => {
    most = Math.max(most, (open += 1));
    await setImmediate();
    open -= 1;
    time.now += 4;
    written.push(metadata.name);
  });
  const names = Array.from({ length: 1_000 }, (_, i) => `new-${i}`);
  for (const name of names) {
    want(budgetNamed(name), { state: 'OK' });
  }
  await writeAt(100_000);
  await writer.settled();
  expect(written).toEqual(names);
  expect(most).toBe(30);
});

test('a status that is written while figures are read again is not written twice', async () => {
  const written: string[] = [];
  const slow = Promise.withResolvers<void>();
  const { writer, time, want, writeAt } = writerOver(({ metadata }) => {
    written.push(metadata.name);
    return metadata.name === 'slow' ? slow.promise : undefined;
  });
  want(budgetNamed('slow'), { state: 'OK' });
  await writeAt(100_000);
  want(budgetNamed('state'), { state: 'OK' });
  want(budgetNamed('figures', { state: 'OK' }), { state: 'OK', requests: 1 });
  await writeAt(110_000, async () => {
    slow.resolve(); // a write ends, and the next one is begun
    time.now += 1_000;
    await setImmediate();
  });
  await writer.settled();
  expect(written).toEqual(['slow', 'state', 'figures']);
});

test('a replica that no longer leads begins no write', async () => {
  const written: string[] = [];
  const { writer, lead, want, writeAt } = writerOver(({ metadata }) => {
    written.push(metadata.name);
    lead.isOurs = false;
  });
  want(budgetNamed('first'), { state: 'OK' });
  want(budgetNamed('second'), { state: 'OK' });
  await writeAt(100_000);
  await writer.settled();
  await writeAt(110_000);
  expect(written).toEqual(['first']);
});

test('a status that cannot be written waits behind the others', async () => {
  const tried: string[] = [];
  const { writer, problems, want, writeAt } = writerOver(({ metadata }) => {
    tried.push(metadata.name);
    if (metadata.name === 'bad') throw new Error('the object is too large');
  });
  want(budgetNamed('bad'), { state: 'OK' });
  for (let i = 0; i < 40; i += 1) want(budgetNamed(`good-${i}`), { state: 'OK' });
  await writeAt(100_000);
  await writer.settled();
  await writeAt(101_000);
  await writer.settled();
  expect(tried.slice(0, 42)).toEqual(['bad', ...Array.from({ length: 40 }, (_, i) => `good-${i}`), 'bad']);
  expect(problems[0]).toBe('ClaudeBudget payments/bad');
});

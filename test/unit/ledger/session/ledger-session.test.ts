import { describe, expect, test } from '@jest/globals';
import { MIN_RECOVERY_MS, REPLAY_TIMEOUT_MS } from '../../../../ledger/durations.ts';
import { MemoryLedger } from '../../../../ledger/memory/memory-ledger.ts';
import type { MemoryState } from '../../../../ledger/memory/state.ts';
import type { Ledger } from '../../../../ledger/operator-ledger.ts';
import type { Counter } from '../../../../policy/core/counter-reading.ts';
import { nano } from '../../../../policy/core/money.ts';
import { restoreState, snapshotOf } from '../memory-snapshot.ts';
import { query, reservation } from '../redis/loaded-gateway.ts';

describe('a session whose ledger comes back older', () => {
  /** A ledger in memory that can be restarted with a snapshot of its state. */
  async function connected(): Promise<{
    memory: MemoryLedger;
    state: MemoryState;
    clock: { now: number };
    ledger: Ledger;
    beat: Beat;
  }> {
    const clock = { now: 1_000_000 };
    const memory = new MemoryLedger({ clock: () => clock.now });
    const { state } = memory;
    const ledger = memory.connect(() => 'one');
    await ledger.operator.establish('one');
    ledger.gateway.begin('a');
    const beat = async (ms: number): Promise<string> => {
      for (let waited = 0; waited < ms; waited += 1000) {
        clock.now += 1000;
        await ledger.gateway.beat({ pod: 'a', shards: {} });
      }
      return (await ledger.gateway.beat({ pod: 'a', shards: {} })).kind;
    };
    await beat(1000);
    return { memory, state, clock, ledger, beat };
  }
  type Beat = (ms: number) => Promise<string>;

  const spend = async (ledger: Ledger, id: string): Promise<void> => {
    const asked = reservation(id, { until: 10 ** 13, checks: [{ ...reservation(id).checks[0]!, end: 10 ** 13 }] });
    expect(await ledger.gateway.reserve(asked)).toMatchObject({ kind: 'admitted' });
    await ledger.gateway.settle({
      id,
      costNano: nano(7n),
      presumedNano: nano(0n),
      record: { id, state: 'final', cost_nano: '7' },
    });
  };

  const spentOf = async (ledger: Ledger): Promise<Counter> => (await ledger.operator.read([query]))[0]!.total;

  test('waits for the operator where its replay log has dropped a missing change', async () => {
    const { state, ledger, beat } = await connected();
    const copy = snapshotOf(state);
    await spend(ledger, 'a-1');
    await beat(60_000);
    await spend(ledger, 'a-2');
    restoreState(state, copy);
    state.serverRunId = 'second';
    expect(await beat(REPLAY_TIMEOUT_MS)).toBe('recovering');
    expect((await ledger.operator.state()).recovering).toMatchObject({ deep: 'forgotten', missing: [] });
    // What is still in the replay log is there again.
    expect(await spentOf(ledger)).toMatchObject({ spentNano: 7n, requests: 1 });
    expect(await ledger.gateway.reserve(reservation('a-3'))).toEqual({ kind: 'recovering' });
    const { since } = (await ledger.operator.state()).recovering!;
    // It fails once more, and loses what the operator has raised meanwhile.
    state.serverRunId = 'third';
    expect(await ledger.operator.resume(since)).toBe(false);
    await beat(1000);
    expect(await ledger.operator.resume(since)).toBe(false);
    const again = (await ledger.operator.state()).recovering!;
    expect(again).toMatchObject({ deep: 'forgotten' });
    expect(await ledger.operator.resume(again.since)).toBe(true);
    expect(await beat(1000)).toBe('alive');
    await spend(ledger, 'a-4');
  });

  test('waits for the operator where the copy is older than a lease, though this session changed nothing since', async () => {
    const { memory, state, ledger, beat } = await connected();
    const other = memory.connect(() => 'one');
    other.gateway.begin('b');
    await other.gateway.beat({ pod: 'b', shards: {} });
    const copy = snapshotOf(state);
    await spend(other, 'b-1');
    await other.gateway.leave();
    await beat(16_000);
    restoreState(state, copy);
    state.serverRunId = 'second';
    expect(await beat(1000)).toBe('recovering');
    expect((await ledger.operator.state()).recovering).toMatchObject({ deep: 'tooOld', missing: ['b'] });
  });

  test('notices that as a new incarnation, whatever others changed since', async () => {
    const { state, ledger, clock, beat } = await connected();
    const settleUnchecked = async (id: string): Promise<void> => {
      const record = { id, state: 'final', cost_nano: '7' } as const;
      const settlement = { id, costNano: nano(7n), presumedNano: nano(0n), record };
      expect(await ledger.gateway.settleUnchecked({ reservation: reservation(id), settlement })).toBe('settled');
    };
    const expectReplay = async (incarnation: string): Promise<void> => {
      await ledger.operator.raiseFences(new Map([['payments/a', 1]]));
      if (incarnation !== '') ledger.gateway.begin(incarnation);
      expect(await beat(0)).toBe('recovering');
      expect(await beat(MIN_RECOVERY_MS)).toBe('alive');
    };
    const first = snapshotOf(state);
    await settleUnchecked('a-1');
    restoreState(state, first);
    await expectReplay('b');
    expect(await spentOf(ledger)).toMatchObject({ spentNano: 7n, requests: 1 });

    // After the sweep it goes on; what comes back knows neither that nor the incarnation that followed.
    const { now } = clock;
    clock.now = state.sweepPausedUntil + 60_000;
    expect(await ledger.operator.sweep()).toBe(0);
    clock.now = now;
    expect(await ledger.gateway.beat({ pod: 'a', shards: {} })).toEqual({ kind: 'swept' });
    const second = snapshotOf(state);
    await settleUnchecked('a-2');
    ledger.gateway.begin('c');
    restoreState(state, second);
    await expectReplay('d');
    expect(await spentOf(ledger)).toMatchObject({ spentNano: 14n, requests: 2 });
    const third = snapshotOf(state);
    ledger.gateway.begin('e');
    expect(await beat(0)).toBe('alive');
    await settleUnchecked('a-3');
    restoreState(state, third);
    await expectReplay('');
    expect(await spentOf(ledger)).toMatchObject({ spentNano: 21n, requests: 3 });

    // It is back on the timeline that a recovery had ended, without what was settled during that.
    const fourth = snapshotOf(state);
    await ledger.operator.beginRebuild('one');
    await settleUnchecked('a-4');
    restoreState(state, fourth);
    await expectReplay('');
    expect(await spentOf(ledger)).toMatchObject({ spentNano: 28n, requests: 4 });
  });

  test('replays as a new incarnation what the one before had reserved', async () => {
    const { state, ledger, beat } = await connected();
    const asked = reservation('a-1', { until: 10 ** 13, checks: [{ ...reservation('').checks[0]!, end: 10 ** 13 }] });
    await ledger.gateway.reserve(asked);
    const copy = snapshotOf(state);
    await spend(ledger, 'a-1');
    restoreState(state, copy);
    state.serverRunId = 'second';
    ledger.gateway.begin('b');
    expect(await beat(0)).toBe('recovering');
    expect(await beat(MIN_RECOVERY_MS)).toBe('alive');
    expect(await spentOf(ledger)).toMatchObject({ spentNano: 7n, committedNano: 7n, requests: 1 });
  });

  test('drops nothing while the ledger is unreachable, and settles nothing twice with a clock that is a minute ahead', async () => {
    const { state, ledger, clock, beat } = await connected();
    await spend(ledger, 'a-1');
    await beat(1000);
    const copy = snapshotOf(state);
    await spend(ledger, 'a-2');
    clock.now += 10 * 60_000;
    restoreState(state, copy);
    state.serverRunId = 'second';
    expect(await beat(1000)).toBe('recovering');
    expect(await beat(MIN_RECOVERY_MS)).toBe('alive');
    expect(await spentOf(ledger)).toMatchObject({ spentNano: 14n, committedNano: 14n, requests: 2 });
    clock.now += 60_000;
    state.serverRunId = 'third';
    expect(await beat(MIN_RECOVERY_MS + 1000)).toBe('alive');
    expect(await spentOf(ledger)).toMatchObject({ spentNano: 14n, committedNano: 14n, requests: 2 });
  });
});

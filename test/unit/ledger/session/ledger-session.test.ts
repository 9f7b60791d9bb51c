import { describe, expect, test } from '@jest/globals';
import { MIN_RECOVERY_MS, REPLAY_TIMEOUT_MS } from '../../../../ledger/durations.ts';
import type { Ledger } from '../../../../ledger/ledger.ts';
import { MemoryLedger } from '../../../../ledger/memory/memory-ledger.ts';
import type { MemoryState } from '../../../../ledger/memory/state.ts';
import type { Counter } from '../../../../policy/core/counter-reading.ts';
import { query, reservation } from '../redis/loaded-gateway.ts';

describe('a session whose ledger comes back older', () => {
  /** A ledger in memory that can be restarted with a snapshot of its state. */
  async function connected(): Promise<{
    memory: MemoryLedger;
    state: MemoryState;
    clock: { now: number };
    gateway: Ledger;
    beat: Beat;
  }> {
    const clock = { now: 1_000_000 };
    const memory = new MemoryLedger({ clock: () => clock.now });
    const { state } = memory;
    const gateway = memory.connect(() => 'one');
    await gateway.operator.establish('one');
    gateway.gateway.begin('a');
    const beat = async (ms: number): Promise<string> => {
      for (let waited = 0; waited < ms; waited += 1000) {
        clock.now += 1000;
        await gateway.gateway.beat({ pod: 'a', shards: {} });
      }
      return (await gateway.gateway.beat({ pod: 'a', shards: {} })).kind;
    };
    await beat(1000);
    return { memory, state, clock, gateway, beat };
  }
  type Beat = (ms: number) => Promise<string>;

  const spend = async (gateway: Ledger, id: string): Promise<void> => {
    const asked = reservation(id, { until: 10 ** 13, checks: [{ ...reservation(id).checks[0]!, end: 10 ** 13 }] });
    expect(await gateway.gateway.reserve(asked)).toMatchObject({ kind: 'admitted' });
    await gateway.gateway.settle({
      id,
      costNano: 7n,
      presumedNano: 0n,
      record: { id, state: 'final', cost_nano: '7' },
    });
  };

  const spentOf = async (gateway: Ledger): Promise<Counter> => (await gateway.operator.read([query]))[0]!.total;

  test('waits for the operator where its replay log has dropped a missing change', async () => {
    const { state, gateway, beat } = await connected();
    const copy = state.snapshot();
    await spend(gateway, 'a-1');
    await beat(60_000);
    await spend(gateway, 'a-2');
    state.restore(copy);
    state.serverRunId = 'second';
    expect(await beat(REPLAY_TIMEOUT_MS)).toBe('recovering');
    expect((await gateway.operator.state()).recovering).toMatchObject({ deep: 'forgotten', missing: [] });
    // What is still in the replay log is there again.
    expect(await spentOf(gateway)).toMatchObject({ spentNano: 7n, requests: 1 });
    expect(await gateway.gateway.reserve(reservation('a-3'))).toEqual({ kind: 'recovering' });
    const { since } = (await gateway.operator.state()).recovering!;
    // It fails once more, and loses what the operator has raised meanwhile.
    state.serverRunId = 'third';
    expect(await gateway.operator.resume(since)).toBe(false);
    await beat(1000);
    expect(await gateway.operator.resume(since)).toBe(false);
    const again = (await gateway.operator.state()).recovering!;
    expect(again).toMatchObject({ deep: 'forgotten' });
    expect(await gateway.operator.resume(again.since)).toBe(true);
    expect(await beat(1000)).toBe('alive');
    await spend(gateway, 'a-4');
  });

  test('waits for the operator where the copy is older than a lease, though this session changed nothing since', async () => {
    const { memory, state, gateway, beat } = await connected();
    const other = memory.connect(() => 'one');
    other.gateway.begin('b');
    await other.gateway.beat({ pod: 'b', shards: {} });
    const copy = state.snapshot();
    await spend(other, 'b-1');
    await other.gateway.leave();
    await beat(16_000);
    state.restore(copy);
    state.serverRunId = 'second';
    expect(await beat(1000)).toBe('recovering');
    expect((await gateway.operator.state()).recovering).toMatchObject({ deep: 'tooOld', missing: ['b'] });
  });

  test('notices that as a new incarnation, whatever others changed since', async () => {
    const { state, gateway, clock, beat } = await connected();
    const settleUnchecked = async (id: string): Promise<void> => {
      const record = { id, state: 'final', cost_nano: '7' } as const;
      const settlement = { id, costNano: 7n, presumedNano: 0n, record };
      expect(await gateway.gateway.settleUnchecked({ reservation: reservation(id), settlement })).toBe('settled');
    };
    const expectReplay = async (incarnation: string): Promise<void> => {
      await gateway.operator.raiseFences(new Map([['payments/a', 1]]));
      if (incarnation !== '') gateway.gateway.begin(incarnation);
      expect(await beat(0)).toBe('recovering');
      expect(await beat(MIN_RECOVERY_MS)).toBe('alive');
    };
    const first = state.snapshot();
    await settleUnchecked('a-1');
    state.restore(first);
    await expectReplay('b');
    expect(await spentOf(gateway)).toMatchObject({ spentNano: 7n, requests: 1 });

    // After the sweep it goes on; what comes back knows neither that nor the incarnation that followed.
    const { now } = clock;
    clock.now = state.sweepPausedUntil + 60_000;
    expect(await gateway.operator.sweep()).toBe(0);
    clock.now = now;
    expect(await gateway.gateway.beat({ pod: 'a', shards: {} })).toEqual({ kind: 'swept' });
    const second = state.snapshot();
    await settleUnchecked('a-2');
    gateway.gateway.begin('c');
    state.restore(second);
    await expectReplay('d');
    expect(await spentOf(gateway)).toMatchObject({ spentNano: 14n, requests: 2 });
    const third = state.snapshot();
    gateway.gateway.begin('e');
    expect(await beat(0)).toBe('alive');
    await settleUnchecked('a-3');
    state.restore(third);
    await expectReplay('');
    expect(await spentOf(gateway)).toMatchObject({ spentNano: 21n, requests: 3 });

    // It is back on the timeline that a recovery had ended, without what was settled during that.
    const fourth = state.snapshot();
    await gateway.operator.beginRebuild('one');
    await settleUnchecked('a-4');
    state.restore(fourth);
    await expectReplay('');
    expect(await spentOf(gateway)).toMatchObject({ spentNano: 28n, requests: 4 });
  });

  test('replays as a new incarnation what the one before had reserved', async () => {
    const { state, gateway, beat } = await connected();
    const asked = reservation('a-1', { until: 10 ** 13, checks: [{ ...reservation('').checks[0]!, end: 10 ** 13 }] });
    await gateway.gateway.reserve(asked);
    const copy = state.snapshot();
    await spend(gateway, 'a-1');
    state.restore(copy);
    state.serverRunId = 'second';
    gateway.gateway.begin('b');
    expect(await beat(0)).toBe('recovering');
    expect(await beat(MIN_RECOVERY_MS)).toBe('alive');
    expect(await spentOf(gateway)).toMatchObject({ spentNano: 7n, committedNano: 7n, requests: 1 });
  });

  test('drops nothing while the ledger is unreachable, and settles nothing twice with a clock that is a minute ahead', async () => {
    const { state, gateway, clock, beat } = await connected();
    await spend(gateway, 'a-1');
    await beat(1000);
    const copy = state.snapshot();
    await spend(gateway, 'a-2');
    clock.now += 10 * 60_000;
    state.restore(copy);
    state.serverRunId = 'second';
    expect(await beat(1000)).toBe('recovering');
    expect(await beat(MIN_RECOVERY_MS)).toBe('alive');
    expect(await spentOf(gateway)).toMatchObject({ spentNano: 14n, committedNano: 14n, requests: 2 });
    clock.now += 60_000;
    state.serverRunId = 'third';
    expect(await beat(MIN_RECOVERY_MS + 1000)).toBe('alive');
    expect(await spentOf(gateway)).toMatchObject({ spentNano: 14n, committedNano: 14n, requests: 2 });
  });
});

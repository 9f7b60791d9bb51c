import { describe, expect, test } from '@jest/globals';
import { Admission, type Planner } from '../../../../gateway/admission/admission.ts';
import type { LedgerOutage } from '../../../../gateway/admission/ledger-outage.ts';
import { SpentCounters } from '../../../../gateway/admission/spent-counters.ts';
import { WaitQueue } from '../../../../gateway/admission/wait-queue.ts';
import type { ReadCall } from '../../../../gateway/http/call.ts';
import { LedgerUnreachable } from '../../../../ledger/ledger.ts';
import type { ReserveAnswer } from '../../../../ledger/reservation.ts';
import { Caller } from '../../../../policy/admit/caller.ts';
import type { CallPlan } from '../../../../policy/admit/plan.ts';
import { err, ok } from '../../../../policy/core/result.ts';
import { handover, resolved } from '../../../system/gateway/policies.ts';

const ADMITTED: ReserveAnswer = { kind: 'admitted', now: 7, committedNano: [] };

function callerAt(version: number): Caller {
  const { workspace } = resolved(handover({ baseURL: 'https://api.test', version }));
  return new Caller(workspace, workspace.keys[0]!);
}

/** Admits one call against a ledger that gives these answers in turn; an Error is thrown. */
async function admit(answers: readonly (ReserveAnswer | Error)[], changes: Partial<Planner<ReadCall>> = {}) {
  const left = [...answers];
  const planned: { at: number; version: number; countedTokens: number | null }[] = [];
  const released: string[] = [];
  const wasOpen: boolean[] = [];
  let beats = 0;
  const openCalls = new Set<string>();
  const planner: Planner<ReadCall> = {
    plan: ({ caller }, at, countedTokens) => {
      planned.push({ at, version: caller.workspace.version, countedTokens });
      return ok({ worstNano: 10n, reservedNano: 10n, from: 0, until: Infinity, checks: [] } as unknown as CallPlan);
    },
    countTokens: () => Promise.resolve(null),
    mayGoUnchecked: false,
    ...changes,
  };
  const admission = new Admission({
    ledger: {
      reserve: () => {
        wasOpen.push(openCalls.has('call'));
        const answer = left.shift()!;
        return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
      },
    },
    policy: { isLoaded: true, find: () => callerAt(2), reached: () => Promise.resolve(true) },
    openCalls,
    heartbeat: { beat: () => Promise.resolve(void (beats += 1)) },
    settler: { release: (id) => Promise.resolve(void released.push(id)) },
    waitQueue: new WaitQueue(1, () => 0),
    spentCounters: new SpentCounters(() => 0),
    refusalCounter: { countUnasked: () => {} },
    outage: { hasLasted: false, isOpen: false } as LedgerOutage,
    settings: { waitSeconds: 0 },
    now: () => 1,
    elapsed: () => 0,
  });
  const call = { id: 'call', keyHash: 'hash', caller: callerAt(1), hasLeft: false } as unknown as ReadCall;
  const outcome = await admission.admit(call, planner);
  return { outcome, planned, released, wasOpen, beats, isOpen: openCalls.has('call') };
}

describe('the admission of a call', () => {
  test('plans it once, and knows it as open before the reserve is sent', async () => {
    const { outcome, planned, wasOpen, isOpen } = await admit([ADMITTED]);
    expect(outcome).toMatchObject({ ok: true, value: { id: 'call', admittedAt: 7, plan: { reservedNano: 10n } } });
    expect(planned).toEqual([{ at: 1, version: 1, countedTokens: null }]);
    expect([...wasOpen, isOpen]).toEqual([true, true]);
  });

  test('plans again for the ledger’s time if the period is another one', async () => {
    const { outcome, planned } = await admit([{ kind: 'wrongPeriod', now: 5 }, ADMITTED]);
    expect(outcome.ok).toBe(true);
    expect(planned.map(({ at }) => at)).toEqual([1, 5]);
  });

  test('plans again with the caller of the newer policy if its own is stale', async () => {
    const { outcome, planned } = await admit([{ kind: 'stale', version: 2 }, ADMITTED]);
    expect(outcome.ok).toBe(true);
    expect(planned.map(({ version }) => version)).toEqual([1, 2]);
  });

  test('sends a beat and the same plan if the ledger does not know the gateway', async () => {
    const { outcome, planned, beats } = await admit([{ kind: 'unregistered' }, ADMITTED]);
    expect([outcome.ok, planned.length, beats]).toEqual([true, 1, 1]);
  });

  test('releases a reservation that may stand, and forgets a call without one', async () => {
    const unreachable = await admit([new LedgerUnreachable('no answer')]);
    expect(unreachable).toMatchObject({ outcome: { error: { reason: 'LedgerUnreachable' } }, released: ['call'] });
    expect(unreachable.isOpen).toBe(true);
    const refusal = { reason: 'NoBudget', message: 'no budget' } as const;
    const refused = await admit([], { plan: () => err(refusal) });
    expect(refused).toMatchObject({ outcome: { error: refusal }, released: [], isOpen: false });
  });

  test('gives up after two tries if there is no time to wait', async () => {
    const { outcome, planned } = await admit([
      { kind: 'wrongPeriod', now: 5 },
      { kind: 'wrongPeriod', now: 6 },
    ]);
    expect(outcome).toMatchObject({ ok: false, error: { reason: 'PolicyNotReady' } });
    expect(planned).toHaveLength(2);
  });
});

import { describe, expect, test } from '@jest/globals';
import type { BudgetOutcome, RequiredVersion, WorkspaceOutcome } from '../../../../policy/compile/compile-output.ts';
import type { CompiledWorkspace } from '../../../../policy/core/compiled-policy.ts';
import { condition, type Finding } from '../../../../policy/core/conditions.ts';
import {
  budgetReady,
  logged,
  programmed,
  type Rollout,
  workspaceReady,
} from '../../../../policy/status/condition-findings.ts';
import { budgetOf } from '../../../support/budget.ts';

describe('conditions Programmed and Ready', () => {
  const required: RequiredVersion = { workspace: 'payments/checkout', shard: 'tollgate-policy-3', version: 7 };
  const ok = { reason: 'Accepted', message: 'The resource is valid.' } as const;
  const budget: BudgetOutcome = {
    generation: 1,
    accepted: ok,
    inForce: budgetOf(),
    spanning: false,
    required: [required],
  };
  const workspace: WorkspaceOutcome = {
    generation: 1,
    accepted: ok,
    inForce: { generation: 1, suspend: false } as CompiledWorkspace,
    budgets: [budgetOf()],
    upstreamKey: true,
    required: [required],
  };
  const rollout = (fence: number | null, gateways: Record<string, Record<string, number> | null>): Rollout => ({
    fences: fence === null ? null : new Map([['payments/checkout', fence]]),
    gateways: new Map(Object.entries(gateways)),
  });
  const everywhere = rollout(7, { a: { 'tollgate-policy-3': 7 }, b: { 'tollgate-policy-3': 9 } });

  test.each<[string, string, BudgetOutcome, Rollout]>([
    ['Programmed', 'All 2 gateways enforce it.', budget, everywhere],
    ['Pending', 'No gateway is running, so no call can be made yet.', budget, rollout(8, {})],
    [
      'Programmed',
      'It applies to no workspace yet.',
      { ...budget, spanning: true, required: [] },
      rollout(7, { a: {} }),
    ],
    [
      'WorkspaceNotAccepted',
      "Its workspace was never accepted; see that workspace's Accepted condition.",
      { ...budget, required: [] },
      everywhere,
    ],
    ['NotAccepted', 'Generation 1 stays in force.', { ...budget, generation: 2 }, everywhere],
    [
      'NotAccepted',
      'No accepted generation is in force, so nothing is enforced.',
      { ...budget, inForce: null, required: [] },
      everywhere,
    ],
    ['Pending', 'Redis does not answer, so the fences cannot be read.', budget, rollout(null, {})],
    ['Pending', 'Redis does not hold the newest fence of payments/checkout yet.', budget, rollout(6, {})],
    [
      'Pending',
      'Gateway b has not reported what it enforces.',
      budget,
      rollout(7, { a: { 'tollgate-policy-3': 7 }, b: null }),
    ],
    [
      'Pending',
      'Gateway a does not enforce this version of payments/checkout yet.',
      budget,
      rollout(7, { a: { 'tollgate-policy-3': 6 } }),
    ],
  ])('%s: %s', (reason, message, outcome, rollout) => {
    expect(programmed(outcome, rollout)).toEqual({ reason, message });
  });

  const done = programmed(budget, everywhere);
  const pending = { reason: 'Pending', message: 'wait' } as const;
  const gone = { reason: 'SecretNotFound', message: 'Secret anthropic does not exist. Create it.' } as const;
  test.each<[string, WorkspaceOutcome, typeof done]>([
    ['Ready', workspace, done],
    ['NotProgrammed', workspace, pending],
    ['NotAccepted', { ...workspace, accepted: gone }, done],
    ['UpstreamKeyMissing', { ...workspace, upstreamKey: false }, done],
    ['UpstreamKeyMissing', { ...workspace, accepted: gone, upstreamKey: false }, done],
    ['NotAccepted', { ...workspace, accepted: gone, upstreamKey: false, inForce: null }, done],
    ['Suspended', { ...workspace, inForce: { generation: 1, suspend: true } as CompiledWorkspace }, done],
    ['NoBudget', { ...workspace, budgets: [] }, done],
    ['Ready', { ...workspace, budgets: [budgetOf({ mode: 'Observe' })] }, done],
  ])('a workspace is %s', (reason, outcome, isProgrammed) => {
    expect(workspaceReady(outcome, isProgrammed, { requireBudget: 'Any' }, 0).reason).toBe(reason);
  });

  test('a workspace without an upstream key says why it has none', () => {
    const { message } = workspaceReady(
      { ...workspace, accepted: gone, upstreamKey: false },
      done,
      { requireBudget: 'Any' },
      0,
    );
    expect(message).toBe(`There is no upstream key, so its calls are refused. ${gone.message}`);
  });

  test('a workspace needs no budget if the installation does not require one', () => {
    expect(workspaceReady({ ...workspace, budgets: [] }, done, { requireBudget: 'Off' }, 0).reason).toBe('Ready');
  });

  test.each<[string, BudgetOutcome, typeof done]>([
    ['Ready', budget, done],
    ['NotProgrammed', budget, pending],
    ['NotAccepted', { ...budget, accepted: { reason: 'Unpooled', message: '' } }, done],
    ['Suspended', { ...budget, inForce: budgetOf({ suspend: true }) }, done],
  ])('a budget is %s', (reason, outcome, isProgrammed) => {
    expect(budgetReady(outcome, isProgrammed, 0).reason).toBe(reason);
  });

  test('what is not ready links the page of its cause', () => {
    const rejected = { reason: 'WorkspaceNotFound', message: 'No such workspace.' } as const;
    const untyped = { reason: 'SecretTypeWrong', message: 'Of the wrong type.' } as const;
    const edited = { ...budget, accepted: rejected, inForce: null };
    const linked = (finding: Finding<'Ready'>) =>
      /[^/]+$/.exec(condition('Ready', finding, 1, 0, []).message)?.[0] ?? null;
    expect(linked(budgetReady(edited, programmed(edited, everywhere), 0))).toBe('WorkspaceNotFound.md');
    const refused = { ...workspace, accepted: untyped };
    expect(linked(workspaceReady(refused, done, { requireBudget: 'Any' }, 0))).toBe('SecretTypeWrong.md');
    expect(linked(budgetReady(budget, pending, 0))).toBe('Pending.md');
    expect(programmed(edited, everywhere).runbook).toBe('WorkspaceNotFound');
  });

  test('where only enforcing budgets count, a workspace is ready from the end of its pilot on', () => {
    const pilot = budgetOf({ mode: 'Observe', observeUntil: Date.parse('2026-12-31T00:00:00Z') });
    const at = (now: string) =>
      workspaceReady({ ...workspace, budgets: [pilot] }, done, { requireBudget: 'Enforcing' }, Date.parse(now)).reason;
    expect([at('2026-12-30T23:59:59Z'), at('2026-12-31T00:00:00Z')]).toEqual(['NoBudget', 'Ready']);
    const said = (now: string) => budgetReady({ ...budget, inForce: pilot }, done, Date.parse(now)).message;
    const sentence = ' It observes until 2026-12-31T00:00:00Z and is enforced from then on.';
    expect(said('2026-12-30T23:59:59Z')).toBe(`${done.message}${sentence}`);
    expect(said('2026-12-31T00:00:00Z')).toBe(done.message);
  });
});

describe('condition Logged', () => {
  test.each([
    ['Logged', 0, 0],
    ['Logged', 499, 0],
    ['LogBehind', 500, 0],
    ['LogBehind', 1_000, 60_000],
    ['Logged', 0, 60_000],
    ['LogUnreachable', 0, 60_001],
    ['LogUnreachable', 900, 60_001],
  ])('is %s with %d of 1000 records waiting, silent for %d ms', (reason, waiting, silentMs) => {
    expect(logged({ waiting, limit: 1_000, silentMs }).reason).toBe(reason);
  });

  test('does not depend on how many wait, so that a status is not written for each record', () => {
    const messages = [500, 501, 999].map((waiting) => logged({ waiting, limit: 1_000, silentMs: 0 }).message);
    expect(new Set(messages)).toEqual(
      new Set([
        'The usage stream is at least half full. At 1000 waiting records (usageStreamLimit) all calls are refused.',
      ]),
    );
  });
});

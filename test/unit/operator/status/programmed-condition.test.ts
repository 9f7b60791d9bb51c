import { expect, test } from '@jest/globals';
import { ProgrammedCondition } from '../../../../operator/status/programmed-condition.ts';
import type { BudgetOutcome } from '../../../../policy/compile/compile-output.ts';
import type { Rollout } from '../../../../policy/status/condition-findings.ts';

const SHARD = 'tollgate-policy-0';

/** A budget whose policy is in force once a gateway enforces `version`. */
function outcome(generation: number, version: number): BudgetOutcome {
  return {
    generation,
    spanning: false,
    accepted: { reason: 'Accepted', message: 'Accepted.' },
    inForce: { generation },
    required: [{ workspace: 'payments/app', shard: SHARD, version }],
  } as unknown as BudgetOutcome;
}

function rollout(revision: number): Rollout {
  return { fences: new Map([['payments/app', 9]]), gateways: new Map([['gateway-1', { [SHARD]: revision }]]) };
}

const target = { uid: 'budget', workspaces: ['app'], wasProgrammed: false };

test('a rollout is reported as Pending only after its grace time of half a second', () => {
  const condition = new ProgrammedCondition();
  expect(condition.find(target, outcome(1, 2), rollout(1), 10_000)).toBeNull();
  expect(condition.find(target, outcome(1, 2), rollout(1), 10_499)).toBeNull();
  expect(condition.find(target, outcome(1, 2), rollout(1), 10_500)).toMatchObject({ reason: 'Pending' });
  expect(condition.find(target, outcome(1, 2), rollout(2), 10_600)).toMatchObject({ reason: 'Programmed' });
});

test('a proven generation stays programmed through later versions of its workspace, but not for other workspaces', () => {
  const condition = new ProgrammedCondition();
  condition.find(target, outcome(1, 2), rollout(2), 10_000);
  expect(condition.find(target, outcome(1, 3), rollout(2), 20_000)).toMatchObject({ reason: 'Programmed' });
  const other = { ...target, workspaces: ['app', 'another'] };
  expect(condition.find(other, outcome(1, 3), rollout(2), 30_000)).toBeNull();
  expect(condition.find(other, outcome(1, 3), rollout(2), 30_500)).toMatchObject({ reason: 'Pending' });
});

test('a new leader keeps the Programmed condition that the status has', () => {
  const condition = new ProgrammedCondition();
  const found = { ...target, wasProgrammed: true };
  expect(condition.find(found, outcome(1, 3), rollout(2), 10_000)).toMatchObject({ reason: 'Programmed' });
});

import { expect, test } from '@jest/globals';
import type { ClaudeBudget } from '../../../../crds/types.gen.ts';
import { statusEvents } from '../../../../operator/events/status-events.ts';
import type { LedgerFigures } from '../../../../operator/status/ledger-reader.ts';
import {
  type BudgetSubject,
  type Status,
  type StatusInput,
  StatusPlanner,
} from '../../../../operator/status/status-planner.ts';
import type { CompileOutput } from '../../../../policy/compile/compile-output.ts';
import type { Reading } from '../../../../policy/core/counter-reading.ts';
import { nano } from '../../../../policy/core/money.ts';
import { periodAt } from '../../../../policy/core/period.ts';
import { budgetOf } from '../../../support/budget.ts';
import { bookOf } from '../../../support/prices.ts';

const NOW = Date.parse('2026-11-25T17:00:00Z');
const SHARD = 'tollgate-policy-0';
const budget = {
  metadata: { namespace: 'payments', name: 'checkout-daily', uid: 'one', generation: 1 },
  spec: { workspaceRef: { name: 'checkout' }, mode: 'Enforce' },
} as unknown as ClaudeBudget;

/** A compilation of that one budget, of which `uid` was the object, enforced by gateways at `revision` and above. */
function inputOf({
  uid = 'one',
  revision = 7,
  accepted = 'Accepted',
  suspend = false,
  per = [] as string[],
  spanning = false,
} = {}): StatusInput {
  const outcome = {
    generation: 1,
    spanning,
    accepted: { reason: accepted, message: 'As it is.' },
    inForce: { ...budgetOf({ suspend, per }), generation: 1 },
    required: [{ workspace: 'payments/checkout', shard: SHARD, version: 7 }],
  };
  const output = { budgets: new Map([['payments/checkout-daily', outcome]]), workspaces: new Map() };
  return {
    published: { output: output as unknown as CompileOutput, uids: new Set([uid]) },
    rollout: {
      fences: new Map([['payments/checkout', 7]]),
      gateways: new Map([['gateway-1', { [SHARD]: revision }]]),
    },
    logged: { reason: 'Logged', message: 'Logged.' },
    refusedKeys: new Map(),
    denied: new Map(),
    keys: new Map(),
    workspaces: new Map(),
    book: bookOf({ '2026-01-01': '5' }),
    now: NOW,
  };
}

function figuresOf(spentNano: bigint, exhaustedAtNano: bigint | null = null): LedgerFigures {
  const total = {
    spentNano,
    correctedNano: nano(0n),
    certainNano: spentNano,
    committedNano: spentNano,
    requests: 3,
    refused: 0,
    wouldRefuse: 0,
  };
  const reading = {
    total: { ...total, exhaustedAtNano, tooLargeNano: null },
    values: [],
    valueCount: 0,
    exhaustedCount: 0,
  };
  return { kind: 'Read', reading: reading as unknown as Reading, now: NOW };
}

const AWAY: LedgerFigures = { kind: 'Missing', reason: 'LedgerUnreachable', message: 'Redis does not answer.' };

function subjectOf(figures: LedgerFigures | undefined, status?: Status): BudgetSubject {
  return { ref: 'payments/checkout-daily', budget, status, figures };
}

function plannerAt(elapsed = { now: 0 }) {
  return new StatusPlanner({ requireBudget: 'Any' }, () => elapsed.now, periodAt);
}

test('the wanted status has the figures, exact to the nano-dollar', () => {
  const { isPending, wanted } = plannerAt().budget(subjectOf(figuresOf(1_250_000_001n)), inputOf());
  expect(isPending).toBe(false);
  expect(wanted?.status).toMatchObject({ spentUsd: '1.250000001', requests: 3, workspace: 'checkout' });
});

test('the same inputs are planned once, and again after a reset', () => {
  const planner = plannerAt();
  const [subject, input] = [subjectOf(figuresOf(1n)), inputOf()];
  expect(planner.budget(subject, input).wanted).not.toBeNull();
  expect(planner.budget(subject, input).wanted).toBeNull();
  expect(planner.budget(subjectOf(figuresOf(2n)), input).wanted).not.toBeNull();
  planner.reset();
  expect(planner.budget(subjectOf(figuresOf(2n)), input).wanted).not.toBeNull();
});

test('nothing is planned before the ledger has answered, nor by a compilation of another object', () => {
  expect(plannerAt().budget(subjectOf(undefined), inputOf()).wanted).toBeNull();
  expect(plannerAt().budget(subjectOf(figuresOf(1n)), inputOf({ uid: 'earlier' }))).toEqual({
    isPending: false,
    wanted: null,
  });
});

test('a rollout is pending: first without a status, then with the reason Pending', () => {
  const time = { now: 0 };
  const planner = plannerAt(time);
  const [subject, input] = [subjectOf(figuresOf(1n)), inputOf({ revision: 6 })];
  expect(planner.budget(subject, input)).toEqual({ isPending: true, wanted: null });
  time.now = 500;
  const { isPending, wanted } = planner.budget(subject, input);
  expect(isPending).toBe(true);
  expect(wanted?.status.conditions).toContainEqual(expect.objectContaining({ type: 'Programmed', reason: 'Pending' }));
});

test('without figures the last ones stay in the status', () => {
  const last = { conditions: [], spentUsd: '4.50', limitUsd: '25.00' } as unknown as Status;
  const silent: LedgerFigures = { kind: 'Missing', reason: 'LedgerUnreachable', message: 'Redis does not answer.' };
  const { wanted } = plannerAt().budget(subjectOf(silent, last), inputOf());
  expect(wanted?.status).toMatchObject({ spentUsd: '4.50', limitUsd: '25.00' });
  expect(wanted?.status.conditions).toContainEqual(
    expect.objectContaining({ type: 'Exhausted', status: 'Unknown', reason: 'LedgerUnreachable' }),
  );
});

test.each([
  ['OK', {}, figuresOf(1n)],
  ['Unknown', {}, AWAY],
  ['Suspended', { suspend: true }, AWAY],
  ['Invalid', { suspend: true, accepted: 'Invalid' }, figuresOf(1n)],
])('the state is %s for %j', (state, changes, figures) => {
  const status = { state: 'Warning', spentUsd: '1.00' } as Status;
  expect(plannerAt().budget(subjectOf(figures, status), inputOf(changes)).wanted?.status).toMatchObject({ state });
});

test.each([
  ['a workspace', false, 'The limit of $25.00 is reached. Calls share one limit whatever customer they name'],
  ['several, whose tenants share nothing', true, '1 of 1 values of spec.per are spent, such as no customer. Resets at'],
])('what is said of a spent budget without a total, of %s', (_of, spanning, sentence) => {
  const { reading, ...read } = figuresOf(25_000_000_000n) as LedgerFigures & { kind: 'Read' };
  const values = [{ ...reading.total, value: '[""]' }];
  const figures = { ...read, reading: { ...reading, values, valueCount: 1 } };
  const input = inputOf({ accepted: 'Unpooled', per: ['customer'], spanning });
  const { conditions } = plannerAt().budget(subjectOf(figures), input).wanted!.status;
  expect(conditions!.find(({ type }) => type === 'Exhausted')).toMatchObject({
    status: 'True',
    message: expect.stringContaining(sentence),
  });
});

test('a spent budget has one Event until more money is there, whatever small calls still fit', () => {
  const LIMIT = 25_000_000_000n;
  const figures = [
    figuresOf(24_900_000_000n),
    figuresOf(24_930_000_000n, LIMIT),
    figuresOf(24_940_000_000n),
    figuresOf(24_950_000_000n, LIMIT),
    figuresOf(24_960_000_000n),
    figuresOf(24_000_000_000n),
  ];
  const planner = plannerAt();
  const input = inputOf();
  let last: Status | undefined;
  const seen = figures.map((figure) => {
    const { status } = planner.budget(subjectOf(figure, last), input).wanted!;
    const events = statusEvents(last, status).map(({ reason }) => reason);
    last = status;
    return [status.state, ...events.filter((reason) => reason.startsWith('Budget'))];
  });
  expect(seen).toEqual([
    ['Warning'],
    ['Spent', 'BudgetExhausted'],
    ['Spent'],
    ['Spent'],
    ['Spent'],
    ['Warning', 'BudgetRecovered'],
  ]);
});

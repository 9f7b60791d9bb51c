import assert from 'node:assert/strict';
import fc from 'fast-check';
import { expireAt, LEASE_MS, MIN_RECOVERY_MS, REPLAY_TIMEOUT_MS, TOMBSTONE_MS } from '../../../../ledger/durations.ts';
import type { Reservation } from '../../../../ledger/reservation.ts';
import { DEFAULT_USAGE_LIMIT } from '../../../../ledger/streams.ts';
import type { Check, CheckMode } from '../../../../policy/core/counter-check.ts';
import { type Reading, SHARED_VALUE } from '../../../../policy/core/counter-reading.ts';
import { type Nano, nano, subtract, ZERO } from '../../../../policy/core/money.ts';
import { OWNER } from '../../../support/owner.ts';
import {
  BY_VALUE,
  CALLS,
  CONTENDERS,
  type ComparedLedgers,
  counterOf,
  GATEWAYS,
  HOUR,
  POOLED,
  queries,
  uniqueName,
  VALUES,
  WORKSPACES,
} from './compared-ledgers.ts';

const gateways = fc.constantFrom(...GATEWAYS);
const calls = fc.nat(CALLS);
/** A share of the run's scale, and a little to one side of it. */
const amounts = fc.record({ tenths: fc.nat(12), off: fc.integer({ min: -3, max: 3 }) });
type Amount = { tenths: number; off: number };

function amountOf(ledgers: ComparedLedgers, { tenths, off }: Amount): Nano {
  const amount = (ledgers.scale * BigInt(tenths)) / 10n + BigInt(off);
  return nano(amount < 0n ? 0n : amount);
}

const modes = fc.constantFrom<CheckMode>('Enforce', 'Enforce', 'Enforce', 'Exempt');
const reservations = fc.record({
  call: calls,
  version: fc.nat(3),
  worst: fc.record({ tenths: fc.nat(6), off: fc.integer({ min: -3, max: 3 }) }),
  cap: fc.constantFrom<Amount>(
    { tenths: 0, off: 0 },
    { tenths: 3, off: 0 },
    { tenths: 6, off: 0 },
    { tenths: 6, off: 1 },
  ),
  tolerance: fc.constantFrom<Amount>({ tenths: 0, off: 0 }, { tenths: 0, off: 0 }, { tenths: 2, off: 1 }),
  gap: fc.constantFrom<Amount>({ tenths: 0, off: 0 }, { tenths: 0, off: 0 }, { tenths: 1, off: 0 }),
  value: fc.constantFrom(...VALUES),
  valueIsFixed: fc.boolean(),
  valuesAreRuns: fc.boolean(),
  workspace: fc.constantFrom(...WORKSPACES),
  percent: fc.constantFrom(undefined, 50, 20),
  part: modes,
  hasTotal: fc.boolean(),
  shift: fc.constantFrom<number>(0, 0, 0, 0, -HOUR, HOUR),
  budgets: fc.subarray([...POOLED, ...BY_VALUE], { minLength: 0 }),
});
type Draft = typeof reservations extends fc.Arbitrary<infer T> ? T : never;

function reservation(ledgers: ComparedLedgers, gateway: number, draft: Draft): Reservation {
  const worstNano = amountOf(ledgers, draft.worst);
  const capNano = amountOf(ledgers, draft.cap);
  const toleranceNano = amountOf(ledgers, draft.tolerance);
  const gapNano = amountOf(ledgers, draft.gap);
  const bound = {
    capNano,
    roomNano: nano(capNano + toleranceNano - worstNano),
    gapRoomNano: nano(toleranceNano - gapNano),
  };
  const now = Date.now();
  const checks = draft.budgets.map((budget): Check => {
    const per = BY_VALUE.includes(budget);
    return {
      budget: `payments/${budget}`,
      counter: counterOf(budget),
      value: per ? draft.value : null,
      ...(draft.valueIsFixed ? { valueIsFixed: true } : {}),
      ...(draft.valuesAreRuns ? { valuesAreRuns: true } : {}),
      start: now - HOUR / 2 + draft.shift,
      end: now + HOUR / 2 + draft.shift,
      mode: budget.startsWith('watched') ? 'Observe' : draft.part,
      bound,
      total:
        per && draft.hasTotal
          ? { ...bound, capNano: nano(capNano * 2n), roomNano: nano(bound.roomNano + capNano) }
          : null,
      ...(draft.percent === undefined ? {} : { workspaceReservePercent: draft.percent }),
    };
  });
  const id = ledgers.idOf(gateway, draft.call);
  const until = now + HOUR;
  const { workspace, version } = draft;
  return { id, workspace, version, worstNano, gapNano, from: 0, until, checks };
}

type Step = (ledgers: ComparedLedgers) => Promise<unknown>;

function command(name: string, step: Step): fc.AsyncCommand<object, ComparedLedgers> {
  return {
    check: () => true,
    run: async (_, ledgers) => {
      await step(ledgers);
      await ledgers.check();
    },
    toString: () => name,
  };
}

const reserveOf = (gateway: number, draft: Draft): fc.AsyncCommand<object, ComparedLedgers> =>
  command(`reserve ${gateway} ${fc.stringify(draft)}`, async (ledgers) => {
    const asked = reservation(ledgers, gateway, draft);
    await ledgers.expireMarks();
    const before = (await ledgers.both(gateway, (ledger) => ledger.operator.read(queries))) as readonly Reading[];
    const openBefore = ledgers.memory.state.openOf(ledgers.present[gateway]!).has(asked.id);
    const got = await ledgers.both(gateway, (ledger) => ledger.gateway.reserve(asked));
    if (typeof got === 'string' || got.kind !== 'admitted' || openBefore) return;
    // The guarantee itself, from the outside.
    for (const { counter, value, mode, bound } of asked.checks) {
      if (mode !== 'Enforce' || value !== null) continue;
      const { total } = before[queries.findIndex((query) => query.counter === counter)]!;
      assert.ok(total.spentNano < bound.capNano);
      assert.ok(total.committedNano <= bound.roomNano);
    }
  });
const reserve = fc.tuple(gateways, reservations).map(([gateway, draft]) => reserveOf(gateway, draft));

const settle = fc.tuple(gateways, calls, amounts, fc.option(amounts), fc.boolean()).map((given) => {
  const [gateway, call, cost, presumed, releases] = given;
  return command(`settle ${gateway} ${call} ${fc.stringify([cost, presumed, releases])}`, async (ledgers) => {
    const id = ledgers.idOf(gateway, call);
    const costNano = amountOf(ledgers, cost);
    const presumedNano = presumed === null ? nano(0n) : amountOf(ledgers, presumed);
    const record = { id, state: 'final', cost_nano: `${costNano}` } as const;
    const settlement = { id, costNano, presumedNano, releases, record };
    const got = await ledgers.both(gateway, (ledger) => ledger.gateway.settle(settlement));
    if (got === 'settled' || got === 'corrected') ledgers.acknowledged(id);
  });
});

const settleUnchecked = fc.tuple(gateways, reservations, fc.option(amounts)).map(([gateway, draft, cost]) =>
  command(`settle unchecked ${gateway} ${fc.stringify([draft, cost])}`, async (ledgers) => {
    const asked = reservation(ledgers, gateway, draft);
    const costNano = cost === null ? nano(0n) : amountOf(ledgers, cost);
    const record = { id: asked.id, state: 'final', cost_nano: `${costNano}` } as const;
    const settlement = cost === null ? null : { id: asked.id, costNano, presumedNano: nano(0n), record };
    const got = await ledgers.both(gateway, (ledger) =>
      ledger.gateway.settleUnchecked({ reservation: asked, settlement }),
    );
    if (settlement !== null && (got === 'settled' || got === 'corrected')) ledgers.acknowledged(asked.id);
  }),
);

const openBatch = fc.tuple(gateways, calls).map(([gateway, call]) =>
  command(`open a batch ${gateway} ${call}`, async (ledgers) => {
    const id = ledgers.idOf(gateway, call);
    const adoption = { id, batch: `batch-of-${id}`, ...OWNER, meta: '{}' };
    await ledgers.both(gateway, (ledger) => ledger.gateway.openBatch(adoption));
    await ledgers.both(gateway, (ledger) => ledger.gateway.batchOwners([adoption.batch, 'another']));
  }),
);

const settleBatchLines = fc
  .tuple(gateways, calls, fc.nat(3), fc.array(amounts, { maxLength: 2 }))
  .map(([gateway, call, from, costs]) =>
    command(`settle batch lines ${gateway} ${call} ${from} ${fc.stringify(costs)}`, async (ledgers) => {
      const batch = `batch-of-${ledgers.idOf(gateway, call)}`;
      const booked = costs.map((cost, index) => {
        const costNano = amountOf(ledgers, cost);
        const id = uniqueName(`${batch}-${from + index}`);
        return { costNano, record: { id, state: 'final' as const, cost_nano: `${costNano}` } };
      });
      await ledgers.both(0, (ledger) => ledger.operator.settleBatchLines({ batch, from, lines: booked }));
    }),
  );

/** Restores a batch that only the usage log knows, or an open one with more settled lines. */
const restoreBatch = fc
  .tuple(fc.nat(2), fc.nat(3), amounts, fc.boolean(), fc.subarray([...POOLED, ...BY_VALUE]))
  .map(([which, settledLines, left, settled, held]) =>
    command(`restore a batch ${which} ${settledLines} ${fc.stringify([left, settled, held])}`, async (ledgers) => {
      const { batches } = ledgers.memory.state;
      const [id = '', batch = ''] = [...batches.values()].flatMap(({ batch: one }) => [one.id, one.batch]);
      const known = which === 0 && id !== '' ? { id, batch } : { id: `lost-${which}`, batch: `batch-of-lost-${which}` };
      const reservedNano = settled ? nano(0n) : amountOf(ledgers, left);
      const counters = held.flatMap((budget) => {
        const pool = counterOf(budget);
        return BY_VALUE.includes(budget) ? [`${pool}#${VALUES[0]}`, pool] : [pool];
      });
      const keepUntil = expireAt(Date.now() + HOUR);
      const nothing = { keepUntil, spentNano: nano(0n), presumedNano: nano(0n), requests: 0 };
      await ledgers.both(0, (ledger) =>
        ledger.operator.raiseCounters(counters.map((counter) => ({ counter, ...nothing }))),
      );
      const rest = { ...OWNER, meta: '{}', counters, keepUntil };
      await ledgers.both(0, (ledger) =>
        ledger.operator.restoreBatches([{ ...known, ...rest, settledLines, reservedNano, settled }]),
      );
      await ledgers.both(0, (ledger) => ledger.gateway.batchOwners([known.batch]));
      if (which === 2) await ledgers.both(0, (ledger) => ledger.operator.closeBatch(known.batch));
    }),
  );

const closeBatch = fc
  .tuple(gateways, calls)
  .map(([gateway, call]) =>
    command(`close the batch ${gateway} ${call}`, (ledgers) =>
      ledgers.both(0, (ledger) => ledger.operator.closeBatch(`batch-of-${ledgers.idOf(gateway, call)}`)),
    ),
  );

const resolve = fc.tuple(fc.nat(2), fc.constantFrom('Book' as const, 'Release' as const)).map(([which, how]) =>
  command(`${how} presumed ${which}`, async (ledgers) => {
    const ids = [...ledgers.memory.state.presumed.keys()].filter((_, index) => index % 3 === which);
    await ledgers.both(0, (ledger) => ledger.operator.resolvePresumed(ids, how));
  }),
);

/** A person corrects what calls cost: so much was taken out of some counters in all, or added to them. */
const correct = fc
  .tuple(amounts, fc.boolean(), fc.subarray([...POOLED, ...BY_VALUE], { minLength: 1 }))
  .map(([amount, isAdded, budgets]) =>
    command(`correct ${fc.stringify([amount, isAdded, budgets])}`, async (ledgers) => {
      const correctedNano = isAdded ? subtract(ZERO, amountOf(ledgers, amount)) : amountOf(ledgers, amount);
      const names = budgets.flatMap((budget) => {
        const pool = counterOf(budget);
        return BY_VALUE.includes(budget) ? [pool, `${pool}#${VALUES[0]}`] : [pool];
      });
      const corrections = names.map((counter) => ({ counter, correctedNano }));
      await ledgers.both(0, (ledger) => ledger.operator.correctCounters(corrections));
    }),
  );

const endBooked = fc.nat(2).map((which) =>
  command(`end booked ${which}`, async (ledgers) => {
    const ids = [...ledgers.memory.state.booked.keys()].filter((_, index) => index % 3 === which);
    await ledgers.both(0, (ledger) => ledger.operator.endBooked(ids));
  }),
);

/** A quarter of an hour passes for some of the calls that are released by themselves. */
const releaseDue = fc.tuple(gateways, fc.nat(1)).map(([gateway, which]) =>
  command(`release what is due ${gateway} ${which}`, async (ledgers) => {
    const { presumed } = ledgers.memory.state;
    const waiting = [...presumed].filter(([, { releaseAt }]) => releaseAt !== null);
    const releaseAt = Date.now() - 1;
    for (const [id, lease] of waiting.filter((_, index) => index % 2 === which)) {
      presumed.set(id, { ...lease, releaseAt });
      await ledgers.redis.zadd(`${ledgers.prefix}:presumedRelease`, releaseAt, id);
    }
    await ledgers.both(gateway, (ledger) => ledger.operator.releaseDue());
  }),
);

const release = fc
  .tuple(gateways, calls)
  .map(([gateway, call]) =>
    command(`release ${gateway} ${call}`, (ledgers) =>
      ledgers.both(gateway, (ledger) => ledger.gateway.release(ledgers.idOf(gateway, call))),
    ),
  );

const appendFreeUsage = fc.tuple(gateways, fc.constantFrom(0, 5, 20)).map(([gateway, most]) =>
  command(`append free usage ${gateway} ${most}`, (ledgers) => {
    const record = { id: uniqueName('free'), state: 'final', cost_nano: '0' } as const;
    return ledgers.both(gateway, (ledger) => ledger.gateway.appendFreeUsage(record, most / DEFAULT_USAGE_LIMIT));
  }),
);

const recordRefusals = fc
  .tuple(gateways, fc.constantFrom(...POOLED, ...BY_VALUE), fc.constantFrom(...VALUES), fc.integer({ min: 1, max: 3 }))
  .map(([gateway, budget, value, count]) =>
    command(`record refusals ${gateway} ${fc.stringify([budget, value, count])}`, (ledgers) => {
      const own = BY_VALUE.includes(budget) ? value : null;
      const workspace = 'payments/checkout';
      const unasked = [{ counter: counterOf(budget), value: own, end: Date.now() + HOUR / 2, workspace, count }];
      return ledgers.both(gateway, (ledger) => ledger.gateway.recordRefusals([], unasked));
    }),
  );

const beat = gateways.map((gateway) =>
  command(`beat ${gateway}`, async (ledgers) => {
    const report = { pod: `gateway-${gateway}`, shards: { 'tollgate-policy-0': 3 } };
    const got = await ledgers.both(gateway, (ledger) => ledger.gateway.beat(report));
    if (typeof got !== 'string' && (got.kind === 'alive' || got.kind === 'recovering')) ledgers.replayed(gateway);
  }),
);

const begin = gateways.map((gateway) =>
  command(`begin ${gateway}`, async (ledgers) => {
    ledgers.begin(gateway, uniqueName('later'));
  }),
);

const leave = gateways.map((gateway) =>
  command(`leave ${gateway}`, (ledgers) => ledgers.both(gateway, (l) => l.gateway.leave())),
);

/** The gateways fall silent for longer than a lease: both, or only the other one. */
const sweep = fc.tuple(gateways, fc.boolean()).map(([gateway, others]) =>
  command(`sweep ${gateway} ${others}`, async (ledgers) => {
    const { beats } = ledgers.memory.state;
    const silent = Date.now() - LEASE_MS - 1000;
    for (const incarnation of beats.keys()) {
      if (others && incarnation === ledgers.present[gateway]) continue;
      beats.set(incarnation, silent);
      await ledgers.redis.zadd(`${ledgers.prefix}:beats`, silent, incarnation);
    }
    await ledgers.both(gateway, (ledger) => ledger.operator.sweep());
  }),
);

const fence = fc
  .nat(2)
  .map((version) =>
    command(`fence ${version}`, (ledgers) =>
      ledgers.both(0, (ledger) => ledger.operator.raiseFences(new Map([['payments/checkout', version]]))),
    ),
  );

const forgetFence = fc
  .nat(2)
  .map((version) =>
    command(`forget fence ${version}`, (ledgers) =>
      ledgers.both(0, (ledger) => ledger.operator.forgetFences(new Map([['payments/checkout', version]]))),
    ),
  );

const copy = fc.constant(command('copy all', (ledgers) => ledgers.copy()));

/** Redis comes back as it was when it was copied: restarted, or as a replica that was the master before. */
const comeBack = fc
  .constantFrom('a restarted server', 'the same server')
  .map((who) => command(`come back as ${who}`, (ledgers) => ledgers.comeBack(who === 'a restarted server')));

const wait = fc.constantFrom(MIN_RECOVERY_MS, REPLAY_TIMEOUT_MS).map((ms) =>
  command(`recover for ${ms} ms`, async (ledgers) => {
    const { state } = ledgers.memory;
    if (state.recovering === null) return;
    const since = Date.now() - ms - 1;
    state.recovering = { ...state.recovering, since };
    await ledgers.redis.hset(`${ledgers.prefix}:ledger`, 'recovering', since);
  }),
);

const rebuild = fc.constant(
  command('rebuild', (ledgers) => ledgers.both(0, (ledger) => ledger.operator.beginRebuild('first'))),
);
const resume = fc.constant(
  command('resume', (ledgers) =>
    ledgers.both(0, async (ledger) => ledger.operator.resume((await ledger.operator.state()).recovering?.since ?? 0)),
  ),
);

/** Once the shared counter of a workspace holds money, values without a counter count there. */
const raise = fc.tuple(amounts, fc.constantFrom(VALUES[0]!, SHARED_VALUE)).map(([amount, value]) =>
  command(`raise ${fc.stringify(amount)} of ${value}`, async (ledgers) => {
    const [floorNano, keepUntil] = [amountOf(ledgers, amount), expireAt(Date.now() + HOUR)];
    const counters = queries.flatMap(({ counter, per }) => (per ? [counter, `${counter}#${value}`] : [counter]));
    // No more than is there, so that the stream still says what was spent.
    const readings = await ledgers.inMemory[0]!.operator.read(queries);
    const spentNano = readings
      .map(({ total }) => nano(total.spentNano + total.correctedNano))
      .reduce((least, one) => (one < least ? one : least));
    const floors = counters.map((counter) => ({
      counter,
      keepUntil,
      spentNano: nano(0n),
      presumedNano: nano(0n),
      requests: 0,
    }));
    await ledgers.both(0, (ledger) =>
      ledger.operator.raiseCounters(floors.map((floor) => ({ ...floor, presumedNano: floorNano }))),
    );
    const [pool] = floors;
    await ledgers.both(0, (ledger) => ledger.operator.raiseCounters([{ ...pool!, spentNano }]));
    const correctedNano = value === SHARED_VALUE ? floorNano : subtract(ZERO, floorNano);
    await ledgers.both(0, (ledger) => ledger.operator.raiseCounters([{ ...pool!, spentNano, correctedNano }]));
  }),
);

/** A person confirms the ledger; one gateway may not know that yet. */
const establish = fc.boolean().map((heard) =>
  command(`establish, ${heard ? 'both know' : 'one knows'}`, async (ledgers) => {
    const epoch = uniqueName('epoch');
    ledgers.epochs[0] = epoch;
    if (heard) ledgers.epochs[1] = epoch;
    await ledgers.both(0, (ledger) => ledger.operator.establish(epoch));
  }),
);

/** The tombstones of settled and released calls expire early. */
const expireTombstones = fc.constant(
  command('expire the tombstones', async (ledgers) => {
    if (ledgers.hasCopy) return;
    ledgers.expireTombstones();
    for (const tombstone of await ledgers.redis.keys(`${ledgers.prefix}:tombstone:*`)) {
      if ((await ledgers.redis.pttl(tombstone)) <= TOMBSTONE_MS) await ledgers.redis.del(tombstone);
    }
  }),
);

const flushScripts = fc.constant(command('flush the scripts', (ledgers) => ledgers.redis.script('FLUSH')));

/** A random sequence of what two gateways, the operator and a failing Redis do. */
export const commands = fc.commands(
  [
    reserve,
    reserve,
    reserve,
    reserve,
    settle,
    settle,
    release,
    appendFreeUsage,
    recordRefusals,
    beat,
    beat,
    begin,
    leave,
    sweep,
    fence,
    forgetFence,
    copy,
    comeBack,
    comeBack,
    wait,
    wait,
    rebuild,
    resume,
    raise,
    establish,
    settleUnchecked,
    openBatch,
    settleBatchLines,
    closeBatch,
    restoreBatch,
    resolve,
    correct,
    endBooked,
    releaseDue,
    flushScripts,
    expireTombstones,
  ],
  { maxCommands: 60, size: 'max' },
);

const contended = fc.record({
  call: calls,
  worst: fc.record({ tenths: fc.integer({ min: 1, max: 6 }), off: fc.integer({ min: -1, max: 1 }) }),
  workspace: fc.constantFrom(...CONTENDERS),
  percent: fc.constantFrom(50, 50, 50, 20, undefined),
  budget: fc.constantFrom('company', 'company', 'companyCustomers'),
});
const contend = fc.tuple(gateways, contended).map(([gateway, { budget, ...draft }]) => {
  const zero = { tenths: 0, off: 0 };
  const fixed = {
    version: 3,
    cap: { tenths: 10, off: 0 },
    valueIsFixed: false,
    valuesAreRuns: false,
    tolerance: zero,
    gap: zero,
    part: 'Enforce',
    shift: 0,
  } as const;
  return reserveOf(gateway, { ...fixed, ...draft, value: VALUES[0]!, hasTotal: false, budgets: [budget] });
});

const settleCheaply = fc.tuple(gateways, calls, fc.nat(2)).map(([gateway, call, cost]) =>
  command(`settle ${gateway} ${call} at ${cost}`, async (ledgers) => {
    const id = ledgers.idOf(gateway, call);
    const record = { id, state: 'final', cost_nano: `${cost}` } as const;
    const settlement = { id, costNano: nano(BigInt(cost)), presumedNano: nano(0n), record };
    const got = await ledgers.both(gateway, (ledger) => ledger.gateway.settle(settlement));
    if (got === 'settled') ledgers.acknowledged(id);
  }),
);

/** Workspaces of several namespaces contend for a spanning budget with calls that cost next to nothing. */
export const contentions = fc.commands([contend, contend, contend, contend, settleCheaply, release, expireTombstones], {
  maxCommands: 60,
  size: 'max',
});

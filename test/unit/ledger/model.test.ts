import assert from 'node:assert/strict';
import { afterAll, beforeAll, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { TOMBSTONE_MS } from '../../../ledger/durations.ts';
import { LEASE_MS, REPLAY_TIMEOUT_MS, MIN_RECOVERY_MS } from '../../../ledger/durations.ts';
import type { LedgerState } from '../../../ledger/ledger-state.ts';
import { LedgerUnreachable } from '../../../ledger/ledger-unreachable.ts';
import type { Ledger } from '../../../ledger/ledger.ts';
import { MemoryLedger } from '../../../ledger/memory/memory-ledger.ts';
import type { MemoryState } from '../../../ledger/memory/state.ts';
import { type RedisLedger, connectLedger } from '../../../ledger/redis/connect-ledger.ts';
import type { Reservation } from '../../../ledger/reservation.ts';
import type { StreamEntry } from '../../../ledger/streams.ts';
import type { Check, CheckMode } from '../../../policy/core/counter-check.ts';
import type { Counter, Reading } from '../../../policy/core/counter-reading.ts';
import type { StreamedRecord } from '../../../policy/core/usage-record.ts';
import { startRedis } from '../../support/redis.ts';
import { testSize } from '../../support/test-size.ts';

/**
 * Two gateways do whatever they like, in any order, to the ledger in Redis and to its twin in memory. Both must give the
 * same answers and, after every step, hold the same counters; and the books must balance.
 */

const HOUR = 3_600_000;
const GATEWAYS = [0, 1];
const POOLED = ['pool', 'watched'];
const BY_VALUE = ['customers', 'watchedCustomers'];
const VALUES = ['["acme"]', '["umbrella"]', '[""]', '["a#\\nü…"]'];
const counterOf = (budget: string): string => `payments/${budget}/Day/UTC/0`;
const queries = [
  ...POOLED.map((budget) => ({ counter: counterOf(budget), per: false, top: 0, also: [] })),
  ...BY_VALUE.map((budget) => ({ counter: counterOf(budget), per: true, top: 2, also: VALUES.slice(0, 3) })),
];

let server: Awaited<ReturnType<typeof startRedis>>;
let raw: Redis;

beforeAll(async () => {
  server = await startRedis({ configuration: ['appendonly no'] });
  raw = new Redis(server.url);
});

afterAll(async () => {
  raw.disconnect();
  await server.stop();
});

interface Dump {
  readonly key: string;
  readonly value: Buffer;
  readonly expireAt: number;
}

/** The ledger under test and its twin, with the same two gateways. */
class World {
  readonly prefix: string;
  readonly epochs: (string | null)[] = ['first', 'first'];
  readonly memory = new MemoryLedger({ clock: Date.now });
  readonly inRedis: readonly RedisLedger[];
  readonly inMemory: readonly Ledger[];
  /** Each gateway's incarnation. */
  readonly present: string[] = [];
  #copy: { state: MemoryState; isCurrentRun: boolean; keys: readonly Dump[] } | null = null;
  readonly #acknowledged = new Set<string>();
  readonly #told = new Set<number>(GATEWAYS);
  readonly #generations = new Map<string, number>();
  /** What the run's amounts are shares of: small, beyond what a double holds, round, near what 64 bits hold. */
  readonly scale: bigint;

  constructor(run: number, scale: bigint) {
    const installation = `run-${run}`;
    this.prefix = `{tollgate:${installation}}`;
    this.scale = scale;
    const epoch = (gateway: number) => (): string | null => this.epochs[gateway] ?? null;
    this.inRedis = GATEWAYS.map((gateway) => connectLedger({ url: server.url, installation, epoch: epoch(gateway) }));
    this.inMemory = GATEWAYS.map((gateway) => this.memory.connect(epoch(gateway)));
  }

  begin(gateway: number, incarnation: string): void {
    this.present[gateway] = incarnation;
    for (const side of [this.inRedis, this.inMemory]) side[gateway]!.gateway.begin(incarnation);
  }

  /** A gateway's call; under another id once all that reminds of an earlier one is forgotten, as ids are never used twice. */
  idOf(gateway: number, call: number): string {
    const name = `call-${gateway}-${call}`;
    return `${name}-${this.#generations.get(name) ?? 0}`;
  }

  /** The tombstones of settled and released calls expire. */
  forget(): void {
    const { state } = this.memory;
    state.expire(Date.now() + TOMBSTONE_MS + 1000);
    for (const gateway of GATEWAYS) {
      for (let call = 0; call <= CALLS; call += 1) {
        const id = this.idOf(gateway, call);
        const isKept = state.openAnywhere(id) !== null || state.presumed.has(id) || state.booked.has(id);
        const name = `call-${gateway}-${call}`;
        if (!isKept) this.#generations.set(name, (this.#generations.get(name) ?? 0) + 1);
      }
    }
  }

  /** What Redis and the twin hold now. */
  async remember(): Promise<void> {
    const keys = await raw.keys(`${this.prefix}*`);
    const dump = async (key: string): Promise<Dump> => {
      return { key, value: await raw.dumpBuffer(key), expireAt: Math.max(0, await raw.pexpiretime(key)) };
    };
    const { state } = this.memory;
    const isCurrentRun = state.runId === state.serverRunId;
    this.#copy = { state: state.snapshot(), isCurrentRun, keys: await Promise.all(keys.map(dump)) };
  }

  async comeBack(asAnother: boolean): Promise<void> {
    if (this.#copy === null) return;
    const { state } = this.memory;
    state.restore(this.#copy.state);
    await raw.del(await raw.keys(`${this.prefix}*`));
    for (const { key, value, expireAt } of this.#copy.keys) await raw.restore(key, expireAt, value, 'ABSTTL');
    // The copy may be of a moment at which nobody had noticed yet that the server was another one.
    state.serverRunId = this.#copy.isCurrentRun ? state.runId : `server-${(births += 1)}`;
    if (asAnother) {
      state.serverRunId = `server-${(births += 1)}`;
      await raw.hset(`${this.prefix}:ledger`, 'runId', 'gone');
    }
    this.#told.clear();
  }

  /** Notes what was acknowledged, and who has told a ledger that came back what it missed. */
  acknowledged(id: string): void {
    this.#acknowledged.add(id);
  }

  told(gateway: number): void {
    this.#told.add(gateway);
  }

  /** The tombstones are forgotten only where nothing comes back: the clients still have in mind what ended. */
  get hasCopy(): boolean {
    return this.#copy !== null;
  }

  /** Does the same to both; the answers may differ in nothing but the clock. */
  async both<T>(gateway: number, act: (ledger: Ledger) => Promise<T>): Promise<T | string> {
    const [redis, memory] = await Promise.all([this.inRedis, this.inMemory].map((side) => answer(act(side[gateway]!))));
    assert.deepEqual(redis, memory);
    return redis as T | string;
  }

  async check(): Promise<void> {
    const readings = await this.both(0, (ledger) => ledger.operator.read(queries));
    for (const reading of readings as readonly Reading[]) expectOrdered(reading);
    for (const gateway of GATEWAYS) await this.both(gateway, (ledger) => ledger.operator.state());
    await this.both(0, async (ledger) => sorted(await ledger.operator.gateways()));
    const stream = await this.both(0, async (ledger) =>
      sorted((await ledger.operator.readUsage(10_000)).map(withoutPlace)),
    );
    await this.both(0, async (ledger) =>
      sorted((await ledger.operator.presumedCalls(100)).map((one) => ({ ...one, presumedSince: null }))),
    );
    await this.both(0, async (ledger) => sorted(await ledger.operator.openBatches()));
    expectBalanced(readings as readonly Reading[], stream as readonly Streamed[]);
    if (this.#told.size === GATEWAYS.length) this.#expectComplete(stream as readonly Streamed[]);
  }

  /** Whatever the ledger lost, all that a client was told is booked is there once all clients have told it. */
  #expectComplete(stream: readonly Streamed[]): void {
    const finals = stream.flatMap(({ record }) => (record['state'] === 'final' ? [record['id']] : []));
    assert.equal(new Set(finals).size, finals.length);
    for (const id of this.#acknowledged) assert.ok(finals.includes(id), `${id} is lost`);
  }

  close(): void {
    for (const ledger of this.inRedis) ledger.close();
  }
}

type Streamed = Omit<StreamEntry, 'entry' | 'keepUntil'>;

/** Where a record is in the stream, and until when to the millisecond, differs between the two. */
function withoutPlace({ record, counters, keepUntil }: StreamEntry): Streamed {
  assert.ok(keepUntil > Date.now());
  return { record: Object.fromEntries(sorted(Object.entries(record))), counters: sorted(counters) };
}

/** What the stream says was spent is what the counters say: of each call the record that knows most counts. */
function expectBalanced(readings: readonly Reading[], stream: readonly Streamed[]): void {
  const finals = stream.filter(({ record }) => record['state'] === 'final');
  const known = stream.filter(({ record: { state } }) => state === 'final' || state === 'released');
  const settled = new Set(known.map(({ record }) => record['id']));
  const booked = stream.filter(({ record: { id, state } }) => state === 'booked' && !settled.has(id));
  for (const [index, { total }] of readings.entries()) {
    const ofCounter = ({ counters }: Streamed): boolean => counters.includes(queries[index]!.counter);
    const cost = [...finals, ...booked].filter(ofCounter).reduce((sum, { record }) => sum + costOf(record), 0n);
    assert.equal(total.spentNano, cost);
    assert.equal(total.requests, finals.filter(ofCounter).length);
  }
}

function costOf(record: StreamedRecord): bigint {
  return BigInt(record['cost_nano'] as string);
}

async function answer(promise: Promise<unknown>): Promise<unknown> {
  try {
    const result = await promise;
    if (typeof result !== 'object' || result === null || !('now' in result)) return result;
    // Order in a hash is nobody's business.
    const { recovering } = result as Partial<LedgerState>;
    return {
      ...result,
      now: null,
      ...('open' in result ? { open: sorted(result.open as string[]) } : {}),
      ...(recovering ? { recovering: { ...recovering, since: null } } : {}),
    };
  } catch (error) {
    if (error instanceof RangeError || error instanceof LedgerUnreachable) return error.name;
    throw error;
  }
}

function sorted<T>(list: readonly T[]): T[] {
  return list.toSorted((a, b) => (fc.stringify(a) < fc.stringify(b) ? -1 : 1));
}

function expectOrdered({ total, values }: Reading): void {
  for (const { spentNano, certainNano, committedNano } of [total, ...values] as Counter[]) {
    assert.ok(0n <= spentNano && spentNano <= certainNano && certainNano <= committedNano);
  }
}

const gateways = fc.constantFrom(...GATEWAYS);
const CALLS = 5;
const calls = fc.nat(CALLS);
/** A share of the run's scale, and a little to one side of it. */
const amounts = fc.record({ tenths: fc.nat(12), off: fc.integer({ min: -3, max: 3 }) });
type Amount = { tenths: number; off: number };

function nano(world: World, { tenths, off }: Amount): bigint {
  const amount = (world.scale * BigInt(tenths)) / 10n + BigInt(off);
  return amount < 0n ? 0n : amount;
}

const parts = fc.constantFrom<CheckMode>('Enforce', 'Enforce', 'Enforce', 'Exempt');
const reservations = fc.record({
  call: calls,
  version: fc.nat(3),
  worst: fc.record({ tenths: fc.nat(6), off: fc.integer({ min: -3, max: 3 }) }),
  cap: fc.constantFrom({ tenths: 0, off: 0 }, { tenths: 3, off: 0 }, { tenths: 6, off: 0 }, { tenths: 6, off: 1 }),
  tolerance: fc.constantFrom({ tenths: 0, off: 0 }, { tenths: 0, off: 0 }, { tenths: 2, off: 1 }),
  gap: fc.constantFrom({ tenths: 0, off: 0 }, { tenths: 0, off: 0 }, { tenths: 1, off: 0 }),
  value: fc.constantFrom(...VALUES),
  part: parts,
  hasTotal: fc.boolean(),
  shift: fc.constantFrom(0, 0, 0, 0, -HOUR, HOUR),
  budgets: fc.subarray([...POOLED, ...BY_VALUE], { minLength: 0 }),
});
type Draft = typeof reservations extends fc.Arbitrary<infer T> ? T : never;

function reservation(world: World, gateway: number, draft: Draft): Reservation {
  const worstNano = nano(world, draft.worst);
  const capNano = nano(world, draft.cap);
  const toleranceNano = nano(world, draft.tolerance);
  const gapNano = nano(world, draft.gap);
  const bound = { capNano, roomNano: capNano + toleranceNano - worstNano, gapRoomNano: toleranceNano - gapNano };
  const now = Date.now();
  const checks = draft.budgets.map((budget): Check => {
    const per = BY_VALUE.includes(budget);
    return {
      budget: `payments/${budget}`,
      counter: counterOf(budget),
      value: per ? draft.value : null,
      start: now - HOUR / 2 + draft.shift,
      end: now + HOUR / 2 + draft.shift,
      mode: budget.startsWith('watched') ? 'Observe' : draft.part,
      bound,
      total: per && draft.hasTotal ? { ...bound, capNano: capNano * 2n, roomNano: bound.roomNano + capNano } : null,
    };
  });
  const id = world.idOf(gateway, draft.call);
  const until = now + HOUR;
  return { id, workspace: 'payments/checkout', version: draft.version, worstNano, gapNano, from: 0, until, checks };
}

/** Makes names unique. */
let births = 0;

type Step = (world: World) => Promise<unknown>;

function command(name: string, step: Step): fc.AsyncCommand<object, World> {
  return {
    check: () => true,
    run: async (_, world) => {
      await step(world);
      await world.check();
    },
    toString: () => name,
  };
}

const reserve = fc.tuple(gateways, reservations).map(([gateway, draft]) =>
  command(`reserve ${gateway} ${fc.stringify(draft)}`, async (world) => {
    const asked = reservation(world, gateway, draft);
    const before = (await world.both(gateway, (ledger) => ledger.operator.read(queries))) as readonly Reading[];
    const openBefore = world.memory.state.openOf(world.present[gateway]!).has(asked.id);
    const got = await world.both(gateway, (ledger) => ledger.gateway.reserve(asked));
    if (typeof got === 'string' || got.kind !== 'admitted' || openBefore) return;
    // The guarantee itself, from the outside.
    for (const { counter, value, mode, bound } of asked.checks) {
      if (mode !== 'Enforce' || value !== null) continue;
      const { total } = before[queries.findIndex((query) => query.counter === counter)]!;
      assert.ok(total.spentNano < bound.capNano);
      assert.ok(total.committedNano <= bound.roomNano);
    }
  }),
);

const settle = fc.tuple(gateways, calls, amounts, fc.option(amounts)).map(([gateway, call, cost, presumed]) =>
  command(`settle ${gateway} ${call} ${fc.stringify([cost, presumed])}`, async (world) => {
    const id = world.idOf(gateway, call);
    const costNano = nano(world, cost);
    const presumedNano = presumed === null ? 0n : nano(world, presumed);
    const record = { id, state: 'final', cost_nano: `${costNano}` } as const;
    const got = await world.both(gateway, (ledger) => ledger.gateway.settle({ id, costNano, presumedNano, record }));
    if (got === 'settled' || got === 'corrected') world.acknowledged(id);
  }),
);

const settleUnchecked = fc.tuple(gateways, reservations, fc.option(amounts)).map(([gateway, draft, cost]) =>
  command(`settle unchecked ${gateway} ${fc.stringify([draft, cost])}`, async (world) => {
    const asked = reservation(world, gateway, draft);
    const costNano = cost === null ? 0n : nano(world, cost);
    const record = { id: asked.id, state: 'final', cost_nano: `${costNano}` } as const;
    const settlement = cost === null ? null : { id: asked.id, costNano, presumedNano: 0n, record };
    const got = await world.both(gateway, (ledger) =>
      ledger.gateway.settleUnchecked({ reservation: asked, settlement }),
    );
    if (settlement !== null && (got === 'settled' || got === 'corrected')) world.acknowledged(asked.id);
  }),
);

const openBatch = fc.tuple(gateways, calls).map(([gateway, call]) =>
  command(`open a batch ${gateway} ${call}`, async (world) => {
    const id = world.idOf(gateway, call);
    const adoption = { id, batch: `batch-of-${id}`, workspace: 'payments/checkout', meta: '{}' };
    await world.both(gateway, (ledger) => ledger.gateway.openBatch(adoption));
    await world.both(gateway, (ledger) => ledger.gateway.batchOwners([adoption.batch, 'another']));
  }),
);

const lines = fc
  .tuple(gateways, calls, fc.nat(3), fc.array(amounts, { maxLength: 2 }))
  .map(([gateway, call, from, costs]) =>
    command(`lines ${gateway} ${call} ${from} ${fc.stringify(costs)}`, async (world) => {
      const batch = `batch-of-${world.idOf(gateway, call)}`;
      const booked = costs.map((cost, index) => {
        const costNano = nano(world, cost);
        const id = `${batch}-${from + index}-${(births += 1)}`;
        return { costNano, record: { id, state: 'final' as const, cost_nano: `${costNano}` } };
      });
      await world.both(0, (ledger) => ledger.operator.settleBatchLines({ batch, from, lines: booked }));
    }),
  );

/** As one that the log alone knows, or another's with more lines. */
const restore = fc
  .tuple(fc.nat(2), fc.nat(3), amounts, fc.boolean(), fc.subarray([...POOLED, ...BY_VALUE]))
  .map(([which, settledLines, left, settled, held]) =>
    command(`restore ${which} ${settledLines} ${fc.stringify([left, settled, held])}`, async (world) => {
      const { batches } = world.memory.state;
      const [id = '', batch = ''] = [...batches.values()].flatMap(({ batch: one }) => [one.id, one.batch]);
      const known = which === 0 && id !== '' ? { id, batch } : { id: `lost-${which}`, batch: `batch-of-lost-${which}` };
      const reservedNano = settled ? 0n : nano(world, left);
      const counters = held.map((budget) =>
        BY_VALUE.includes(budget) ? `${counterOf(budget)}#${VALUES[0]}` : counterOf(budget),
      );
      const keepUntil = Date.now() + HOUR;
      const nothing = { keepUntil, spentNano: 0n, presumedNano: 0n, requests: 0 };
      await world.both(0, (ledger) =>
        ledger.operator.raiseCounters(counters.map((counter) => ({ counter, ...nothing }))),
      );
      const rest = { workspace: 'payments/checkout', meta: '{}', counters, keepUntil };
      await world.both(0, (ledger) =>
        ledger.operator.restoreBatches([{ ...known, ...rest, settledLines, reservedNano, settled }]),
      );
      await world.both(0, (ledger) => ledger.gateway.batchOwners([known.batch]));
      if (which === 2) await world.both(0, (ledger) => ledger.operator.closeBatch(known.batch));
    }),
  );

const closeBatch = fc
  .tuple(gateways, calls)
  .map(([gateway, call]) =>
    command(`close the batch ${gateway} ${call}`, (world) =>
      world.both(0, (ledger) => ledger.operator.closeBatch(`batch-of-${world.idOf(gateway, call)}`)),
    ),
  );

const resolve = fc.tuple(fc.nat(2), fc.constantFrom('Book' as const, 'Release' as const)).map(([which, how]) =>
  command(`${how} presumed ${which}`, async (world) => {
    const ids = [...world.memory.state.presumed.keys()].filter((_, index) => index % 3 === which);
    await world.both(0, (ledger) => ledger.operator.resolvePresumed(ids, how));
  }),
);

const release = fc
  .tuple(gateways, calls)
  .map(([gateway, call]) =>
    command(`release ${gateway} ${call}`, (world) =>
      world.both(gateway, (ledger) => ledger.gateway.release(world.idOf(gateway, call))),
    ),
  );

const beat = gateways.map((gateway) =>
  command(`beat ${gateway}`, async (world) => {
    const report = { pod: `gateway-${gateway}`, shards: { 'tollgate-policy-0': 3 } };
    const got = await world.both(gateway, (ledger) => ledger.gateway.beat(report));
    if (typeof got !== 'string' && (got.kind === 'alive' || got.kind === 'recovering')) world.told(gateway);
  }),
);

const begin = gateways.map((gateway) =>
  command(`begin ${gateway}`, async (world) => {
    world.begin(gateway, `later-${(births += 1)}`);
  }),
);

const leave = gateways.map((gateway) =>
  command(`leave ${gateway}`, (world) => world.both(gateway, (l) => l.gateway.leave())),
);

/** Everyone who has not beaten since falls silent for longer than a lease. */
const sweep = fc.tuple(gateways, fc.boolean()).map(([gateway, others]) =>
  command(`sweep ${gateway} ${others}`, async (world) => {
    const { beats } = world.memory.state;
    const silent = Date.now() - LEASE_MS - 1000;
    for (const incarnation of beats.keys()) {
      if (others && incarnation === world.present[gateway]) continue;
      beats.set(incarnation, silent);
      await raw.zadd(`${world.prefix}:beats`, silent, incarnation);
    }
    await world.both(gateway, (ledger) => ledger.operator.sweep());
  }),
);

const fence = fc
  .nat(2)
  .map((version) =>
    command(`fence ${version}`, (world) =>
      world.both(0, (ledger) => ledger.operator.raiseFences(new Map([['payments/checkout', version]]))),
    ),
  );

const remember = fc.constant(command('copy all', (world) => world.remember()));

/** Redis comes back as it was when it was copied: with another run id, or as a replica that was the master before. */
const comeBack = fc
  .constantFrom('another server', 'the same server')
  .map((who) => command(`come back as ${who}`, (world) => world.comeBack(who === 'another server')));

const wait = fc.constantFrom(MIN_RECOVERY_MS, REPLAY_TIMEOUT_MS).map((ms) =>
  command(`recover for ${ms} ms`, async (world) => {
    const { state } = world.memory;
    if (state.recovering === null) return;
    const since = Date.now() - ms - 1;
    state.recovering = { ...state.recovering, since };
    await raw.hset(`${world.prefix}:ledger`, 'recovering', since);
  }),
);

const rebuild = fc.constant(
  command('rebuild', (world) => world.both(0, (ledger) => ledger.operator.beginRebuild('first'))),
);
const resume = fc.constant(
  command('resume', (world) =>
    world.both(0, async (ledger) => ledger.operator.resume((await ledger.operator.state()).recovering?.since ?? 0)),
  ),
);

const raise = amounts.map((amount) =>
  command(`raise ${fc.stringify(amount)}`, async (world) => {
    const [floorNano, keepUntil] = [nano(world, amount), Date.now() + HOUR];
    const counters = queries.flatMap(({ counter, per }) => (per ? [counter, `${counter}#${VALUES[0]}`] : [counter]));
    // No more than is there, so that the stream still says what was spent.
    const readings = await world.inMemory[0]!.operator.read(queries);
    const spentNano = readings.map(({ total }) => total.spentNano).reduce((least, one) => (one < least ? one : least));
    const floors = counters.map((counter) => ({ counter, keepUntil, spentNano: 0n, presumedNano: 0n, requests: 0 }));
    await world.both(0, (ledger) =>
      ledger.operator.raiseCounters(floors.map((floor) => ({ ...floor, presumedNano: floorNano }))),
    );
    const [pool] = floors;
    await world.both(0, (ledger) => ledger.operator.raiseCounters([{ ...pool!, spentNano }]));
  }),
);

let epochs = 0;
/** A person confirms the ledger; one gateway may not have heard of it yet. */
const establish = fc.boolean().map((heard) =>
  command(`establish, ${heard ? 'both know' : 'one knows'}`, async (world) => {
    const epoch = `epoch-${(epochs += 1)}`;
    world.epochs[0] = epoch;
    if (heard) world.epochs[1] = epoch;
    await world.both(0, (ledger) => ledger.operator.establish(epoch));
  }),
);

/** A minute passes for what was settled and released. */
const oblivion = fc.constant(
  command('forget the tombstones', async (world) => {
    if (world.hasCopy) return;
    world.forget();
    for (const tombstone of await raw.keys(`${world.prefix}:tombstone:*`)) {
      if ((await raw.pttl(tombstone)) <= TOMBSTONE_MS) await raw.del(tombstone);
    }
  }),
);

const scriptless = fc.constant(command('forget the scripts', () => raw.script('FLUSH')));

const commands = fc.commands(
  [
    reserve,
    reserve,
    reserve,
    reserve,
    settle,
    settle,
    release,
    beat,
    beat,
    begin,
    leave,
    sweep,
    fence,
    remember,
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
    lines,
    closeBatch,
    restore,
    resolve,
    scriptless,
    oblivion,
  ],
  { maxCommands: 60, size: 'max' },
);

let runs = 0;
/** How long it looks, and where: at the same by default, so that a failure comes from what was changed. */
const RUNS = Number(process.env['RUNS'] ?? testSize({ short: 60, long: 600 }));
const SEED = Number(process.env['SEED'] ?? 4);
jest.setTimeout(300_000 + RUNS * 1000);
const SCALES = [100n, 2n ** 53n, 10n ** 18n, 2n ** 63n - 1n];

test('the ledger in Redis and its twin in memory cannot be told apart', async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...SCALES), commands, async (scale, steps) => {
      const world = new World((runs += 1), scale);
      try {
        for (const gateway of GATEWAYS) world.begin(gateway, `first-${gateway}`);
        await until(() => world.inRedis[0]!.operator.state());
        await until(() => world.inRedis[1]!.operator.state());
        await world.both(0, (ledger) => ledger.operator.establish('first'));
        for (const gateway of GATEWAYS) {
          await world.both(gateway, (ledger) => ledger.gateway.beat({ pod: `gateway-${gateway}`, shards: {} }));
        }
        await fc.asyncModelRun(() => ({ model: {}, real: world }), steps);
      } finally {
        world.close();
      }
    }),
    { numRuns: RUNS, seed: SEED },
  );
});

async function until(ask: () => Promise<LedgerState>): Promise<void> {
  for (;;) {
    try {
      await ask();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { TOMBSTONE_MS, WAIT_MARK_MS } from '../../../../ledger/durations.ts';
import { type LedgerState, LedgerUnreachable } from '../../../../ledger/ledger.ts';
import { MemoryLedger } from '../../../../ledger/memory/memory-ledger.ts';
import type { MemoryState } from '../../../../ledger/memory/state.ts';
import type { Ledger } from '../../../../ledger/operator-ledger.ts';
import { connectLedger, type RedisLedger } from '../../../../ledger/redis/connect-ledger.ts';
import type { StreamEntry } from '../../../../ledger/streams.ts';
import { type Counter, type Reading, SHARED_VALUE } from '../../../../policy/core/counter-reading.ts';
import type { StreamedRecord } from '../../../../policy/core/usage-record.ts';
import { restoreState, snapshotOf } from '../memory-snapshot.ts';

export const HOUR = 3_600_000;
export const GATEWAYS = [0, 1];
export const POOLED = ['pool', 'watched', 'company'];
export const BY_VALUE = ['customers', 'watchedCustomers', 'companyCustomers'];
export const WORKSPACES = ['payments/checkout', 'search/web'];
export const CONTENDERS = [...WORKSPACES, 'payments/refunds', 'ads/api'];
export const VALUES = ['["acme"]', '["umbrella"]', '[""]', '["a#\\nü…"]'];
export const counterOf = (budget: string): string =>
  `${budget.startsWith('company') ? 'platform' : 'payments'}/${budget}/Day/UTC/0`;
export const queries = [
  ...POOLED.map((budget) => ({ counter: counterOf(budget), per: false, top: 0, also: [] })),
  ...BY_VALUE.map((budget) => ({
    counter: counterOf(budget),
    per: true,
    top: 2,
    also: VALUES.slice(0, 3),
    sharedValue: SHARED_VALUE,
  })),
];

/** How many calls each gateway makes, less one. */
export const CALLS = 5;

/** Makes names unique. */
let names = 0;
export const uniqueName = (prefix: string): string => `${prefix}-${(names += 1)}`;

interface Dump {
  readonly key: string;
  readonly value: Buffer;
  readonly expireAt: number;
}

/** A ledger in Redis and one in memory, each with the same two gateways. */
export class ComparedLedgers {
  /** A connection to the same server, to look and to change things behind the ledger. */
  readonly redis: Redis;
  readonly prefix: string;
  readonly epochs: (string | null)[] = ['first', 'first'];
  readonly memory = new MemoryLedger({ clock: Date.now });
  readonly inRedis: readonly RedisLedger[];
  readonly inMemory: readonly Ledger[];
  /** Each gateway's incarnation. */
  readonly present: string[] = [];
  #copy: { state: MemoryState; isCurrentRun: boolean; keys: readonly Dump[] } | null = null;
  readonly #acknowledged = new Set<string>();
  readonly #replayed = new Set<number>(GATEWAYS);
  readonly #generations = new Map<string, number>();
  /** What the run's amounts are shares of: small, beyond what a double holds, round, near what 64 bits hold. */
  readonly scale: bigint;

  constructor(redis: Redis, url: string, scale: bigint) {
    const installation = uniqueName('run');
    this.redis = redis;
    this.prefix = `{tollgate:${installation}}`;
    this.scale = scale;
    const epoch = (gateway: number) => (): string | null => this.epochs[gateway] ?? null;
    this.inRedis = GATEWAYS.map((gateway) => connectLedger({ url, installation, epoch: epoch(gateway) }));
    this.inMemory = GATEWAYS.map((gateway) => this.memory.connect(epoch(gateway)));
  }

  begin(gateway: number, incarnation: string): void {
    this.present[gateway] = incarnation;
    for (const side of [this.inRedis, this.inMemory]) side[gateway]!.gateway.begin(incarnation);
  }

  /** The id of a gateway's call. It is another one once nothing of the earlier call is kept, as ids are never used twice. */
  idOf(gateway: number, call: number): string {
    const name = `call-${gateway}-${call}`;
    return `${name}-${this.#generations.get(name) ?? 0}`;
  }

  /** The tombstones in memory expire. */
  expireTombstones(): void {
    const { state } = this.memory;
    const soon = Date.now() + TOMBSTONE_MS + 1000;
    for (const [id, expireAt] of state.tombstones) if (expireAt <= soon) state.tombstones.delete(id);
    for (const gateway of GATEWAYS) {
      for (let call = 0; call <= CALLS; call += 1) {
        const id = this.idOf(gateway, call);
        const isKept = state.openAnywhere(id) !== null || state.presumed.has(id) || state.booked.has(id);
        const name = `call-${gateway}-${call}`;
        if (!isKept) this.#generations.set(name, (this.#generations.get(name) ?? 0) + 1);
      }
    }
  }

  /** Forgets who waits, before the two clocks could disagree on it. */
  async expireMarks(): Promise<void> {
    const { pools, values } = this.memory.state.counters;
    for (const counter of [...pools.values(), ...[...values.values()].flatMap((all) => [...all.values()])]) {
      for (const [level, marks] of counter.waiting) {
        if (!marks.some(({ until }) => until - Date.now() < WAIT_MARK_MS / 2)) continue;
        counter.waiting.delete(level);
        await this.redis.hdel(`${this.prefix}:counter:${counter.name}`, level === '' ? 'm' : `m:${level}`);
      }
    }
  }

  /** Copies what both ledgers hold. */
  async copy(): Promise<void> {
    const keys = await this.redis.keys(`${this.prefix}*`);
    const dump = async (key: string): Promise<Dump> => {
      return { key, value: await this.redis.dumpBuffer(key), expireAt: Math.max(0, await this.redis.pexpiretime(key)) };
    };
    const { state } = this.memory;
    const isCurrentRun = state.runId === state.serverRunId;
    this.#copy = { state: snapshotOf(state), isCurrentRun, keys: await Promise.all(keys.map(dump)) };
  }

  async comeBack(isRestarted: boolean): Promise<void> {
    if (this.#copy === null) return;
    const { state } = this.memory;
    restoreState(state, this.#copy.state);
    await this.redis.del(await this.redis.keys(`${this.prefix}*`));
    for (const { key, value, expireAt } of this.#copy.keys) await this.redis.restore(key, expireAt, value, 'ABSTTL');
    // The copy may be of a moment before anybody had noticed a restart.
    state.serverRunId = this.#copy.isCurrentRun ? state.runId : uniqueName('server');
    if (isRestarted) {
      state.serverRunId = uniqueName('server');
      await this.redis.hset(`${this.prefix}:ledger`, 'runId', 'gone');
    }
    this.#replayed.clear();
  }

  /** A client was told that the call is settled. */
  acknowledged(id: string): void {
    this.#acknowledged.add(id);
  }

  /** The gateway has replayed its changes to a ledger that came back. */
  replayed(gateway: number): void {
    this.#replayed.add(gateway);
  }

  /** Tombstones expire early only where no copy comes back: replay logs still hold the calls that ended. */
  get hasCopy(): boolean {
    return this.#copy !== null;
  }

  /** Does the same with both ledgers; the answers may differ in nothing but the clock. */
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
    await this.both(0, async (ledger) => sorted([...(await ledger.operator.fences())]));
    const stream = await this.both(0, async (ledger) =>
      sorted((await ledger.operator.readUsage(10_000)).map(withoutEntry)),
    );
    await this.both(0, async (ledger) =>
      sorted((await ledger.operator.presumedCalls(100)).map((one) => ({ ...one, presumedSince: null }))),
    );
    await this.both(0, async (ledger) => sorted(await ledger.operator.openBatches()));
    expectBalanced(readings as readonly Reading[], stream as readonly Streamed[]);
    if (this.#replayed.size === GATEWAYS.length) this.#expectComplete(stream as readonly Streamed[]);
  }

  /** Whatever the ledger lost, every acknowledged settlement is there once both gateways have replayed theirs. */
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

/** The id of an entry, and the milliseconds of its expiry, differ between the two ledgers. */
function withoutEntry({ record, counters, keepUntil }: StreamEntry): Streamed {
  // Only the record of a free call has no counters.
  assert.ok(keepUntil > Date.now() || record.id?.toString().startsWith('free') === true);
  return { record: Object.fromEntries(sorted(Object.entries(record))), counters: sorted(counters) };
}

/** The counters hold what the stream adds up to: of each call the record that knows most counts. */
function expectBalanced(readings: readonly Reading[], stream: readonly Streamed[]): void {
  const finals = stream.filter(({ record }) => record['state'] === 'final');
  const known = stream.filter(({ record: { state } }) => state === 'final' || state === 'released');
  const settled = new Set(known.map(({ record }) => record['id']));
  const booked = stream.filter(({ record: { id, state } }) => state === 'booked' && !settled.has(id));
  for (const [index, { total }] of readings.entries()) {
    const ofCounter = ({ counters }: Streamed): boolean => counters.includes(queries[index]!.counter);
    const cost = [...finals, ...booked].filter(ofCounter).reduce((sum, { record }) => sum + costOf(record), 0n);
    // What people have corrected is not in the stream.
    assert.equal(total.spentNano + total.correctedNano, cost);
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
    // The order in a hash does not matter.
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

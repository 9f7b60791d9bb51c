import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { REPLAY_TIMEOUT_MS, MIN_RECOVERY_MS } from '../../../ledger/durations.ts';
import type { LedgerState } from '../../../ledger/ledger-state.ts';
import { LedgerUnreachable } from '../../../ledger/ledger-unreachable.ts';
import type { Ledger } from '../../../ledger/ledger.ts';
import { MemoryLedger } from '../../../ledger/memory/memory-ledger.ts';
import type { MemoryState } from '../../../ledger/memory/state.ts';
import type { CounterMinimum } from '../../../ledger/operator-ledger.ts';
import { type RedisLedger, connectLedger } from '../../../ledger/redis/connect-ledger.ts';
import type { Reservation, ReserveAnswer } from '../../../ledger/reservation.ts';
import type { StreamEntry } from '../../../ledger/streams.ts';
import type { Check } from '../../../policy/core/counter-check.ts';
import type { Counter } from '../../../policy/core/counter-reading.ts';
import { cutTail, restore, snapshot, tailOf, wipe } from '../../support/redis-files.ts';
import { startRedis } from '../../support/redis.ts';

/**
 * What a real Redis does to the books when it fails under load, and what its clients do about it. Each client keeps books
 * of its own: they are what the counters must say afterwards.
 */

const HOUR = 3_600_000;
const COUNTER = 'payments/daily/Day/UTC/0';
const VALUE = '["acme"]';
const query = { counter: COUNTER, per: true, top: 5, also: [] };
const CAP = 400_000n;
const WORST = 300n;

type Server = Awaited<ReturnType<typeof startRedis>>;

function reservation(id: string, more: Partial<Reservation> = {}): Reservation {
  const bound = { capNano: CAP, roomNano: CAP - WORST, gapRoomNano: 0n };
  const span = { start: 0, end: Date.now() + HOUR };
  const check: Check = {
    budget: 'payments/daily',
    counter: COUNTER,
    value: VALUE,
    ...span,
    mode: 'Enforce',
    bound,
    total: bound,
  };
  const until = span.end;
  return {
    id,
    workspace: 'payments/a',
    version: 1,
    worstNano: WORST,
    gapNano: 0n,
    from: 0,
    until,
    checks: [check],
    ...more,
  };
}

/** A gateway as far as the ledger sees it: calls under way at once, a heartbeat, and books of its own. */
class Gateway {
  readonly ledger: RedisLedger;
  readonly name: string;
  /** What was reserved and has not ended, and what was booked. */
  readonly open = new Set<string>();
  readonly booked = new Map<string, bigint>();
  /** When a call was admitted, and when this gateway had told the ledger all that it did. Milliseconds. */
  admittedAt = 0;
  #calls = 0;
  #isStopped = false;
  #isDead = false;
  readonly #tasks: Promise<void>[] = [];

  constructor(url: string, name: string) {
    this.name = name;
    this.ledger = connectLedger({ url, installation: 'recovery', epoch: () => 'one' });
    this.ledger.gateway.begin(name);
  }

  start(loops: number): void {
    this.#tasks.push(this.#beat(), ...Array.from({ length: loops }, () => this.#loop()));
  }

  /** Ends what is under way, but beats on. */
  async still(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#tasks.slice(1));
  }

  async close(): Promise<void> {
    await this.still();
    this.die();
    await Promise.allSettled(this.#tasks);
  }

  /** As if it were killed. */
  die(): void {
    this.#isDead = true;
    this.#isStopped = true;
    this.ledger.close();
  }

  async #beat(): Promise<void> {
    while (!this.#isDead) {
      const answer = await this.ledger.gateway.beat({ pod: this.name, shards: {} }).catch(ignoreAbsence);
      if (answer?.kind === 'swept') throw new Error(`${this.name} was swept`);
      await sleep(100);
    }
  }

  async #loop(): Promise<void> {
    while (!this.#isStopped) {
      const id = `${this.name}-${(this.#calls += 1)}`;
      const answer = await this.#reserve(id);
      if (answer?.kind === 'admitted') await this.#finish(id);
      await sleep(answer?.kind === 'full' ? 50 : Math.random() * 4);
    }
  }

  async #reserve(id: string): Promise<ReserveAnswer | null> {
    while (!this.#isStopped) {
      const answer = await this.ledger.gateway.reserve(reservation(id)).catch(ignoreAbsence);
      if (answer?.kind === 'admitted') {
        this.open.add(id);
        this.admittedAt = Date.now();
      }
      if (answer !== null && !['recovering', 'unregistered', 'lost'].includes(answer.kind)) return answer;
      await sleep(20);
    }
    await this.#insist(() => this.ledger.gateway.release(id));
    return null;
  }

  async #finish(id: string): Promise<void> {
    await sleep(Math.random() * 30);
    const costNano = BigInt(Math.floor(Math.random() * Number(WORST)));
    const isReleased = Math.random() < 0.2;
    await this.#insist(() =>
      isReleased
        ? this.ledger.gateway.release(id)
        : this.ledger.gateway.settle({
            id,
            costNano,
            presumedNano: 0n,
            record: { id, state: 'final', cost_nano: `${costNano}` },
          }),
    );
    if (this.#isDead) return;
    this.open.delete(id);
    if (!isReleased) this.booked.set(id, costNano);
  }

  async #insist(act: () => Promise<unknown>): Promise<void> {
    while (!this.#isDead) {
      try {
        await act();
        return;
      } catch (error) {
        ignoreAbsence(error);
        await sleep(20);
      }
    }
  }
}

function ignoreAbsence(error: unknown): null {
  if (!(error instanceof LedgerUnreachable)) throw error;
  return null;
}

async function until<T>(look: () => Promise<T | false | undefined>, ms = 40_000): Promise<T> {
  const deadline = performance.now() + ms;
  for (;;) {
    const seen = await look().catch(ignoreAbsence);
    if (seen !== null && seen !== false && seen !== undefined) return seen;
    if (performance.now() > deadline) throw new Error('it did not come true');
    await sleep(20);
  }
}

let server: Server;
let gateways: Gateway[] = [];

afterEach(async () => {
  await Promise.all(gateways.map((one) => one.close()));
  gateways = [];
  await server.stop();
});

/** Two gateways under load, half a second after they began. */
async function underLoad(): Promise<Gateway[]> {
  server = await startRedis();
  gateways = ['a', 'b'].map((name) => new Gateway(server.url, name));
  await until(() => gateways[0]!.ledger.operator.establish('one').then(() => true));
  for (const gateway of gateways) gateway.start(6);
  await until(async () => gateways.every(({ booked }) => booked.size > 50));
  return gateways;
}

async function state(): Promise<LedgerState> {
  return until(() => gateways[0]!.ledger.operator.state());
}

/** Kills Redis, lets `happen` happen to its files, starts it again. Returns when it was up. */
async function comeBack(happen: () => void): Promise<number> {
  await server.kill();
  await nextTurn(); // what it answered before has been read
  const back = Date.now();
  happen();
  server = await startRedis({ directory: server.directory, port: server.port, password: server.password });
  return back;
}

/** Calls are admitted again, not before the recovery was over. */
async function expectAdmission(back: number): Promise<void> {
  await until(async () => gateways.every(({ admittedAt }) => admittedAt > back));
  // The shortest that a recovery takes: nothing was admitted meanwhile.
  for (const { admittedAt } of gateways) expect(admittedAt - back).toBeGreaterThanOrEqual(MIN_RECOVERY_MS);
}

/** The counters are to the nano-dollar what the gateways wrote into their own books. */
async function expectExact(): Promise<void> {
  await Promise.all(gateways.map((one) => one.still()));
  const [reading] = await gateways[0]!.ledger.operator.read([query]);
  const costs = gateways.flatMap(({ booked }) => [...booked.values()]);
  const spentNano = costs.reduce((sum, cost) => sum + cost, 0n);
  const exact = { spentNano, certainNano: spentNano, committedNano: spentNano, requests: costs.length };
  expect(reading!.total).toMatchObject(exact);
  expect(reading!.values[0]).toMatchObject(exact);
  expect(spentNano).toBeLessThanOrEqual(CAP);
  const stream = await gateways[0]!.ledger.operator.readUsage(100_000);
  expect(new Set(stream.map(({ record }) => record['id'])).size).toBe(costs.length);
}

describe('a Redis that fails under load', () => {
  test('killed and back with its data: exact, and calls go on once all have told it what they did', async () => {
    await underLoad();
    await expectAdmission(await comeBack(() => {}));
    await expectExact();
  });

  test('without the end of its log: exact, for its clients tell it again', async () => {
    await underLoad();
    const length = tailOf(server.directory);
    const before = gateways.map(({ booked }) => booked.size);
    await until(async () => gateways.every(({ booked }, index) => booked.size > before[index]! + 100));
    const back = await comeBack(() => cutTail(server.directory, length));
    await expectAdmission(back);
    await expectExact();
  });

  test('again while it recovers, and older still: exact', async () => {
    await underLoad();
    const copy = snapshot(server.directory);
    const before = gateways.map(({ booked }) => booked.size);
    await until(async () => gateways.every(({ booked }, index) => booked.size > before[index]! + 100));
    const length = tailOf(server.directory);
    await sleep(200);
    await comeBack(() => cutTail(server.directory, length));
    await until(async () => (await state()).recovering?.missing.length === 0);
    const back = await comeBack(() => restore(server.directory, copy));
    await expectAdmission(back);
    await expectExact();
  });

  test('wiped: it waits for what the log knows, and the clients tell the rest', async () => {
    await underLoad();
    const { ledger } = gateways[0]!;
    // A log that has most of it.
    const log: StreamEntry[] = [...(await ledger.operator.readUsage(60))];
    await ledger.operator.deleteUsage(log.map(({ entry }) => entry));
    await comeBack(() => wipe(server.directory));
    await until(async () => (await state()).lost === 'empty');
    await sleep(200);
    await until(() => ledger.operator.beginRebuild('one').then(() => true));
    await until(async () => {
      const { recovering } = await ledger.operator.state();
      return recovering !== null && recovering.missing.length === 0 && Date.now() > recovering.since + MIN_RECOVERY_MS;
    });
    expect((await state()).recovering).toMatchObject({ deep: 'rebuild' });
    log.push(...(await ledger.operator.readUsage(100_000)));
    await ledger.operator.raiseCounters(floorsOf(log));
    const resumed = Date.now();
    expect(gateways.every(({ admittedAt }) => admittedAt < resumed - MIN_RECOVERY_MS)).toBe(true);
    expect(await ledger.operator.resume((await state()).recovering!.since)).toBe(true);
    await until(async () => gateways.every(({ admittedAt }) => admittedAt > resumed));
    await Promise.all(gateways.map((one) => one.still()));
    const [reading] = await ledger.operator.read([query]);
    const costs = gateways.flatMap(({ booked }) => [...booked.values()]);
    const spentNano = costs.reduce((sum, cost) => sum + cost, 0n);
    expect(reading!.total).toMatchObject({ spentNano, committedNano: spentNano, requests: costs.length });
  });

  test('while a gateway dies that had told it things: waits for the operator, and forgets nothing of the living', async () => {
    await underLoad();
    const [living, dying] = gateways as [Gateway, Gateway];
    const length = tailOf(server.directory);
    const before = living.booked.size;
    await until(async () => living.booked.size > before + 100);
    dying.die();
    const back = await comeBack(() => cutTail(server.directory, length));
    const { recovering } = await until(async () => {
      const now = await living.ledger.operator.state();
      return now.recovering?.deep !== null && now.recovering !== null && now;
    });
    expect(recovering).toMatchObject({ deep: 'silentGateway', missing: [dying.name] });
    expect(Date.now() - recovering!.since).toBeGreaterThanOrEqual(REPLAY_TIMEOUT_MS);
    expect(living.admittedAt).toBeLessThan(back);
    expect(await living.ledger.operator.resume(recovering!.since)).toBe(true);
    await until(async () => living.admittedAt > back);
    await living.still();
    const [reading] = await living.ledger.operator.read([query]);
    const spentNano = [...living.booked.values()].reduce((sum, cost) => sum + cost, 0n);
    expect(reading!.total.spentNano).toBeGreaterThanOrEqual(spentNano);
  });
});

/** What a log adds up to, which keeps one record of each call. */
function floorsOf(log: readonly StreamEntry[]): CounterMinimum[] {
  const floors = new Map<string, CounterMinimum>();
  const byId = new Map(log.map((entry) => [entry.record['id'], entry]));
  for (const { counters, record, keepUntil } of byId.values()) {
    for (const counter of counters) {
      const { spentNano = 0n, requests = 0 } = floors.get(counter) ?? {};
      const cost = BigInt(record['cost_nano'] as string);
      floors.set(counter, {
        counter,
        keepUntil,
        spentNano: spentNano + cost,
        presumedNano: 0n,
        requests: requests + 1,
      });
    }
  }
  return [...floors.values()];
}

describe('a client that leaves', () => {
  test('waits until a replica has what it did, but not for one that hangs', async () => {
    server = await startRedis();
    const { port, password } = server;
    const replica = await startRedis({
      password,
      configuration: [`replicaof 127.0.0.1 ${port}`, `masterauth ${password}`],
    });
    const ledger = connectLedger({ url: server.url, installation: 'recovery', epoch: () => 'one' });
    await until(() => ledger.operator.establish('one').then(() => true));
    const copy = connectLedger({ url: replica.url, installation: 'recovery', epoch: () => 'one' });
    await until(async () => (await copy.operator.state()).epoch === 'one');
    const leaveAs = async (name: string): Promise<number> => {
      ledger.gateway.begin(name);
      await ledger.gateway.beat({ pod: name, shards: {} });
      await ledger.gateway.reserve(reservation(name));
      await ledger.gateway.settle({ id: name, costNano: 7n, presumedNano: 0n, record: { id: name } });
      const began = performance.now();
      await ledger.gateway.leave();
      return performance.now() - began;
    };
    await leaveAs('first');
    expect((await copy.operator.read([query]))[0]!.total.spentNano).toBe(7n);
    process.kill(replica.pid, 'SIGSTOP');
    expect(await leaveAs('second')).toBeGreaterThan(2_000);
    process.kill(replica.pid, 'SIGCONT');
    for (const one of [ledger, copy]) one.close();
    await replica.stop();
  });
});

describe('what no client remembers', () => {
  /** A ledger whose server can be started again with a copy of its books. */
  async function remembered(): Promise<{
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

  test('is asked of the operator: a copy from before what was forgotten', async () => {
    const { state, gateway, beat } = await remembered();
    const copy = state.snapshot();
    await spend(gateway, 'a-1');
    await beat(60_000);
    await spend(gateway, 'a-2');
    state.restore(copy);
    state.serverRunId = 'second';
    expect(await beat(REPLAY_TIMEOUT_MS)).toBe('recovering');
    expect((await gateway.operator.state()).recovering).toMatchObject({ deep: 'forgotten', missing: [] });
    // What is remembered is there again.
    expect(await spentOf(gateway)).toMatchObject({ spentNano: 7n, requests: 1 });
    expect(await gateway.gateway.reserve(reservation('a-3'))).toEqual({ kind: 'recovering' });
    const { since } = (await gateway.operator.state()).recovering!;
    // It fails once more, with what the operator has raised meanwhile.
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

  test('is asked of the operator: a copy older than a lease, though this client did nothing since', async () => {
    const { memory, state, gateway, beat } = await remembered();
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

  test('is noticed by a new incarnation, whatever others did since the same server came back older', async () => {
    const { state, gateway, clock, beat } = await remembered();
    const book = async (id: string): Promise<void> => {
      const record = { id, state: 'final', cost_nano: '7' } as const;
      const settlement = { id, costNano: 7n, presumedNano: 0n, record };
      expect(await gateway.gateway.settleUnchecked({ reservation: reservation(id), settlement })).toBe('settled');
    };
    const missed = async (incarnation: string): Promise<void> => {
      await gateway.operator.raiseFences(new Map([['payments/a', 1]]));
      if (incarnation !== '') gateway.gateway.begin(incarnation);
      expect(await beat(0)).toBe('recovering');
      expect(await beat(MIN_RECOVERY_MS)).toBe('alive');
    };
    const first = state.snapshot();
    await book('a-1');
    state.restore(first);
    await missed('b');
    expect(await spentOf(gateway)).toMatchObject({ spentNano: 7n, requests: 1 });

    // Swept, it books on; what comes back knows neither that nor the incarnation that followed.
    const { now } = clock;
    clock.now = state.sweepPausedUntil + 60_000;
    expect(await gateway.operator.sweep()).toBe(0);
    clock.now = now;
    expect(await gateway.gateway.beat({ pod: 'a', shards: {} })).toEqual({ kind: 'swept' });
    const second = state.snapshot();
    await book('a-2');
    gateway.gateway.begin('c');
    state.restore(second);
    await missed('d');
    expect(await spentOf(gateway)).toMatchObject({ spentNano: 14n, requests: 2 });
    const third = state.snapshot();
    gateway.gateway.begin('e');
    expect(await beat(0)).toBe('alive');
    await book('a-3');
    state.restore(third);
    await missed('');
    expect(await spentOf(gateway)).toMatchObject({ spentNano: 21n, requests: 3 });

    // It is back in the line that a recovery had ended, without what was booked during that.
    const fourth = state.snapshot();
    await gateway.operator.beginRebuild('one');
    await book('a-4');
    state.restore(fourth);
    await missed('');
    expect(await spentOf(gateway)).toMatchObject({ spentNano: 28n, requests: 4 });
  });

  test('is told again by a new incarnation, of what the one before had reserved', async () => {
    const { state, gateway, beat } = await remembered();
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

  test('a ledger out of reach for long makes nothing old, and a clock that is a minute ahead books nothing twice', async () => {
    const { state, gateway, clock, beat } = await remembered();
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

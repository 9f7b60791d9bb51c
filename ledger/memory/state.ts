import type { Counter, Reading, ReadingQuery, ValueCounter } from '../../policy/core/counter-reading.ts';
import { MAX_VALUES, REST } from '../../policy/core/counter-reading.ts';
import { MAX_NANO, overflow } from '../amount-checks.ts';
import type { BatchOwner, OpenBatch } from '../batches.ts';
import type { GatewayReport } from '../ledger.ts';
import type { RefusalEntry, StreamEntry } from '../streams.ts';

/** One counter of `MemoryLedger`. Nano-dollars. */
export class CounterCell {
  /** Of the budget in the period; `value` is null for the pool. */
  readonly counter: string;
  readonly value: string | null;
  readonly expireAt: number;
  spent = 0n;
  certain = 0n;
  committed = 0n;
  /** Of the calls in flight. */
  gaps = 0n;
  requests = 0;
  refused = 0;
  wouldRefuse = 0;
  exhaustedAt: bigint | null = null;
  /** What values are ordered by: the spent money as Redis adds it up in a sorted set. */
  score = 0;

  constructor(counter: string, value: string | null, expireAt: number) {
    this.counter = counter;
    this.value = value;
    this.expireAt = expireAt;
  }

  /** Throws `RangeError` where another `nano` would not fit into 64 bits. */
  checkRoom(nano: bigint): void {
    if (this.committed > MAX_NANO - nano) throw overflow();
  }

  /** What the counter is called in usage records. */
  get name(): string {
    return this.value === null ? this.counter : `${this.counter}#${this.value}`;
  }

  get reading(): Counter {
    return {
      spentNano: this.spent,
      certainNano: this.certain,
      committedNano: this.committed,
      requests: this.requests,
      refused: this.refused,
      wouldRefuse: this.wouldRefuse,
      exhaustedAtNano: this.exhaustedAt,
    };
  }
}

/** The worst case of a call, held in each of its counters. */
export interface Lease {
  readonly worstNano: bigint;
  readonly gapNano: bigint;
  readonly keepUntil: number;
  readonly cells: readonly CounterCell[];
}

/** What stays in place for a call whose cost is not known: all of a swept lease, or the rest of a settle. */
export interface Presumed {
  readonly origin: 'swept' | 'rest';
  readonly lease: Lease;
  readonly since: number;
}

/** A batch that is not settled yet. */
export interface HeldBatch {
  readonly known: Omit<OpenBatch, 'reservedNano'>;
  readonly lease: Lease;
}

/** Everything that a ledger holds; see keys.ts for the same in Redis. */
export class MemoryState {
  epoch: string | null = null;
  sequence = 0;
  sparedUntil = 0;
  /** The server, another one after each start, and the one that the ledger was last in force on. */
  server = 'first';
  run = '';
  /** The present line, how many there were, and the sequence with which it began. */
  line = '';
  lines = 0;
  from = 0;
  /** Since when, why not by itself, and whether anybody missed anything. */
  recovering: { readonly since: number; readonly deep: string | null; readonly short: boolean } | null = null;
  readonly recovery = new Map<string, 'expected' | 'replayed'>();
  /** By living incarnation: the number of its last change in the line that it has joined. */
  readonly lastChanges = new Map<string, number>();
  /** The same of those that are off the list. */
  readonly formerChanges = new Map<string, number>();
  readonly beats = new Map<string, number>();
  readonly reports = new Map<string, GatewayReport>();
  readonly fences = new Map<string, number>();
  readonly presumed = new Map<string, Presumed>();
  /** What was resolved without knowing its cost. */
  readonly booked = new Map<string, Lease>();
  readonly batches = new Map<string, HeldBatch>();
  readonly owners = new Map<string, BatchOwner & { readonly until: number }>();
  usage: StreamEntry[] = [];
  refusals: RefusalEntry[] = [];
  readonly #pools = new Map<string, CounterCell>();
  readonly #values = new Map<string, Map<string, CounterCell>>();
  readonly #open = new Map<string, Map<string, Lease>>();
  /** When each tombstone expires. */
  readonly #ended = new Map<string, number>();
  #entries = 0;

  /** The pool of a counter; one that has none yet gets it by `keep`. */
  pool(counter: string, expireAt: number): CounterCell {
    return this.#pools.get(counter) ?? new CounterCell(counter, null, expireAt);
  }

  /** The counter of a value: past `MAX_VALUES` all new ones share one. */
  value(counter: string, value: string, expireAt: number): CounterCell {
    const values = this.#valuesOf(counter);
    const own = values.get(value);
    if (own !== undefined || values.size < MAX_VALUES) return own ?? new CounterCell(counter, value, expireAt);
    return values.get(REST) ?? new CounterCell(counter, REST, expireAt);
  }

  keep(cell: CounterCell): void {
    if (cell.value === null) this.#pools.set(cell.counter, cell);
    else this.#valuesOf(cell.counter).set(cell.value, cell);
  }

  openOf(incarnation: string): Map<string, Lease> {
    return entry(this.#open, incarnation);
  }

  /** Until when a call that has ended is remembered. */
  entomb(id: string, until: number): void {
    this.#ended.set(id, until);
  }

  hasEnded(id: string, now: number): boolean {
    return (this.#ended.get(id) ?? 0) > now;
  }

  unregister(incarnation: string): void {
    const last = this.lastChanges.get(incarnation);
    if (last !== undefined) this.formerChanges.set(incarnation, last);
    this.lastChanges.delete(incarnation);
    this.beats.delete(incarnation);
    this.reports.delete(incarnation);
    this.#open.delete(incarnation);
  }

  /** The reservation, whoever made it. */
  openAnywhere(id: string): { readonly owner: string; readonly lease: Lease } | null {
    for (const owner of this.beats.keys()) {
      const lease = this.openOf(owner).get(id);
      if (lease !== undefined) return { owner, lease };
    }
    return null;
  }

  /** The counter of that true name; one that has none yet gets it by `keep`. */
  named(name: string, expireAt: number): CounterCell {
    const mark = name.indexOf('#');
    if (mark < 0) return this.pool(name, expireAt);
    const [counter, value] = [name.slice(0, mark), name.slice(mark + 1)];
    return this.#valuesOf(counter).get(value) ?? new CounterCell(counter, value, expireAt);
  }

  /** The next place in a stream. */
  nextEntry(): string {
    return `${(this.#entries += 1)}-0`;
  }

  /** A copy of all that is here now. */
  copy(): MemoryState {
    const copy = new MemoryState();
    copy.become(this);
    return copy;
  }

  /** Everything is as in a copy that was made before: what a server holds that comes back older. */
  become(other: MemoryState): void {
    const { epoch, sequence, sparedUntil, run, line, from, recovering, usage, refusals } = other;
    Object.assign(this, { epoch, sequence, sparedUntil, run, line, from, recovering });
    this.usage = [...usage];
    this.refusals = [...refusals];
    const known = new Map<object, object>();
    for (const [index, map] of this.#maps.entries()) {
      map.clear();
      for (const [key, value] of other.#maps[index]!) map.set(key, copied(value, known));
    }
  }

  get #maps(): Map<string, unknown>[] {
    const { recovery, lastChanges, formerChanges, beats, reports, fences, presumed, booked, batches, owners } = this;
    const kept = [recovery, lastChanges, formerChanges, beats, reports, fences, presumed, booked, batches, owners];
    return [...kept, this.#pools, this.#values, this.#open, this.#ended] as Map<string, unknown>[];
  }

  /** Drops what has outlived its time. */
  forget(now: number): void {
    for (const [counter, pool] of this.#pools) {
      if (pool.expireAt > now) continue;
      this.#pools.delete(counter);
      this.#values.delete(counter);
    }
    for (const [id, { until }] of this.owners) if (until <= now) this.owners.delete(id);
    for (const [id, until] of this.#ended) if (until <= now) this.#ended.delete(id);
  }

  read({ counter, per, top, also }: ReadingQuery): Reading {
    const values = per ? this.#valuesOf(counter) : new Map<string, CounterCell>();
    const total = this.pool(counter, 0).reading;
    const dearest = [...values.values()].toSorted(dearestFirst).slice(0, top);
    const named = per ? also.map((value) => this.value(counter, value, 0)) : [];
    const listed = new Map([...dearest, ...named].map((cell) => [cell.value ?? '', cell]));
    const exhausted = [...values.values()].filter(({ exhaustedAt }) => exhaustedAt !== null);
    const toReading = ([value, cell]: [string, CounterCell]): ValueCounter => ({ value, ...cell.reading });
    return {
      total,
      values: [...listed].map(toReading),
      valueCount: values.size,
      exhaustedCount: exhausted.length,
    };
  }

  #valuesOf(counter: string): Map<string, CounterCell> {
    return entry(this.#values, counter);
  }
}

/** A deep copy in which what was the same object still is. */
function copied(value: unknown, known: Map<object, object>): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const seen = known.get(value);
  if (seen !== undefined) return seen;
  if (value instanceof Map) return new Map([...value].map(([key, one]) => [key, copied(one, known)]));
  if (Array.isArray(value)) return value.map((one) => copied(one, known));
  const copy = Object.create(Object.getPrototypeOf(value) as object) as Record<string, unknown>;
  known.set(value, copy);
  for (const [name, one] of Object.entries(value)) copy[name] = copied(one, known);
  return copy;
}

function entry<V>(maps: Map<string, Map<string, V>>, key: string): Map<string, V> {
  const map = maps.get(key) ?? new Map<string, V>();
  maps.set(key, map);
  return map;
}

/** As a sorted set of Redis read backwards: by score, among equals by bytes. */
function dearestFirst(a: CounterCell, b: CounterCell): number {
  return b.score - a.score || Buffer.compare(Buffer.from(b.value ?? ''), Buffer.from(a.value ?? ''));
}

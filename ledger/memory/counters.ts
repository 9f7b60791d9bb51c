import type { Counter, Reading, ReadingQuery, ValueCounter } from '../../policy/core/counter-reading.ts';
import { MAX_VALUES, REST } from '../../policy/core/counter-reading.ts';
import { add, MAX_NANO, type Nano, ZERO } from '../../policy/core/money.ts';
import { overflow } from '../amount-checks.ts';

/** Signed changes of a counter's sums (nano-dollars) and its number of settled calls. */
export interface CounterChange {
  readonly spentNano: Nano;
  readonly certainNano: Nano;
  readonly committedNano: Nano;
  readonly requests: number;
}

/** The sums of one budget in one period: the pool, or one value. */
export class MemoryCounter {
  /** Names the budget and its period. */
  readonly counter: string;
  /** Null for the pool. */
  readonly value: string | null;
  /** Milliseconds since the epoch. */
  readonly expireAt: number;
  spentNano = ZERO;
  certainNano = ZERO;
  committedNano = ZERO;
  /** Of the calls in flight. */
  gapsNano = ZERO;
  requests = 0;
  refused = 0;
  wouldRefuse = 0;
  exhaustedAtNano: Nano | null = null;
  /** Orders values: what is spent, summed in floating point as a sorted set of Redis does. */
  score = 0;

  constructor(counter: string, value: string | null, expireAt: number) {
    this.counter = counter;
    this.value = value;
    this.expireAt = expireAt;
  }

  /** The full name, as in usage records. */
  get name(): string {
    return this.value === null ? this.counter : `${this.counter}#${this.value}`;
  }

  get reading(): Counter {
    const { spentNano, certainNano, committedNano, requests, refused, wouldRefuse, exhaustedAtNano } = this;
    return { spentNano, certainNano, committedNano, requests, refused, wouldRefuse, exhaustedAtNano };
  }

  /** @throws RangeError where the counter would overflow. */
  requireRoomFor(amount: Nano): void {
    if (this.committedNano > MAX_NANO - amount) throw overflow();
  }

  change({ spentNano, certainNano, committedNano, requests }: CounterChange): void {
    this.spentNano = add(this.spentNano, spentNano);
    this.certainNano = add(this.certainNano, certainNano);
    this.committedNano = add(this.committedNano, committedNano);
    this.requests += requests;
    this.score += Number(spentNano);
  }
}

/** All counters. Looking one up creates it, but only `store` keeps it. */
export class MemoryCounters {
  readonly pools = new Map<string, MemoryCounter>();
  /** By pool, then by value. */
  readonly values = new Map<string, Map<string, MemoryCounter>>();

  pool(counter: string, expireAt: number): MemoryCounter {
    return this.pools.get(counter) ?? new MemoryCounter(counter, null, expireAt);
  }

  /** The counter of a value: past `MAX_VALUES` all new values share one. */
  value(counter: string, value: string, expireAt: number): MemoryCounter {
    const values = this.#valuesOf(counter);
    const own = values.get(value);
    if (own !== undefined || values.size < MAX_VALUES) return own ?? new MemoryCounter(counter, value, expireAt);
    return values.get(REST) ?? new MemoryCounter(counter, REST, expireAt);
  }

  named(name: string, expireAt: number): MemoryCounter {
    const mark = name.indexOf('#');
    if (mark < 0) return this.pool(name, expireAt);
    const [counter, value] = [name.slice(0, mark), name.slice(mark + 1)];
    return this.#valuesOf(counter).get(value) ?? new MemoryCounter(counter, value, expireAt);
  }

  store(counter: MemoryCounter): void {
    if (counter.value === null) this.pools.set(counter.counter, counter);
    else this.#valuesOf(counter.counter).set(counter.value, counter);
  }

  read({ counter, per, top, also }: ReadingQuery): Reading {
    const values = per ? [...this.#valuesOf(counter).values()] : [];
    const highest = values.toSorted(highestFirst).slice(0, top);
    const named = per ? also.map((value) => this.value(counter, value, 0)) : [];
    const listed = new Map([...highest, ...named].map((one) => [one.value ?? '', one]));
    return {
      total: this.pool(counter, 0).reading,
      values: [...listed].map(([value, one]): ValueCounter => ({ value, ...one.reading })),
      valueCount: values.length,
      exhaustedCount: values.filter(({ exhaustedAtNano }) => exhaustedAtNano !== null).length,
    };
  }

  /** Deletes the counters that have expired at `now`, milliseconds since the epoch. */
  expire(now: number): void {
    for (const [name, { expireAt }] of this.pools) {
      if (expireAt > now) continue;
      this.pools.delete(name);
      this.values.delete(name);
    }
  }

  #valuesOf(counter: string): Map<string, MemoryCounter> {
    const values = this.values.get(counter) ?? new Map<string, MemoryCounter>();
    this.values.set(counter, values);
    return values;
  }
}

/** The order of a sorted set of Redis read backwards: by score, then by bytes. */
function highestFirst(a: MemoryCounter, b: MemoryCounter): number {
  return b.score - a.score || Buffer.compare(Buffer.from(b.value ?? ''), Buffer.from(a.value ?? ''));
}

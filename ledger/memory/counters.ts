import type { Ref } from '../../policy/core/compiled-policy.ts';
import type { Check } from '../../policy/core/counter-check.ts';
import type { Reading, ReadingQuery, ValueCounter } from '../../policy/core/counter-reading.ts';
import {
  isSharedValue,
  MAX_NAMESPACE_VALUES,
  MAX_VALUES,
  namespaceOf,
  sharedValueOf,
} from '../../policy/core/counter-reading.ts';
import { expireAt, valueExpireAt } from '../durations.ts';
import type { UnaskedRefusals } from '../streams.ts';
import { MemoryCounter } from './counter.ts';

/** A value of `per`, and what says whether it has a counter of its own. */
type ValueCheck = Pick<Check, 'counter' | 'valueIsFixed' | 'valuesAreRuns'> & { readonly value: string };

/**
 * All counters. Looking one up creates it, but only `store` keeps it. The counter of a value stays only while it holds
 * money, as redis/scripts/shared/value-counters.lua says.
 */
export class MemoryCounters {
  readonly pools = new Map<string, MemoryCounter>();
  /** By pool, then by value. */
  readonly values = new Map<string, Map<string, MemoryCounter>>();

  pool(counter: string, expireAt: number): MemoryCounter {
    return this.pools.get(counter) ?? new MemoryCounter(counter, null, expireAt);
  }

  /**
   * The counter of a value, or the shared one of its workspace. Once that one holds money, a value without a counter counts
   * there: it may have spent a part of that money, and must not get a limit of its own on top. A fixed value never counts
   * there: its workspaces would have a limit each.
   */
  value(
    { counter, value, valueIsFixed, valuesAreRuns }: ValueCheck,
    poolExpireAt: number,
    workspace: Ref,
  ): MemoryCounter {
    const shared = sharedValueOf(counter, workspace);
    const values = this.#valuesOf(counter);
    const kept = values.get(value) ?? (valueIsFixed === true ? undefined : values.get(shared));
    if (kept !== undefined) return kept;
    const namespace = namespaceOf(workspace);
    const most = valuesAreRuns === true ? MAX_NAMESPACE_VALUES : MAX_VALUES;
    const name = valueIsFixed !== true && this.#hasAllValues(namespace, counter, most) ? shared : value;
    return new MemoryCounter(counter, name, valueExpireAt(poolExpireAt), namespace);
  }

  /** Whether a namespace's calls may make no further value in a pool, which has room for `most`. */
  #hasAllValues(namespace: string, counter: string, most: number): boolean {
    let inAll = 0;
    for (const [pool, values] of this.values) {
      const own = [...values.values()].filter((one) => one.madeBy === namespace && !isSharedValue(one.value!));
      const places = own.reduce((sum, { name }) => sum + placesOf(name), 0);
      if (pool === counter && places >= most) return true;
      inAll += places;
    }
    return inAll >= MAX_NAMESPACE_VALUES;
  }

  /** The counter of a full name. */
  named(name: string, expireAt: number): MemoryCounter {
    const mark = name.indexOf('#');
    if (mark < 0) return this.pool(name, expireAt);
    const [counter, value] = [name.slice(0, mark), name.slice(mark + 1)];
    return this.#valuesOf(counter).get(value) ?? new MemoryCounter(counter, value, expireAt);
  }

  /** The counter that has the name of a lease's; null where there is none. */
  kept({ counter, value }: MemoryCounter): MemoryCounter | null {
    return (value === null ? this.pools.get(counter) : this.#valuesOf(counter).get(value)) ?? null;
  }

  /** A lease's counter that was dropped because it held nothing, made again at `now` (milliseconds). Null once expired. */
  dropped({ counter, value }: MemoryCounter, workspace: Ref, now: number): MemoryCounter | null {
    const pool = this.pools.get(counter);
    if (value === null || pool === undefined) return null;
    const expireAt = valueExpireAt(pool.expireAt);
    return expireAt > now ? new MemoryCounter(counter, value, expireAt, namespaceOf(workspace)) : null;
  }

  /** Keeps a counter, unless it is that of a value and holds nothing. */
  store(counter: MemoryCounter): void {
    const { value, isEmpty } = counter;
    if (value === null) this.pools.set(counter.counter, counter);
    else if (isEmpty) this.#valuesOf(counter.counter).delete(value);
    else this.#valuesOf(counter.counter).set(value, counter);
  }

  /** Keeps the counter of a call in flight, even if it reserves nothing. */
  storeReserved(counter: MemoryCounter): void {
    if (counter.value === null) this.pools.set(counter.counter, counter);
    else this.#valuesOf(counter.counter).set(counter.value, counter);
  }

  /** Counts refused calls in a budget's pool and in the counter of their value, if that is kept. */
  countRefused({ counter, value, end, workspace, count }: UnaskedRefusals): void {
    const pool = this.pool(counter, expireAt(end));
    this.store(pool);
    pool.refused += count;
    if (value !== null) this.value({ counter, value }, expireAt(end), workspace).refused += count;
  }

  read({ counter, per, top, also, sharedValue }: ReadingQuery): Reading {
    const byValue = per ? this.#valuesOf(counter) : new Map<string, MemoryCounter>();
    const values = [...byValue.values()];
    const highest = values.toSorted(highestFirst).slice(0, top);
    const shared = sharedValue === undefined ? undefined : byValue.get(sharedValue);
    const named = per ? also.map((value) => byValue.get(value) ?? shared ?? new MemoryCounter(counter, value, 0)) : [];
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
    for (const [name, { expireAt }] of this.pools) if (expireAt <= now) this.pools.delete(name);
    for (const values of this.values.values()) {
      for (const [value, { expireAt }] of values) if (expireAt <= now) values.delete(value);
    }
  }

  #valuesOf(counter: string): Map<string, MemoryCounter> {
    const values = this.values.get(counter) ?? new Map<string, MemoryCounter>();
    this.values.set(counter, values);
    return values;
  }
}

/** How many places a value takes: as callers choose its length too, one for each 256 bytes of the counter's name. */
function placesOf(name: string): number {
  return 1 + Math.floor(Buffer.byteLength(name) / 256);
}

/** The order of a sorted set of Redis read backwards: by score, then by bytes. */
function highestFirst(a: MemoryCounter, b: MemoryCounter): number {
  return b.score - a.score || Buffer.compare(Buffer.from(b.value ?? ''), Buffer.from(a.value ?? ''));
}

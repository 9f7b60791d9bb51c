import type { Counter } from '../../policy/core/counter-reading.ts';
import { MAX_NANO, overflow } from '../amount-checks.ts';

/** Signed changes of a counter's sums (nano-dollars) and its number of settled calls. */
export interface CounterChange {
  readonly spentNano: bigint;
  readonly certainNano: bigint;
  readonly committedNano: bigint;
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
  spentNano = 0n;
  certainNano = 0n;
  committedNano = 0n;
  /** Of the calls in flight. */
  gapsNano = 0n;
  requests = 0;
  refused = 0;
  wouldRefuse = 0;
  exhaustedAtNano: bigint | null = null;
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
  requireRoomFor(nano: bigint): void {
    if (this.committedNano > MAX_NANO - nano) throw overflow();
  }

  change({ spentNano, certainNano, committedNano, requests }: CounterChange): void {
    this.spentNano += spentNano;
    this.certainNano += certainNano;
    this.committedNano += committedNano;
    this.requests += requests;
    this.score += Number(spentNano);
  }
}

import type { Ref } from '../../policy/core/compiled-policy.ts';
import { type Counter, isSpanningCounter, namespaceOf } from '../../policy/core/counter-reading.ts';
import { add, max, MAX_NANO, min, type Nano, subtract, sum, ZERO } from '../../policy/core/money.ts';
import { overflow } from '../amount-checks.ts';

/** A workspace or namespace of which a call waits for room in a counter; believed until then (milliseconds). */
export interface WaitMark {
  readonly name: string;
  readonly until: number;
}

/** Signed changes of a counter's sums (nano-dollars) and its number of settled calls. */
export interface CounterChange {
  readonly spentNano: Nano;
  readonly certainNano: Nano;
  readonly committedNano: Nano;
  readonly gapsNano?: Nano;
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
  /** Of a value: the namespace whose call made the counter. */
  readonly madeBy: string;
  spentNano = ZERO;
  /** What people have taken out of what is spent; negative if they added to it. */
  correctedNano = ZERO;
  certainNano = ZERO;
  committedNano = ZERO;
  /** Of the calls in flight. */
  gapsNano = ZERO;
  requests = 0;
  refused = 0;
  wouldRefuse = 0;
  exhaustedAtNano: Nano | null = null;
  tooLargeNano: Nano | null = null;
  /** In a spanning budget: what each workspace and each namespace has in flight. Nano-dollars. */
  readonly inFlight = new Map<string, Nano>();
  /** In a spanning budget: the last two of a level (`SharingLevel`) that waited, latest first. */
  readonly waiting = new Map<string, readonly WaitMark[]>();

  /** `counter` begins with the budget's namespace, whose calls made the counter unless another is given. */
  constructor(counter: string, value: string | null, expireAt: number, madeBy = namespaceOf(counter)) {
    this.counter = counter;
    this.value = value;
    this.expireAt = expireAt;
    this.madeBy = madeBy;
  }

  /** The full name, as in usage records. */
  get name(): string {
    return this.value === null ? this.counter : `${this.counter}#${this.value}`;
  }

  /** Whether it holds no money, and nothing that people have corrected. */
  get isEmpty(): boolean {
    const { spentNano, committedNano, gapsNano, correctedNano } = this;
    return [spentNano, committedNano, gapsNano, correctedNano].every((amount) => amount === 0n);
  }

  /** Orders values: what is spent in floating point, as a sorted set of Redis has it. */
  get score(): number {
    return Number(this.spentNano);
  }

  get reading(): Counter {
    const { spentNano, correctedNano, certainNano, committedNano, requests, refused, wouldRefuse } = this;
    const { exhaustedAtNano, tooLargeNano } = this;
    const money = { spentNano, correctedNano, certainNano, committedNano, exhaustedAtNano, tooLargeNano };
    return { ...money, requests, refused, wouldRefuse };
  }

  /** @throws RangeError where the counter would overflow. */
  requireRoomFor(amount: Nano): void {
    if (this.committedNano > MAX_NANO - amount) throw overflow();
  }

  change({ spentNano, certainNano, committedNano, gapsNano = ZERO, requests }: CounterChange): void {
    // People have corrected more than is left then: so much less is corrected.
    const missingNano = max(ZERO, subtract(ZERO, add(this.spentNano, spentNano)));
    this.correctedNano = subtract(this.correctedNano, missingNano);
    this.spentNano = sum([this.spentNano, missingNano, spentNano]);
    this.certainNano = sum([this.certainNano, missingNano, certainNano]);
    this.committedNano = sum([this.committedNano, missingNano, committedNano]);
    this.gapsNano = add(this.gapsNano, gapsNano);
    this.requests += requests;
  }

  /** What its calls were settled at, whatever people have corrected since. */
  get settledNano(): Nano {
    return add(this.spentNano, this.correctedNano);
  }

  /**
   * Brings the counter to what was settled in it and what people have corrected of that: no more than there is. Adds to what
   * is presumed. Returns whether the spend changed. @throws RangeError where the counter would overflow; nothing is changed.
   */
  correct(settledNano: Nano, wantedNano: Nano, presumedNano = ZERO): boolean {
    const correctedNano = min(wantedNano, settledNano);
    const changeNano = subtract(subtract(settledNano, correctedNano), this.spentNano);
    const certainNano = add(changeNano, presumedNano);
    this.requireRoomFor(certainNano);
    this.correctedNano = correctedNano;
    this.spentNano = add(this.spentNano, changeNano);
    this.certainNano = add(this.certainNano, certainNano);
    this.committedNano = add(this.committedNano, certainNano);
    return changeNano !== 0n;
  }

  /** The others of a level of which a call waits for room at `now`, latest first. */
  othersWaiting({ marks, name }: SharingLevel, now: number): readonly WaitMark[] {
    return (this.waiting.get(marks) ?? []).filter((mark) => mark.until > now && mark.name !== name);
  }

  /** Notes a signed change of what a workspace, and with it its namespace, has in flight. */
  changeInFlight(workspace: Ref, amount: Nano): void {
    if (amount === 0n || !isSpanningCounter(this.counter, workspace)) return;
    for (const { name } of sharingLevels(workspace)) {
      const left = add(this.inFlight.get(name) ?? ZERO, amount);
      if (left > 0n) this.inFlight.set(name, left);
      else this.inFlight.delete(name);
    }
  }
}

/** Namespaces share a spanning budget with each other, and so do the workspaces of one namespace. */
export interface SharingLevel {
  /** Of the namespace or workspace. */
  readonly name: string;
  /** Under which the marks of the level are kept. */
  readonly marks: string;
}

export function sharingLevels(workspace: Ref): readonly SharingLevel[] {
  const namespace = namespaceOf(workspace);
  return [
    { name: namespace, marks: '' },
    { name: workspace, marks: namespace },
  ];
}

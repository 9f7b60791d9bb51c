import type { Bound, Check, CheckMode, Failure, Verdict } from '../../policy/core/counter-check.ts';
import { isSpanningCounter } from '../../policy/core/counter-reading.ts';
import { add, nano, type Nano, ZERO } from '../../policy/core/money.ts';
import { expireAt, WAIT_MARK_MS } from '../durations.ts';
import type { Reservation } from '../reservation.ts';
import { type MemoryCounter, type SharingLevel, sharingLevels } from './counter.ts';
import type { MemoryCounters } from './counters.ts';

/** One counter of a check: the value's (or the pool's), or the total over all values. */
interface CheckedCounter {
  readonly check: number;
  readonly ofTotal: boolean;
  readonly mode: CheckMode;
  readonly bound: Bound | null;
  readonly counter: MemoryCounter;
  readonly verdict: 'fits' | Verdict;
  /** The levels on which it is noted that a call waits. */
  readonly marked: readonly SharingLevel[];
}

/** The checks of a reservation against its counters: what redis/scripts/reserve.lua decides and writes. */
export class ReservationCounters {
  readonly #counters: MemoryCounters;
  readonly #checked: readonly CheckedCounter[];
  readonly #reservation: Reservation;
  readonly #now: number;

  /** `now` in milliseconds since the epoch. */
  constructor(reservation: Reservation, counters: MemoryCounters, now: number) {
    this.#counters = counters;
    this.#reservation = reservation;
    this.#now = now;
    this.#checked = reservation.checks.flatMap((_, index) => checkedCounters(index, reservation, counters, now));
  }

  /** What each check's own counter (the value's or the pool's) has committed. Nano-dollars. */
  get committedNano(): readonly Nano[] {
    // With `per` the first of a check's two counters is its value's.
    const own = this.#checked.filter(({ check }, index) => this.#checked[index - 1]?.check !== check);
    return own.map(({ counter }) => counter.committedNano);
  }

  /**
   * The counters without room. A budget that refuses counts the refusal in all its counters, but a value that holds no money
   * gets none for that; a waiting call changes none, but what says that its workspace waits.
   */
  refuse(): readonly Failure[] {
    const failures = this.#checked.flatMap((one) =>
      one.mode === 'Enforce' && one.verdict !== 'fits' ? [{ ...one, verdict: one.verdict }] : [],
    );
    const final = failures.filter(({ verdict }) => verdict !== 'waiting');
    for (const { counter } of this.#checked.filter(({ check }) => final.some((failure) => failure.check === check))) {
      if (counter.value === null) this.#counters.store(counter);
      counter.refused += 1;
    }
    for (const { check, verdict, counter, bound } of final) {
      if (verdict === 'spent') counter.exhaustedAtNano = bound?.capNano ?? null;
      else this.#noteTooLarge(check);
    }
    for (const { counter, marked } of final.length > 0 ? [] : failures) {
      for (const level of marked) this.#markWaiting(counter, level, true);
    }
    return failures.map(toFailure);
  }

  /** Reserves in every counter and returns them. @throws RangeError where one would overflow; then none is changed. */
  reserve(worstNano: Nano): readonly MemoryCounter[] {
    this.reserveUncapped(worstNano);
    for (const one of this.#checked) this.#noteAdmission(one);
    return this.#checked.map(({ counter }) => counter);
  }

  /** As `reserve`, for a call that was sent already: its verdicts do not matter. */
  reserveUncapped(worstNano: Nano): readonly MemoryCounter[] {
    // The counter of a value expires before its pool, and is not made again after that.
    const reserved = this.#checked.map(({ counter }) => counter).filter(({ expireAt }) => expireAt > this.#now);
    for (const counter of reserved) counter.requireRoomFor(worstNano);
    for (const counter of reserved) {
      this.#counters.storeReserved(counter);
      counter.committedNano = add(counter.committedNano, worstNano);
      counter.gapsNano = add(counter.gapsNano, this.#reservation.gapNano);
      counter.changeInFlight(this.#reservation.workspace, worstNano);
    }
    return reserved;
  }

  #noteAdmission({ check, mode, bound, counter }: CheckedCounter): void {
    // Admitted under a cap no higher than the one at which another call was refused: there is room again.
    const wasExhausted = mode === 'Enforce' && bound !== null && counter.exhaustedAtNano !== null;
    if (wasExhausted && bound.capNano <= (counter.exhaustedAtNano ?? ZERO)) counter.exhaustedAtNano = null;
    if (mode === 'Observe') this.#noteWouldRefuse(check, counter);
    const { workspace } = this.#reservation;
    if (!isSpanningCounter(counter.counter, workspace)) return;
    for (const level of sharingLevels(workspace)) this.#markWaiting(counter, level, false);
  }

  #noteWouldRefuse(check: number, counter: MemoryCounter): void {
    const verdicts = this.#checked.filter((other) => other.check === check).map(({ verdict }) => verdict);
    if (verdicts.includes('spent') || verdicts.includes('tooLarge')) counter.wouldRefuse += 1;
    if (verdicts.includes('tooLarge')) this.#noteTooLarge(check);
  }

  /** Notes the call's worst case in the check's pool. */
  #noteTooLarge(check: number): void {
    const pool = this.#checked.find((one) => one.check === check && one.counter.value === null);
    if (pool !== undefined) pool.counter.tooLargeNano = this.#reservation.worstNano;
  }

  #markWaiting(counter: MemoryCounter, level: SharingLevel, isWaiting: boolean): void {
    const others = counter.othersWaiting(level, this.#now);
    const own = { name: level.name, until: this.#now + WAIT_MARK_MS };
    counter.waiting.set(level.marks, isWaiting ? [own, ...others.slice(0, 1)] : others);
  }
}

function checkedCounters(
  index: number,
  reservation: Reservation,
  counters: MemoryCounters,
  now: number,
): CheckedCounter[] {
  const check = reservation.checks[index]!;
  const expires = expireAt(check.end);
  const checked = (counter: MemoryCounter, bound: Bound | null, ofTotal: boolean): CheckedCounter => {
    const verdict = verdictOf(counter, check.mode, bound, reservation);
    const shared = bound === null ? { verdict } : share(counter, bound, verdict, { check, reservation, now });
    return { check: index, ofTotal, mode: check.mode, bound, counter, marked: [], ...shared };
  };
  const pool = counters.pool(check.counter, expires);
  if (check.value === null) return [checked(pool, check.bound, false)];
  const value = counters.value({ ...check, value: check.value }, expires, reservation.workspace);
  return [checked(value, check.bound, false), checked(pool, check.total, true)];
}

/**
 * In a counter that workspaces share: holds a call back with which its workspace, or its namespace, exceeds its part while
 * another one waits for room, and notes a call that waits for room. One that exceeds the part holds nobody back: two such
 * calls would wait for each other.
 */
function share(
  counter: MemoryCounter,
  { roomNano }: Bound,
  verdict: CheckedCounter['verdict'],
  { check, reservation, now }: { readonly check: Check; readonly reservation: Reservation; readonly now: number },
): Pick<CheckedCounter, 'verdict' | 'marked'> {
  const { workspaceReservePercent: percent } = check;
  const { workspace, worstNano } = reservation;
  const isShared = percent !== undefined && isSpanningCounter(counter.counter, workspace);
  if (!isShared || check.mode !== 'Enforce' || verdict === 'spent' || verdict === 'tooLarge') {
    return { verdict, marked: [] };
  }
  const leftNano = roomNano - counter.certainNano + worstNano;
  const exceedsShare = ({ name }: SharingLevel): boolean =>
    ((counter.inFlight.get(name) ?? ZERO) + worstNano) * 100n > leftNano * BigInt(percent);
  const levels = sharingLevels(workspace);
  if (verdict === 'waiting') return { verdict, marked: levels.filter((level) => !exceedsShare(level)) };
  const isHeldBack = levels.some((level) => exceedsShare(level) && counter.othersWaiting(level, now).length > 0);
  return { verdict: isHeldBack ? 'waiting' : 'fits', marked: [] };
}

/** Whether a call fits, or why not. Under Observe a call never waits. */
function verdictOf(
  counter: MemoryCounter,
  mode: CheckMode,
  bound: Bound | null,
  { worstNano, gapNano }: Pick<Reservation, 'worstNano' | 'gapNano'>,
): CheckedCounter['verdict'] {
  if (mode === 'Exempt' || bound === null) return 'fits';
  const { spentNano, certainNano, committedNano, gapsNano } = counter;
  const { capNano, roomNano, gapRoomNano } = bound;
  if (mode === 'Enforce' && spentNano < capNano && committedNano <= roomNano) {
    return gapNano === 0n || gapsNano <= gapRoomNano ? 'fits' : 'waiting';
  }
  if (certainNano >= capNano) return 'spent';
  if (certainNano <= roomNano) return mode === 'Enforce' ? 'waiting' : 'fits';
  return isBelowMean(counter, nano(roomNano + worstNano - certainNano)) ? 'spent' : 'tooLarge';
}

/**
 * Whether less is left for a call than the counter's settled calls cost on average. One more is counted, so that a single
 * large call is not taken for what all calls cost.
 */
function isBelowMean({ requests, spentNano }: MemoryCounter, leftNano: Nano): boolean {
  return requests > 0 && leftNano * BigInt(requests + 1) < spentNano;
}

function toFailure({ check, ofTotal, verdict, counter }: CheckedCounter & { readonly verdict: Verdict }): Failure {
  const { spentNano, certainNano, committedNano } = counter;
  return { check, ofTotal, verdict, spentNano, certainNano, committedNano };
}

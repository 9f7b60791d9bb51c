import type { Bound, Check, CheckMode, Failure } from '../../policy/core/counter-check.ts';
import { add, type Nano, ZERO } from '../../policy/core/money.ts';
import { expireAt } from '../durations.ts';
import type { Reservation } from '../reservation.ts';
import type { MemoryCounter } from './counter.ts';
import type { MemoryCounters } from './counters.ts';

type Verdict = 'fits' | 'waiting' | 'spent';

/** One counter of a check: the value's (or the pool's), or the total over all values. */
interface CheckedCounter {
  readonly check: number;
  readonly ofTotal: boolean;
  readonly mode: CheckMode;
  readonly bound: Bound | null;
  readonly counter: MemoryCounter;
  readonly verdict: Verdict;
}

/** The checks of a reservation against its counters: what redis/scripts/reserve.lua decides and writes. */
export class ReservationCounters {
  readonly #counters: MemoryCounters;
  readonly #checked: readonly CheckedCounter[];
  readonly #gapNano: Nano;

  constructor(reservation: Pick<Reservation, 'checks' | 'gapNano' | 'workspace'>, counters: MemoryCounters) {
    this.#counters = counters;
    this.#gapNano = reservation.gapNano;
    this.#checked = reservation.checks.flatMap((check, index) => checkedCounters(check, index, reservation, counters));
  }

  /** What each check's own counter (the value's or the pool's) has committed. Nano-dollars. */
  get committedNano(): readonly Nano[] {
    // With `per` the first of a check's two counters is its value's.
    const own = this.#checked.filter(({ check }, index) => this.#checked[index - 1]?.check !== check);
    return own.map(({ counter }) => counter.committedNano);
  }

  /**
   * The counters without room. A spent budget counts the refusal in all its counters, but a value that holds no money gets
   * none for that; a waiting call changes none.
   */
  refuse(): readonly Failure[] {
    const failures = this.#checked.filter(({ mode, verdict }) => mode === 'Enforce' && verdict !== 'fits');
    const spent = failures.filter(({ verdict }) => verdict === 'spent');
    for (const { counter } of this.#checked.filter(({ check }) => spent.some((failure) => failure.check === check))) {
      if (counter.value === null) this.#counters.store(counter);
      counter.refused += 1;
    }
    for (const { counter, bound } of spent) counter.exhaustedAtNano = bound?.capNano ?? null;
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
    for (const { counter } of this.#checked) counter.requireRoomFor(worstNano);
    for (const { counter } of this.#checked) {
      this.#counters.storeReserved(counter);
      counter.committedNano = add(counter.committedNano, worstNano);
      counter.gapsNano = add(counter.gapsNano, this.#gapNano);
    }
    return this.#checked.map(({ counter }) => counter);
  }

  #noteAdmission({ check, mode, bound, counter }: CheckedCounter): void {
    // Admitted under a cap no higher than the one at which another call was refused: there is room again.
    const wasExhausted = mode === 'Enforce' && bound !== null && counter.exhaustedAtNano !== null;
    if (wasExhausted && bound.capNano <= (counter.exhaustedAtNano ?? ZERO)) counter.exhaustedAtNano = null;
    const isSpent = this.#checked.some((other) => other.check === check && other.verdict === 'spent');
    if (mode === 'Observe' && isSpent) counter.wouldRefuse += 1;
  }
}

function checkedCounters(
  asked: Check,
  check: number,
  { gapNano, workspace }: Pick<Reservation, 'gapNano' | 'workspace'>,
  counters: MemoryCounters,
): CheckedCounter[] {
  const { value, end, mode, bound, total } = asked;
  const expires = expireAt(end);
  const pool = counters.pool(asked.counter, expires);
  const checked = (counter: MemoryCounter, limit: Bound | null, ofTotal: boolean): CheckedCounter => {
    return { check, ofTotal, mode, bound: limit, counter, verdict: verdictOf(counter, mode, limit, gapNano) };
  };
  if (value === null) return [checked(pool, bound, false)];
  return [checked(counters.value(asked.counter, value, expires, workspace), bound, false), checked(pool, total, true)];
}

/** Whether a call fits, would fit once calls in flight settle, or cannot. Under Observe a call never waits. */
function verdictOf(counter: MemoryCounter, mode: CheckMode, bound: Bound | null, gapNano: Nano): Verdict {
  if (mode === 'Exempt' || bound === null) return 'fits';
  const { spentNano, certainNano, committedNano, gapsNano } = counter;
  const { capNano, roomNano, gapRoomNano } = bound;
  if (mode === 'Enforce' && spentNano < capNano && committedNano <= roomNano) {
    return gapNano === 0n || gapsNano <= gapRoomNano ? 'fits' : 'waiting';
  }
  if (certainNano >= capNano || certainNano > roomNano) return 'spent';
  return mode === 'Enforce' ? 'waiting' : 'fits';
}

function toFailure({ check, ofTotal, verdict, counter }: CheckedCounter): Failure {
  const { spentNano, committedNano } = counter;
  return { check, ofTotal, waiting: verdict === 'waiting', spentNano, committedNano };
}

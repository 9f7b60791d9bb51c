import type { Bound, Check, Failure, CheckMode } from '../../policy/core/counter-check.ts';
import { expireAt } from '../keys.ts';
import type { Reservation } from '../ledger.ts';
import type { MemoryState, CounterCell } from './state.ts';

type Verdict = 'fits' | 'waiting' | 'spent';

/** One counter that a check looks at: the value's (or the pool's), or the total over all values. */
interface Judged {
  readonly check: number;
  readonly ofTotal: boolean;
  readonly mode: CheckMode;
  readonly bound: Bound | null;
  readonly cell: CounterCell;
  readonly verdict: Verdict;
}

/** The room that a call finds in all its counters, for `MemoryLedger`: what scripts/reserve.lua judges and writes. */
export class MemoryAdmission {
  readonly #books: MemoryState;
  readonly #judged: readonly Judged[];

  readonly #gapNano: bigint;

  constructor({ checks, gapNano }: Pick<Reservation, 'checks' | 'gapNano'>, books: MemoryState) {
    this.#books = books;
    this.#gapNano = gapNano;
    this.#judged = checks.flatMap((check, index) => judgedOf(check, index, gapNano, books));
  }

  /** What each check's own counter (the value's or the pool's) has committed. Nano-dollars. */
  get committedNano(): readonly bigint[] {
    // With `per` the first of a check's two counters is its value's.
    const own = this.#judged.filter(({ check }, index) => this.#judged[index - 1]?.check !== check);
    return own.map(({ cell }) => cell.committed);
  }

  /**
   * The counters that have no room, none where the call fits. Nothing is written where waiting may help; else each spent
   * budget counts the refusal in all its counters.
   */
  refuse(): readonly Failure[] {
    const failures = this.#judged.filter(({ mode, verdict }) => mode === 'Enforce' && verdict !== 'fits');
    const spent = failures.filter(({ verdict }) => verdict === 'spent');
    for (const { cell } of this.#judged.filter(({ check }) => spent.some((failure) => failure.check === check))) {
      this.#books.keep(cell);
      cell.refused += 1;
    }
    for (const { cell, bound } of spent) cell.exhaustedAt = bound?.capNano ?? null;
    return failures.map(toFailure);
  }

  /** Holds the worst case in every counter, and returns them. Throws `RangeError` where one cannot, and changes nothing. */
  hold(worstNano: bigint): readonly CounterCell[] {
    for (const { cell } of this.#judged) cell.checkRoom(worstNano);
    for (const one of this.#judged) this.#holdIn(one, worstNano);
    return this.#judged.map(({ cell }) => cell);
  }

  /** As `hold`, for a call that was sent already: nothing is judged by it. */
  force(worstNano: bigint): readonly CounterCell[] {
    for (const { cell } of this.#judged) cell.checkRoom(worstNano);
    for (const { cell } of this.#judged) {
      this.#books.keep(cell);
      cell.committed += worstNano;
      cell.gaps += this.#gapNano;
    }
    return this.#judged.map(({ cell }) => cell);
  }

  #holdIn({ check, mode, bound, cell }: Judged, worstNano: bigint): void {
    this.#books.keep(cell);
    cell.committed += worstNano;
    cell.gaps += this.#gapNano;
    // Under a cap no higher than the one at which another was refused: there is room again.
    const shows = mode === 'Enforce' && bound !== null && cell.exhaustedAt !== null;
    if (shows && bound.capNano <= (cell.exhaustedAt ?? 0n)) cell.exhaustedAt = null;
    const spent = this.#judged.some((other) => other.check === check && other.verdict === 'spent');
    if (mode === 'Observe' && spent) cell.wouldRefuse += 1;
  }
}

function judgedOf(asked: Check, check: number, gapNano: bigint, books: MemoryState): Judged[] {
  const { counter, value, end, mode, bound, total } = asked;
  const expires = expireAt(end);
  const pool = books.pool(counter, expires);
  const one = (cell: CounterCell, limit: Bound | null, ofTotal: boolean): Judged => {
    return { check, ofTotal, mode, bound: limit, cell, verdict: verdictOf(cell, mode, limit, gapNano) };
  };
  if (value === null) return [one(pool, bound, false)];
  return [one(books.value(counter, value, expires), bound, false), one(pool, total, true)];
}

/** Whether a call fits, would fit once calls in flight settle, or cannot. What is only watched never waits. */
function verdictOf(
  { spent, certain, committed, gaps }: CounterCell,
  mode: CheckMode,
  bound: Bound | null,
  gapNano: bigint,
): Verdict {
  if (mode === 'Exempt' || bound === null) return 'fits';
  const { capNano, roomNano, gapRoomNano } = bound;
  if (mode === 'Enforce' && spent < capNano && committed <= roomNano) {
    return gapNano === 0n || gaps <= gapRoomNano ? 'fits' : 'waiting';
  }
  if (certain >= capNano || certain > roomNano) return 'spent';
  return mode === 'Enforce' ? 'waiting' : 'fits';
}

function toFailure({ check, ofTotal, verdict, cell }: Judged): Failure {
  const { spent, committed } = cell;
  return { check, ofTotal, waiting: verdict === 'waiting', spentNano: spent, committedNano: committed };
}

import { checkAmount, checkSettlement } from './amounts.ts';
import { Author, type Caller } from './author.ts';
import { type Deed, type Ending, Journal, type Told } from './journal.ts';
import { leavesInDoubt, LedgerUnreachable } from './ledger.ts';
import type { BeatAnswer, GatewayReport, LostReason, Reservation, ReserveAnswer, SettleAnswer } from './ledger.ts';

/** What the ledger says to a beat. */
export type Heard =
  | { readonly kind: 'swept' }
  | { readonly kind: 'lost'; readonly reason: LostReason }
  | {
      readonly kind: 'alive' | 'recovering';
      readonly now: number;
      readonly line: string;
      /** The number of the incarnation's last change that is there; 0 where it is not known. */
      readonly last: number;
      /** The sequence with which the line began, and the present one. */
      readonly from: number;
      readonly sequence: number;
      readonly open: readonly string[];
      readonly incarnations: readonly string[];
    };

/** With what a client joins a line. */
export interface Joining {
  readonly line: string;
  /** Whether it had made a change that was not there. */
  readonly missed: boolean;
  readonly highest: number;
  readonly aged: number;
  /** Why it could not tell all that may be missing, or ''. */
  readonly deep: string;
  readonly past: readonly string[];
  readonly peers: readonly string[];
}

/** `again`: something happened meanwhile that the next beat tells. */
export type Joined =
  | { readonly kind: 'alive' | 'recovering'; readonly sequence: number }
  | { readonly kind: 'again' }
  | { readonly kind: 'lost'; readonly reason: LostReason };

/** How a ledger ends a call; `astray`: it does not know it, and may have lost it. `sequence`: null where it has none. */
export interface Outcome {
  readonly answer: SettleAnswer | 'astray';
  readonly sequence: number | null;
}

/** What a ledger does for a client, each in one indivisible step. */
export interface Steps {
  reserve(caller: Caller, reservation: Reservation): Promise<{ answer: ReserveAnswer; sequence: number | null }>;
  tell(caller: Caller, owner: string, deed: Deed): Promise<Outcome>;
  /** `successor`: the incarnation whose first beat it is, or ''. */
  beat(caller: Caller, successor: string, report: GatewayReport): Promise<Heard>;
  join(caller: Caller, joining: Joining): Promise<Joined>;
}

/** How many calls are told at once. */
const CHUNK = 100;

/**
 * A client of the ledger that makes changes. It keeps them in mind, and where the ledger goes on in another line, because
 * it came back from a failure, it tells that again what may be missing before it takes part.
 */
export class Member {
  readonly author: Author;
  readonly #steps: Steps;
  /** A call has its owner for as long as it may be told again. */
  readonly #journal = new Journal((id) => this.author.disown(id));
  #peers: readonly string[] = [];

  constructor(expectedEpoch: () => string | null, steps: Steps) {
    this.author = new Author(expectedEpoch);
    this.#steps = steps;
  }

  /** Throws where an amount is none that a counter can hold. */
  async reserve(reservation: Reservation): Promise<ReserveAnswer> {
    checkAmount(reservation.worstNano);
    const caller = this.author.reserver();
    const { id } = reservation;
    const isRepeated = this.author.owns(id);
    // It may stand under an incarnation that was swept since, and must not stand twice.
    if (this.author.ownerOf(id) !== caller.incarnation) return { kind: 'ended' };
    // Before it is sent: a reserve whose answer is lost must be found by the release that follows.
    this.author.own(id, caller);
    const { answer, sequence } = await this.#steps.reserve(caller, reservation);
    if (answer.kind !== 'admitted') {
      if (!isRepeated || !leavesInDoubt(answer)) this.author.disown(id);
      return answer;
    }
    this.#expectCurrent(caller);
    this.#journal.held(reservation, sequence);
    this.author.note(caller, sequence);
    return answer;
  }

  /**
   * Ends a call. Throws `LedgerUnreachable` where the ledger may have lost it, and will be told of it before long; and as
   * `reserve`.
   */
  async end(id: string, ending: Ending): Promise<SettleAnswer> {
    checkAmounts(ending);
    // A ledger that has lost how the call ended would believe this.
    if (this.#journal.endedOtherwise(id, ending)) return 'ended';
    const caller = this.author.caller();
    const { answer, sequence } = await this.#steps.tell(caller, this.author.ownerOf(id), ending);
    this.#expectCurrent(caller);
    if (answer === 'astray' && this.#journal.isOpen(id) && ending.kind !== 'release') {
      throw new LedgerUnreachable('the ledger recovers');
    }
    if (answer === 'astray' || answer === 'unknown') {
      this.#journal.drop(id);
      return 'unknown';
    }
    this.#journal.ended(id, ending, sequence);
    this.author.note(caller, sequence);
    return answer;
  }

  async beat(report: GatewayReport): Promise<BeatAnswer> {
    const caller = this.author.caller();
    const { successor } = this.author;
    const heard = await this.#steps.beat(caller, successor, report);
    if (heard.kind === 'lost' || heard.kind === 'swept') return heard;
    this.author.register(successor);
    const { now, open } = heard;
    const kind = heard.line === this.author.caller().line ? this.#stay(caller, heard) : await this.#rejoin(heard);
    if (typeof kind === 'object') return kind;
    this.#peers = heard.incarnations;
    return kind === 'alive' ? { kind, now, open } : { kind: 'recovering' };
  }

  #stay(caller: Caller, { kind, now, sequence, last }: Extract<Heard, { line: string }>): 'alive' | 'recovering' {
    if (this.author.isStill(caller)) this.author.note(caller, last);
    else this.author.succeed(last);
    if (kind === 'alive') this.#journal.beaten(now, sequence);
    return kind;
  }

  async #rejoin(heard: Extract<Heard, { line: string }>): Promise<'alive' | 'recovering' | BeatAnswer> {
    const { line, last, from, now } = heard;
    const { seen } = this.author;
    this.author.leaveLine();
    const told = this.#journal.after(last);
    await this.#tell(told);
    const { highest, aged } = this.#journal.heard;
    const joined = await this.#steps.join(this.author.caller(), {
      line,
      missed: seen > last || told.some(({ deeds }) => deeds[0]?.kind === 'hold'),
      highest,
      aged,
      deep: this.#journal.forgotten > Math.max(last, from) ? 'forgotten' : '',
      past: this.author.past,
      peers: this.#peers,
    });
    if (joined.kind === 'lost') return joined;
    if (joined.kind === 'again') return 'recovering';
    this.author.join(line, joined.sequence);
    this.#journal.joined(told, joined.sequence, from, now);
    return joined.kind;
  }

  /** The deeds of a call in order; those of different calls come as they like. */
  async #tell(told: readonly Told[]): Promise<void> {
    for (let i = 0; i < told.length; i += CHUNK) {
      await Promise.all(told.slice(i, i + CHUNK).map((one) => this.#tellOne(one)));
    }
  }

  async #tellOne({ id, deeds }: Told): Promise<void> {
    for (const deed of deeds) {
      const caller = this.author.caller();
      const { answer } = await this.#steps.tell(caller, this.author.ownerOf(id), deed);
      if (deed.kind === 'hold' && answer === 'settled') this.author.own(id, caller);
    }
  }

  /** What was done in a line that is over is no answer: it is asked again in the one that goes on. */
  #expectCurrent(caller: Caller): void {
    if (!this.author.isCurrent(caller)) throw new LedgerUnreachable('the ledger has gone on without this answer');
  }
}

function checkAmounts(ending: Ending): void {
  if (ending.kind === 'settle') checkSettlement(ending.settlement);
  if (ending.kind !== 'book') return;
  checkAmount(ending.booking.reservation.worstNano);
  if (ending.booking.settlement !== null) checkSettlement(ending.booking.settlement);
}

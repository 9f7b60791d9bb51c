import { checkAmount, checkSettlement } from '../amount-checks.ts';
import { isInconclusive, LedgerUnreachable } from '../ledger.ts';
import type { BeatAnswer, GatewayReport, LostReason, Reservation, ReserveAnswer, SettleAnswer } from '../ledger.ts';
import { ClientIdentity, type LedgerClient } from './client-identity.ts';
import { type LedgerChange, type CallEnd, ReplayLog, type ReplayedCall } from './replay-log.ts';

/** What the ledger says to a beat. */
export type BeatReply =
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
export interface JoinRequest {
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
export type JoinReply =
  | { readonly kind: 'alive' | 'recovering'; readonly sequence: number }
  | { readonly kind: 'again' }
  | { readonly kind: 'lost'; readonly reason: LostReason };

/** How a ledger ends a call; `astray`: it does not know it, and may have lost it. `sequence`: null where it has none. */
export interface TellReply {
  readonly answer: SettleAnswer | 'astray';
  readonly sequence: number | null;
}

/** What a ledger does for a client, each in one indivisible step. */
export interface Transport {
  reserve(caller: LedgerClient, reservation: Reservation): Promise<{ answer: ReserveAnswer; sequence: number | null }>;
  tell(caller: LedgerClient, owner: string, deed: LedgerChange): Promise<TellReply>;
  /** `successor`: the incarnation whose first beat it is, or ''. */
  beat(caller: LedgerClient, successor: string, report: GatewayReport): Promise<BeatReply>;
  join(caller: LedgerClient, joining: JoinRequest): Promise<JoinReply>;
}

/** How many calls are told at once. */
const CHUNK = 100;

/**
 * A client of the ledger that makes changes. It keeps them in mind, and where the ledger goes on in another line, because
 * it came back from a failure, it tells that again what may be missing before it takes part.
 */
export class LedgerSession {
  readonly author: ClientIdentity;
  readonly #steps: Transport;
  /** A call has its owner for as long as it may be told again. */
  readonly #journal = new ReplayLog((id) => this.author.disown(id));
  #peers: readonly string[] = [];

  constructor(expectedEpoch: () => string | null, steps: Transport) {
    this.author = new ClientIdentity(expectedEpoch);
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
      if (!isRepeated || !isInconclusive(answer)) this.author.disown(id);
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
  async end(id: string, ending: CallEnd): Promise<SettleAnswer> {
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

  #stay(
    caller: LedgerClient,
    { kind, now, sequence, last }: Extract<BeatReply, { line: string }>,
  ): 'alive' | 'recovering' {
    if (this.author.isStill(caller)) this.author.note(caller, last);
    else this.author.succeed(last);
    if (kind === 'alive') this.#journal.beaten(now, sequence);
    return kind;
  }

  async #rejoin(heard: Extract<BeatReply, { line: string }>): Promise<'alive' | 'recovering' | BeatAnswer> {
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
  async #tell(told: readonly ReplayedCall[]): Promise<void> {
    for (let i = 0; i < told.length; i += CHUNK) {
      await Promise.all(told.slice(i, i + CHUNK).map((one) => this.#tellOne(one)));
    }
  }

  async #tellOne({ id, deeds }: ReplayedCall): Promise<void> {
    for (const deed of deeds) {
      const caller = this.author.caller();
      const { answer } = await this.#steps.tell(caller, this.author.ownerOf(id), deed);
      if (deed.kind === 'hold' && answer === 'settled') this.author.own(id, caller);
    }
  }

  /** What was done in a line that is over is no answer: it is asked again in the one that goes on. */
  #expectCurrent(caller: LedgerClient): void {
    if (!this.author.isCurrent(caller)) throw new LedgerUnreachable('the ledger has gone on without this answer');
  }
}

function checkAmounts(ending: CallEnd): void {
  if (ending.kind === 'settle') checkSettlement(ending.settlement);
  if (ending.kind !== 'book') return;
  checkAmount(ending.booking.reservation.worstNano);
  if (ending.booking.settlement !== null) checkSettlement(ending.booking.settlement);
}

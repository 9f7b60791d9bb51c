import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { isInconclusive, LedgerUnreachable } from '../../ledger/ledger.ts';
import type { GatewayLedger, Reservation, ReserveAnswer } from '../../ledger/ledger.ts';
import type { LedgerOutage } from './ledger-outage.ts';

interface Parts {
  readonly ledger: Pick<GatewayLedger, 'reserve'>;
  readonly outage: LedgerOutage;
  /** Whose call it is: who has left waits for nothing. */
  readonly res: ServerResponse;
  /** How long it is worth asking again. Milliseconds. */
  readonly timeLeft: () => number;
}

/** What the ledger said, or that it did not. */
export type Said = ReserveAnswer | { readonly kind: 'unreachable' };

/** How soon the ledger is asked again when it did not answer, or recovers. */
const RETRY_MS = 250;

/** Asks the ledger for the reservation of one call, and knows whether one may stand that was not answered. */
export class ReserveRetry {
  readonly #parts: Parts;
  #isInDoubt = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** A reserve was sent and its answer has not come: the reservation may stand. */
  get isInDoubt(): boolean {
    return this.#isInDoubt;
  }

  /** One reserve, tried again while the ledger admits nothing; by its id it is the same one each time. */
  async ask(reservation: Reservation): Promise<Said> {
    const { outage, res, timeLeft } = this.#parts;
    while (!outage.hasLasted) {
      const answer = await this.#askOnce(reservation);
      if (!this.#waitsFor(answer) || timeLeft() === 0 || res.destroyed) return answer;
      await sleep(Math.min(RETRY_MS, timeLeft()));
    }
    return { kind: 'unreachable' };
  }

  async #askOnce(reservation: Reservation): Promise<Said> {
    const wasInDoubt = this.#isInDoubt;
    this.#isInDoubt = true;
    try {
      const answer = await this.#parts.ledger.reserve(reservation);
      this.#isInDoubt = wasInDoubt && isInconclusive(answer);
      return answer;
    } catch (error) {
      if (!(error instanceof LedgerUnreachable)) throw error;
      return { kind: 'unreachable' };
    }
  }

  /**
   * An empty ledger is about to be rebuilt. One that waits for a person is worth waiting for only where the call goes on
   * without it in the end.
   */
  #waitsFor(answer: Said): boolean {
    if (answer.kind === 'lost') return answer.reason === 'empty' || this.#parts.outage.isOpen;
    return answer.kind === 'unreachable' || answer.kind === 'recovering';
  }
}

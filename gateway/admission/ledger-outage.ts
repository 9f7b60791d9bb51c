import type { Logger } from 'pino';
import { type GatewayLedger, LedgerUnreachable, type Reservation } from '../../ledger/ledger.ts';
import type { Settings } from '../../policy/config/settings.ts';
import type { BeatOutcome } from './heartbeat.ts';
import type { WriteAheadLog } from './write-ahead-log.ts';

interface Parts {
  readonly settings: Pick<Settings, 'ledgerLoss' | 'waitSeconds'>;
  readonly daybook: WriteAheadLog;
  readonly ledger: GatewayLedger;
  readonly logger: Logger;
  /** The monotonic clock. Milliseconds. */
  readonly elapsed: () => number;
  /** A call was admitted without the ledger. */
  readonly onAdmitted: (workspace: string) => void;
}

/**
 * What happens to calls while the ledger admits none. Under `ledgerLoss: Closed` they wait and are refused. Under `Open`
 * they are written down and sent, at once where the heart has not beaten for the waiting time: a ledger that is away
 * must not make every call wait for it (docs/how-to/ledger-loss.md).
 */
export class LedgerOutage {
  readonly #parts: Parts;
  #lastAlive: number;
  #admitted = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#lastAlive = parts.elapsed();
  }

  /** Whether a call that has waited is admitted all the same. */
  get isOpen(): boolean {
    return this.#parts.settings.ledgerLoss === 'Open';
  }

  /** Whether calls need not even ask: they would wait for nothing. */
  get hasLasted(): boolean {
    const { settings, elapsed } = this.#parts;
    return this.isOpen && elapsed() - this.#lastAlive > settings.waitSeconds * 1000;
  }

  /** Writes a call down that nobody has checked against its budgets. False where that fails: then it must not be sent. */
  async admit(reservation: Reservation): Promise<boolean> {
    const { daybook, logger, onAdmitted } = this.#parts;
    try {
      await daybook.admit(reservation);
    } catch (err) {
      logger.error(
        { err },
        'TOLLGATE_WRITE_AHEAD_LOG_FOLDER cannot be written, so no call is admitted while Redis cannot be reached',
      );
      return false;
    }
    this.#admitted += 1;
    if (this.#admitted === 1) {
      logger.error('Redis cannot be reached: calls are admitted unchecked and settled afterwards (ledgerLoss: Open)');
    }
    onAdmitted(reservation.workspace);
    return true;
  }

  /** Takes how a heartbeat was answered. */
  take(pulse: BeatOutcome): void {
    if (pulse !== 'alive') return;
    this.#lastAlive = this.#parts.elapsed();
    if (this.#admitted === 0) return;
    const { logger, daybook } = this.#parts;
    logger.warn({ calls: this.#admitted }, 'Redis answers again: unchecked calls are settled now');
    this.#admitted = 0;
    for (const reservation of daybook.inFlight) void this.#hold(reservation);
  }

  /** What is still in flight keeps its place in the budgets at its worst, until its end says what it cost. */
  async #hold(reservation: Reservation): Promise<void> {
    try {
      await this.#parts.ledger.settleUnchecked({ reservation, settlement: null });
    } catch (err) {
      // It is booked at its end in any case.
      if (!(err instanceof LedgerUnreachable)) this.#parts.logger.error({ err, id: reservation.id }, 'not held');
    }
  }
}

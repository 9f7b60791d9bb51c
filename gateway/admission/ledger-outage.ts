import type { Logger } from 'pino';
import type { GatewayLedger } from '../../ledger/gateway-ledger.ts';
import { LedgerUnreachable } from '../../ledger/ledger.ts';
import type { Reservation } from '../../ledger/reservation.ts';
import type { Settings } from '../../policy/config/settings.ts';
import type { BeatListener, BeatOutcome } from './heartbeat.ts';
import type { WriteAheadLog } from './write-ahead-log.ts';

interface Parts {
  readonly settings: Pick<Settings, 'ledgerLoss' | 'waitSeconds'>;
  readonly writeAheadLog: WriteAheadLog;
  readonly ledger: Pick<GatewayLedger, 'settleUnchecked'>;
  readonly metrics: { countUncheckedCall(workspace: string): void };
  readonly logger: Logger;
  /** The monotonic clock. Milliseconds. */
  readonly elapsed: () => number;
}

/**
 * What happens to calls while the ledger admits none. Under `ledgerLoss: Closed` they wait and are refused. Under `Open`
 * they go to the write-ahead log and are sent; without waiting, if no beat was answered for the waiting time, so that
 * an outage does not delay every call (docs/how-to/ledger-loss.md).
 */
export class LedgerOutage implements BeatListener {
  readonly #parts: Parts;
  /** When a beat was last answered, by the monotonic clock. Milliseconds. */
  #lastAlive: number;
  /** Calls that were admitted in this outage. */
  #admitted = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#lastAlive = parts.elapsed();
  }

  /** Whether a call that has waited is admitted without the ledger. */
  get isOpen(): boolean {
    return this.#parts.settings.ledgerLoss === 'Open';
  }

  /** Whether calls are admitted at once, without asking the ledger. */
  get hasLasted(): boolean {
    const { settings, elapsed } = this.#parts;
    return this.isOpen && elapsed() - this.#lastAlive > settings.waitSeconds * 1000;
  }

  /** Writes an unchecked call to the disk. False if that fails: then the call must not be sent. */
  async admit(reservation: Reservation): Promise<boolean> {
    const { writeAheadLog, logger, metrics } = this.#parts;
    try {
      await writeAheadLog.admit(reservation);
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
    metrics.countUncheckedCall(reservation.workspace);
    return true;
  }

  onBeat(outcome: BeatOutcome): void {
    if (outcome !== 'alive') return;
    this.#lastAlive = this.#parts.elapsed();
    if (this.#admitted === 0) return;
    const { logger, writeAheadLog } = this.#parts;
    logger.warn({ calls: this.#admitted }, 'Redis answers again: unchecked calls are settled now');
    this.#admitted = 0;
    for (const reservation of writeAheadLog.inFlight) void this.#reserveAfterwards(reservation);
  }

  /** An unchecked call that is still in flight counts at its worst case until its end says what it cost. */
  async #reserveAfterwards(reservation: Reservation): Promise<void> {
    try {
      await this.#parts.ledger.settleUnchecked({ reservation, settlement: null });
    } catch (err) {
      // It is settled at its end in any case.
      if (!(err instanceof LedgerUnreachable)) this.#parts.logger.error({ err, id: reservation.id }, 'not held');
    }
  }
}

import type { Logger } from 'pino';
import type { BeatOutcome } from './admission/heartbeat.ts';
import type { PolicySource } from './policy/active-policy.ts';

/**
 * Whether the gateway may be sent calls: once its policy is loaded and the ledger has answered. It does not follow the
 * ledger afterwards, because taking every replica away helps nobody; the calls say what is wrong.
 */
export class Health {
  readonly #policy: PolicySource;
  readonly #logger: Logger;
  #pulse: BeatOutcome | null = null;
  #hasAnswered = false;

  constructor(policy: PolicySource, logger: Logger) {
    this.#policy = policy;
    this.#logger = logger;
  }

  /** Takes how a heartbeat was answered, and logs where that has changed. */
  take(pulse: BeatOutcome, error?: unknown): void {
    if (pulse === 'alive') this.#hasAnswered = true;
    if (pulse === this.#pulse) return;
    this.#pulse = pulse;
    if (pulse === 'alive') this.#logger.info('the ledger answers');
    else
      this.#logger.warn({ pulse, ...(error === undefined ? {} : { err: error }) }, 'the ledger does not admit calls');
  }

  /** Null where it may, else why not. */
  get notReady(): string | null {
    if (!this.#policy.isLoaded) return 'the policy is not loaded yet';
    return this.#hasAnswered ? null : 'the ledger has not answered yet';
  }
}

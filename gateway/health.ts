import type { Logger } from 'pino';
import type { BeatListener, BeatOutcome } from './admission/heartbeat.ts';
import type { PolicySource } from './policy/active-policy.ts';

/**
 * Whether the gateway may be sent calls: once its policy is loaded and the ledger has answered, until it leaves. It does
 * not follow the ledger afterwards, because taking every replica away helps nobody; the refusals say what is wrong.
 */
export class Health implements BeatListener {
  readonly #policy: Pick<PolicySource, 'isLoaded'>;
  readonly #logger: Logger;
  #outcome: BeatOutcome | null = null;
  #hasAnswered = false;
  #isLeaving = false;

  constructor(policy: Pick<PolicySource, 'isLoaded'>, logger: Logger) {
    this.#policy = policy;
    this.#logger = logger;
  }

  /** Logs a change of the ledger's answers. */
  onBeat(outcome: BeatOutcome, error?: unknown): void {
    if (outcome === 'alive') this.#hasAnswered = true;
    if (outcome === this.#outcome) return;
    this.#outcome = outcome;
    if (outcome === 'alive') {
      this.#logger.info('the ledger answers');
    } else {
      const details = { answer: outcome, ...(error === undefined ? {} : { err: error }) };
      this.#logger.warn(details, 'the ledger does not admit calls');
    }
  }

  /** From now on callers should go elsewhere. */
  setLeaving(): void {
    this.#isLeaving = true;
  }

  /** Null if the gateway may be sent calls, else why not. */
  get notReady(): string | null {
    if (this.#isLeaving) return 'the gateway is shutting down';
    if (!this.#policy.isLoaded) return 'the policy is not loaded yet';
    return this.#hasAnswered ? null : 'the ledger has not answered yet';
  }
}

import type { OperatorLedger } from '../../ledger/operator-ledger.ts';
import type { Nano } from '../../policy/core/money.ts';
import type { CallCorrector } from './call-corrector.ts';
import type { PresumedResolver } from './presumed-resolver.ts';

interface MaintenanceOptions {
  readonly ledger: Pick<OperatorLedger, 'sweep' | 'releaseDue'>;
  readonly presumed: Pick<PresumedResolver, 'executeAnnotation' | 'bookExpired'>;
  readonly corrector: Pick<CallCorrector, 'executeAnnotation' | 'apply'>;
  readonly metrics: { countReleased(amount: Nano): void };
  /** A monotonic clock, in milliseconds. */
  readonly elapsed: () => number;
}

/** How often silent gateways are swept, presumed calls released that are due, and corrections looked for. Milliseconds. */
const SWEEP_MS = 5_000;

/**
 * The recurring work on a healthy ledger: resolve presumed calls, sweep silent gateways where no gateway lives to do it, and
 * correct calls. The last needs the usage log, which may be out of reach.
 */
export class LedgerMaintenance {
  readonly #options: MaintenanceOptions;
  #sweptAt = Number.NEGATIVE_INFINITY;

  constructor(options: MaintenanceOptions) {
    this.#options = options;
  }

  /** `now`: milliseconds of the ledger's time. Throws LedgerUnreachable, LogUnreachable or a KubeError; call it again later. */
  async run(now: number): Promise<void> {
    const { presumed, corrector, elapsed } = this.#options;
    await presumed.executeAnnotation();
    const isDue = elapsed() - this.#sweptAt >= SWEEP_MS;
    if (isDue) await this.#sweep(now);
    await corrector.executeAnnotation(now);
    if (isDue) await corrector.apply(now);
  }

  async #sweep(now: number): Promise<void> {
    const { ledger, presumed, metrics, elapsed } = this.#options;
    this.#sweptAt = elapsed();
    await ledger.sweep();
    const { releasedNano } = await ledger.releaseDue();
    metrics.countReleased(releasedNano);
    await presumed.bookExpired(now);
  }
}

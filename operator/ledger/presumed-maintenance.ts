import type { OperatorLedger } from '../../ledger/operator-ledger.ts';
import type { Nano } from '../../policy/core/money.ts';
import type { PresumedResolver } from './presumed-resolver.ts';

interface MaintenanceOptions {
  readonly ledger: Pick<OperatorLedger, 'sweep' | 'releaseDue'>;
  readonly presumed: Pick<PresumedResolver, 'executeAnnotation' | 'bookExpired'>;
  readonly metrics: { countReleased(amount: Nano): void };
  /** A monotonic clock, in milliseconds. */
  readonly elapsed: () => number;
}

/** How often silent gateways are swept, and presumed calls released that are due. Milliseconds. */
const SWEEP_MS = 5_000;

/** The recurring work on a healthy ledger: resolve presumed calls, and sweep silent gateways where no gateway lives to do it. */
export class PresumedMaintenance {
  readonly #options: MaintenanceOptions;
  #sweptAt = Number.NEGATIVE_INFINITY;

  constructor(options: MaintenanceOptions) {
    this.#options = options;
  }

  /** `now`: milliseconds of the ledger's time. Throws LedgerUnreachable or a KubeError; call it again later. */
  async run(now: number): Promise<void> {
    const { ledger, presumed, metrics, elapsed } = this.#options;
    await presumed.executeAnnotation();
    if (elapsed() - this.#sweptAt < SWEEP_MS) return;
    this.#sweptAt = elapsed();
    await ledger.sweep();
    const { releasedNano } = await ledger.releaseDue();
    metrics.countReleased(releasedNano);
    await presumed.bookExpired(now);
  }
}

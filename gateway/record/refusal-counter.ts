import type { GatewayLedger } from '../../ledger/gateway-ledger.ts';
import type { RefusalRow } from '../../ledger/streams.ts';
import type { Caller } from '../../policy/admit/caller.ts';
import { type Owner, ownerOf } from '../../policy/core/owner.ts';
import type { Refusal } from '../../policy/core/refusals.ts';

interface Parts {
  readonly ledger: Pick<GatewayLedger, 'appendRefusals'>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** How often the counts are sent to the ledger. Milliseconds. */
const FLUSH_MS = 5_000;
const MINUTE_MS = 60_000;
/** The most kinds of refusals between two flushes; refusals of further kinds are not counted. */
const MAX_ROWS = 1_000;

/** The owner of a refusal whose caller is not known. */
const NOBODY: Owner = { workspace: '', workspaceUid: '', namespaceUid: '' };

/**
 * Counts refusals by minute, key, budget and reason, and sends the counts to the ledger every `FLUSH_MS`: a client that is
 * refused thousands of times in a loop makes one row. Counts that cannot be sent are dropped, because they are not money.
 */
export class RefusalCounter {
  readonly #parts: Parts;
  readonly #timer: NodeJS.Timeout;
  #rows = new Map<string, RefusalRow>();

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#timer = setInterval(() => void this.#flush(), FLUSH_MS).unref();
  }

  /** `caller` is absent where it is not known. */
  count(refusal: Refusal, caller?: Caller): void {
    const minute = Math.floor(this.#parts.now() / MINUTE_MS) * MINUTE_MS;
    const owner = caller === undefined ? NOBODY : ownerOf(caller.workspace);
    const key = caller?.key.name ?? '';
    const budget = refusal.spent?.budget ?? '';
    const { reason } = refusal;
    const name = [minute, ...Object.values(owner), key, budget, reason].join(' ');
    const count = (this.#rows.get(name)?.count ?? 0) + 1;
    if (count === 1 && this.#rows.size >= MAX_ROWS) return;
    this.#rows.set(name, { minute, ...owner, key, budget, reason, count });
  }

  /** Stops the timer and sends the last counts. */
  stop(): Promise<void> {
    clearInterval(this.#timer);
    return this.#flush();
  }

  async #flush(): Promise<void> {
    if (this.#rows.size === 0) return;
    const rows = [...this.#rows.values()];
    this.#rows = new Map();
    await this.#parts.ledger.appendRefusals(rows).catch(() => {});
  }
}

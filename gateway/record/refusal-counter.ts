import type { GatewayLedger } from '../../ledger/gateway-ledger.ts';
import type { RefusalRow, UnaskedRefusals } from '../../ledger/streams.ts';
import type { Caller } from '../../policy/admit/caller.ts';
import type { Ref } from '../../policy/core/compiled-policy.ts';
import type { Check } from '../../policy/core/counter-check.ts';
import { type Owner, ownerOf } from '../../policy/core/owner.ts';
import type { Refusal } from '../../policy/refusals/refusals.ts';

interface Parts {
  readonly ledger: Pick<GatewayLedger, 'recordRefusals'>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** How often the counts are sent to the ledger. Milliseconds. */
const FLUSH_MS = 2_000;
const MINUTE_MS = 60_000;
/** The most kinds of refusals of a workspace between two flushes; those of further kinds count without key and budget. */
const MAX_KINDS = 50;
/** The most rows between two flushes; refusals that need a further one are not counted. */
const MAX_ROWS = 1_000;
/** The most values that have a count between two flushes; refusals of further ones count for the budget alone. */
const MAX_VALUES = 500;

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
  /** By workspace, how many rows it has. */
  #kinds = new Map<Ref, number>();
  #unasked = new Map<string, UnaskedRefusals>();

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#timer = setInterval(() => void this.#flush(), FLUSH_MS).unref();
  }

  /** `caller` is absent where it is not known. */
  count(refusal: Refusal, caller?: Caller): void {
    const owner = caller === undefined ? NOBODY : ownerOf(caller.workspace);
    const { reason } = refusal;
    const kind = { ...owner, key: caller?.key.name ?? '', budget: refusal.budget?.budget ?? '', reason };
    if (!this.#add(kind, MAX_KINDS)) this.#add({ ...owner, key: '', budget: '', reason }, Infinity);
  }

  /** Counts a call that was refused as spent without asking the ledger, in the counters of these checks. */
  countUnasked(workspace: Ref, checks: readonly Check[]): void {
    for (const { counter, value, end } of checks) {
      const own = `${counter} ${workspace} ${value ?? ''}`;
      const hasOwn = this.#unasked.size < MAX_VALUES || this.#unasked.has(own);
      const name = hasOwn ? own : `${counter} ${workspace} `;
      const count = (this.#unasked.get(name)?.count ?? 0) + 1;
      this.#unasked.set(name, { counter, value: hasOwn ? value : null, end, workspace, count });
    }
  }

  /** Stops the timer and sends the last counts. */
  stop(): Promise<void> {
    clearInterval(this.#timer);
    return this.#flush();
  }

  /** False if the kind is new and the workspace has `most` already. */
  #add(kind: Omit<RefusalRow, 'minute' | 'count'>, most: number): boolean {
    const minute = Math.floor(this.#parts.now() / MINUTE_MS) * MINUTE_MS;
    const { workspace } = kind;
    const name = [minute, ...Object.values(kind)].join(' ');
    const before = this.#rows.get(name);
    if (before === undefined) {
      const kinds = this.#kinds.get(workspace) ?? 0;
      if (kinds >= most) return false;
      if (this.#rows.size >= MAX_ROWS) return true;
      this.#kinds.set(workspace, kinds + 1);
    }
    this.#rows.set(name, { ...kind, minute, count: (before?.count ?? 0) + 1 });
    return true;
  }

  async #flush(): Promise<void> {
    const [rows, unasked] = [[...this.#rows.values()], [...this.#unasked.values()]];
    if (rows.length + unasked.length === 0) return;
    [this.#rows, this.#kinds, this.#unasked] = [new Map(), new Map(), new Map()];
    await this.#parts.ledger.recordRefusals(rows, unasked).catch(() => {});
  }
}

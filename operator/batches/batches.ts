import type { OpenBatch } from '../../ledger/batches.ts';
import type { OperatorLedger } from '../../ledger/ledger.ts';
import type { Ref } from '../../policy/core/compiled-policy.ts';
import { type BatchMeta, decodeBatchMeta } from '../../policy/cost/batch-meta.ts';
import { type BatchLine, settleBatchLine, settleLostBatch } from '../../policy/cost/batch-result.ts';
import type { PriceBook } from '../../policy/prices/price-book.ts';
import { type Address, look, results, type Seen } from './batch-upstream.ts';

/** What a workspace's batches are asked for with, and priced at. */
export interface BatchCredentials {
  /** Null where the Secret that held it is gone. */
  readonly apiKey: string | null;
  readonly prices: PriceBook;
}

interface BatchesOptions {
  readonly ledger: Pick<OperatorLedger, 'openBatches' | 'settleBatchLines' | 'closeBatch'>;
  /** Undefined where the workspace is gone. */
  readonly source: (workspace: Ref) => BatchCredentials | undefined;
  /** Prices for a batch whose workspace is gone. */
  readonly prices: () => PriceBook;
  /** Whether the installation allows the upstream, now. */
  readonly allows: (baseURL: string) => boolean;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** A clock that never jumps, for durations. Milliseconds. */
  readonly elapsed: () => number;
  /** How often a batch is looked at. Milliseconds. */
  readonly intervalMs: number;
  /** The batch is due to be settled. */
  readonly onDue: (batch: string) => void;
  /** Lines of a batch are booked. */
  readonly onBooked: (lines: readonly BatchLine[]) => void;
  readonly onSettled: (batch: OpenBatch, lines: number) => void;
  /** All that was left of its worst case was booked: nobody will know what it cost. */
  readonly onLost: (batch: OpenBatch) => void;
}

/** So many lines are booked in one step: a moment for Redis. */
const CHUNK = 200;
const HOUR_MS = 3_600_000;
/** A batch is done within 24 hours: what is unknown then was deleted. Milliseconds. */
const GONE_AFTER_MS = 25 * HOUR_MS;
/** Results are kept for 29 days. Milliseconds. */
const LOST_AFTER_MS = 29 * 24 * HOUR_MS;
/** Where a look fails, the next ones are farther and farther apart, up to this. Milliseconds. */
const MOST_BACKOFF_MS = 600_000;

/**
 * Books the batches that callers sent, from their results: whoever reads them, or nobody. The ledger keeps how many lines
 * are booked and moves that number with the money, so whatever dies in between, each line is booked once.
 */
export class Batches {
  readonly #options: BatchesOptions;
  #open: ReadonlyMap<string, OpenBatch> = new Map();
  /** By batch: when it is looked at next, and how often in a row that failed. */
  readonly #plans = new Map<string, { readonly at: number; readonly failures: number }>();

  constructor(options: BatchesOptions) {
    this.#options = options;
  }

  /** How many batches are not settled, and since when the oldest. */
  get standing(): { readonly open: number; readonly oldestSeconds: number } {
    const now = this.#options.clock();
    const admitted = [...this.#open.values()].map(({ meta }) => decodeBatchMeta(meta).at);
    return { open: admitted.length, oldestSeconds: (now - Math.min(now, ...admitted)) / 1000 };
  }

  /** Looks for batches that are due. Returns after how many milliseconds to look again. Throws LedgerUnreachable. */
  async turn(): Promise<number> {
    const { ledger, elapsed, intervalMs, onDue } = this.#options;
    this.#open = new Map((await ledger.openBatches()).map((open) => [open.batch, open]));
    for (const batch of this.#plans.keys()) if (!this.#open.has(batch)) this.#plans.delete(batch);
    for (const batch of this.#open.keys()) {
      if ((this.#plans.get(batch)?.at ?? 0) <= elapsed()) onDue(batch);
    }
    return intervalMs;
  }

  /** Looks at one batch and settles it where it has ended. Throws what stood in the way, and is due again later then. */
  async settle(batch: string): Promise<void> {
    const open = this.#open.get(batch);
    if (open === undefined) return;
    const { elapsed, intervalMs } = this.#options;
    const plan = this.#plans.get(batch) ?? { at: 0, failures: 0 };
    if (plan.at > elapsed()) return;
    const failures = plan.failures + 1;
    const wait = Math.min(MOST_BACKOFF_MS, intervalMs * 2 ** Math.min(failures - 1, 10));
    this.#plans.set(batch, { at: elapsed() + wait, failures });
    if (await this.#settle(open, decodeBatchMeta(open.meta))) this.#plans.set(batch, { at: elapsed(), failures: 0 });
  }

  /** False where the next look may be a while off. */
  async #settle(open: OpenBatch, meta: BatchMeta): Promise<boolean> {
    const age = this.#options.clock() - meta.at;
    const address = this.#addressOf(open, meta);
    const seen = address === null ? null : await look(address).catch(unlessOlder(age));
    if (seen?.kind === 'Running') return true;
    if (seen?.kind === 'Ended' && address !== null) {
      await this.#book(open, meta, seen, address);
      return true;
    }
    if (age >= (seen === null ? LOST_AFTER_MS : GONE_AFTER_MS)) await this.#giveUp(open, meta);
    return false;
  }

  /** Null where the batch cannot be asked for. */
  #addressOf({ workspace, batch }: OpenBatch, { baseURL }: BatchMeta): Address | null {
    const { source, allows } = this.#options;
    const apiKey = source(workspace)?.apiKey ?? null;
    return apiKey === null || !allows(baseURL) ? null : { baseURL, apiKey, batch };
  }

  async #book(
    open: OpenBatch,
    meta: BatchMeta,
    seen: Extract<Seen, { kind: 'Ended' }>,
    address: Address,
  ): Promise<void> {
    const { ledger, clock, onSettled } = this.#options;
    const prices = this.#pricesOf(open);
    const endedAt = Number.isNaN(seen.endedAt) ? clock() : seen.endedAt;
    let { settledLines } = open;
    let index = 0;
    let lines: BatchLine[] = [];
    for await (const text of results(address)) {
      if (index >= settledLines + lines.length)
        lines.push(settleBatchLine(text, meta, prices, { batch: open.batch, call: open.id, index, endedAt }));
      index += 1;
      if (lines.length < CHUNK) continue;
      settledLines = await this.#bookLines(open, settledLines, lines);
      lines = [];
    }
    await this.#bookLines(open, settledLines, lines);
    if (index < (seen.lines ?? 0)) throw new Error(`${open.batch} has ${seen.lines} results and ${index} came`);
    await ledger.closeBatch(open.batch);
    onSettled(open, index);
  }

  /** Returns how many are booked now. Throws where somebody else has booked meanwhile: they go on, or this one later. */
  async #bookLines(open: OpenBatch, from: number, lines: readonly BatchLine[]): Promise<number> {
    if (lines.length === 0) return from;
    const { ledger, onBooked } = this.#options;
    const { batch } = open;
    const { settledLines } = await ledger.settleBatchLines({ batch, from, lines });
    if (settledLines !== from + lines.length) throw new Error(`${batch} is being booked elsewhere`);
    onBooked(lines);
    return settledLines;
  }

  async #giveUp(open: OpenBatch, meta: BatchMeta): Promise<void> {
    const { ledger, clock, onLost } = this.#options;
    const { settledLines, batch, id, reservedNano } = open;
    const place = { batch, call: id, index: settledLines, endedAt: clock() };
    await this.#bookLines(open, settledLines, [settleLostBatch(reservedNano, meta, this.#pricesOf(open), place)]);
    await ledger.closeBatch(open.batch);
    onLost(open);
  }

  #pricesOf({ workspace }: OpenBatch): PriceBook {
    return this.#options.source(workspace)?.prices ?? this.#options.prices();
  }
}

/** An upstream that still answers with errors when the results are no longer kept is out of reach for good. */
function unlessOlder(age: number): (error: unknown) => null {
  return (error) => {
    if (age < LOST_AFTER_MS) throw error;
    return null;
  };
}

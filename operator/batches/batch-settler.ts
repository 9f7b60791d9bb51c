import type { OpenBatch } from '../../ledger/message-batches.ts';
import type { OperatorLedger } from '../../ledger/operator-ledger.ts';
import type { Settings } from '../../policy/config/settings.ts';
import type { Ref } from '../../policy/core/compiled-policy.ts';
import { type BatchMeta, decodeBatchMeta, isSameUpstream } from '../../policy/cost/batch-meta.ts';
import { type BatchLine, settleBatchLine, settleLostBatch } from '../../policy/cost/batch-result.ts';
import type { PriceBook } from '../../policy/prices/price-book.ts';
import type { OperatorEvents } from '../events/operator-events.ts';
import type { BatchCredentials } from './batch-credentials.ts';
import type { BatchAddress, BatchProgress, BatchUpstream } from './batch-upstream.ts';

interface BatchSettlerOptions {
  readonly ledger: Pick<OperatorLedger, 'openBatches' | 'settleBatchLines' | 'closeBatch'>;
  readonly upstream: BatchUpstream;
  /** Undefined where the workspace is gone. */
  readonly credentials: (workspace: Ref) => BatchCredentials | undefined;
  /** The prices for a batch whose workspace is gone. */
  readonly prices: () => PriceBook;
  /** Whether the installation's settings allow the upstream. */
  readonly isAllowed: (baseURL: string) => boolean;
  /** How long what a batch holds is kept where nothing follows it. Milliseconds. */
  readonly settings: Pick<Settings, 'presumedHold'>;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** A monotonic clock, in milliseconds. */
  readonly elapsed: () => number;
  /** How often a batch is looked at. Milliseconds. */
  readonly intervalMs: number;
  /** Gets the batches that are due to be looked at. */
  readonly queues: { addBatch(batch: string): void };
  readonly metrics: { countBatchLines(lines: readonly BatchLine[]): void };
  readonly events: Pick<OperatorEvents, 'batchSettled' | 'batchLost' | 'batchReleased' | 'batchElsewhere'>;
}

/** What became of batches that a person wants to end. */
interface ResolvedBatches {
  readonly resolved: readonly string[];
  /** Those that stay: they will be settled from their results. */
  readonly followed: readonly string[];
}

interface BatchBacklog {
  readonly open: number;
  /** Of these, how many are not followed, because they are at another upstream than their workspace's. */
  readonly elsewhere: number;
  readonly oldestSeconds: number;
}

/** Lines settled in one step, which takes Redis a moment. */
const CHUNK = 200;
const HOUR_MS = 3_600_000;
/** A batch ends within 24 hours, so one that the upstream does not know after this was deleted. Milliseconds. */
const GONE_AFTER_MS = 25 * HOUR_MS;
/** The upstream keeps results for 29 days. Milliseconds. */
const LOST_AFTER_MS = 29 * 24 * HOUR_MS;
/** The longest pause between two attempts that fail. Milliseconds. */
const MAX_BACKOFF_MS = 600_000;

/**
 * Settles Message Batches from their results, whether or not the caller ever fetches them. The ledger keeps the number
 * of settled lines and changes it together with the money, so each line is settled once, whatever fails in between.
 */
export class BatchSettler {
  readonly #options: BatchSettlerOptions;
  #open: ReadonlyMap<string, OpenBatch> = new Map();
  /** By batch: when it is looked at next, and how many attempts in a row have failed. */
  readonly #attempts = new Map<string, { readonly at: number; readonly failures: number }>();

  /** The open batches that are at another upstream than their workspace's. */
  readonly #elsewhere = new Set<string>();

  constructor(options: BatchSettlerOptions) {
    this.#options = options;
  }

  get backlog(): BatchBacklog {
    const now = this.#options.clock();
    const admitted = [...this.#open.values()].map(({ meta }) => decodeBatchMeta(meta).at);
    const oldestSeconds = (now - Math.min(now, ...admitted)) / 1000;
    return { open: admitted.length, elsewhere: this.#elsewhere.size, oldestSeconds };
  }

  /** Queues the open batches that are due. Returns in how many milliseconds to call it again. Throws LedgerUnreachable. */
  async poll(): Promise<number> {
    const { ledger, elapsed, intervalMs, queues } = this.#options;
    this.#open = new Map((await ledger.openBatches()).map((open) => [open.batch, open]));
    for (const batch of this.#attempts.keys()) if (!this.#open.has(batch)) this.#attempts.delete(batch);
    for (const batch of this.#elsewhere) if (!this.#open.has(batch)) this.#elsewhere.delete(batch);
    for (const batch of this.#open.keys()) {
      if ((this.#attempts.get(batch)?.at ?? 0) <= elapsed()) queues.addBatch(batch);
    }
    return intervalMs;
  }

  /** Looks at one batch and settles it where it has ended. Throws what failed; the batch is due again later. */
  async settle(batch: string): Promise<void> {
    const open = this.#open.get(batch);
    if (open === undefined) return;
    const { elapsed, intervalMs } = this.#options;
    const attempt = this.#attempts.get(batch) ?? { at: 0, failures: 0 };
    if (attempt.at > elapsed()) return;
    const failures = attempt.failures + 1;
    const wait = Math.min(MAX_BACKOFF_MS, intervalMs * 2 ** Math.min(failures - 1, 10));
    this.#attempts.set(batch, { at: elapsed() + wait, failures });
    if (await this.#settle(open, decodeBatchMeta(open.meta))) this.#attempts.set(batch, { at: elapsed(), failures: 0 });
  }

  /**
   * Ends those of the batches that nothing follows, because a person says so: what they have left is booked as spent, or
   * released. Throws LedgerUnreachable; what was ended before that stays so.
   */
  async resolve(batches: readonly string[], how: 'Book' | 'Release'): Promise<ResolvedBatches> {
    const { ledger, events } = this.#options;
    const open = (await ledger.openBatches()).filter(({ batch }) => batches.includes(batch));
    const followed = open.filter((one) => this.#isFollowed(one, decodeBatchMeta(one.meta)));
    const lost = open.filter((one) => !followed.includes(one));
    for (const one of lost) {
      if (how === 'Book') await this.#giveUp(one, decodeBatchMeta(one.meta));
      else {
        await ledger.closeBatch(one.batch);
        events.batchReleased(one);
      }
    }
    return { resolved: lost.map(({ batch }) => batch), followed: followed.map(({ batch }) => batch) };
  }

  #isFollowed(open: OpenBatch, meta: BatchMeta): boolean {
    const own = this.#options.credentials(open.workspace);
    return own !== undefined && isSameUpstream(own, meta) && this.#addressOf(open, meta, own) !== null;
  }

  /** Returns false where the next attempt should wait longer. */
  async #settle(open: OpenBatch, meta: BatchMeta): Promise<boolean> {
    const age = this.#options.clock() - meta.at;
    const own = this.#options.credentials(open.workspace);
    if (own !== undefined && !isSameUpstream(own, meta)) return this.#waitElsewhere(open, meta, age);
    this.#elsewhere.delete(open.batch);
    const address = this.#addressOf(open, meta, own);
    const progress = address === null ? null : await this.#options.upstream.progress(address).catch(nullOnceLost(age));
    if (progress?.kind === 'Running') return true;
    if (progress?.kind === 'Ended' && address !== null) {
      if ((await this.#settleResults(open, meta, progress, address).catch(nullOnceLost(age))) !== null) return true;
      await this.#giveUp(open, meta);
      return false;
    }
    if (age >= (progress === null ? LOST_AFTER_MS : GONE_AFTER_MS)) await this.#giveUp(open, meta);
    return false;
  }

  /** Null where the batch cannot be fetched. */
  #addressOf({ batch }: OpenBatch, { baseURL }: BatchMeta, own: BatchCredentials | undefined): BatchAddress | null {
    const apiKey = own?.apiKey ?? null;
    if (apiKey === null || !this.#options.isAllowed(baseURL)) return null;
    return { baseURL, apiKey, headers: own?.headers ?? {}, batch };
  }

  /** A key goes to no other upstream than its own, so what the batch holds stays held until its workspace has that upstream again. */
  async #waitElsewhere(open: OpenBatch, meta: BatchMeta, age: number): Promise<false> {
    const { settings, events } = this.#options;
    const { presumedHold } = settings;
    if (!this.#elsewhere.has(open.batch)) events.batchElsewhere(open, new URL(meta.baseURL).origin);
    this.#elsewhere.add(open.batch);
    const heldMs = presumedHold === 'PeriodEnd' ? LOST_AFTER_MS : Math.max(GONE_AFTER_MS, presumedHold);
    if (age >= heldMs) await this.#giveUp(open, meta);
    return false;
  }

  async #settleResults(
    open: OpenBatch,
    meta: BatchMeta,
    ended: Extract<BatchProgress, { kind: 'Ended' }>,
    address: BatchAddress,
  ): Promise<void> {
    const { ledger, upstream, clock, events } = this.#options;
    const prices = this.#pricesOf(open);
    const endedAt = Number.isNaN(ended.endedAt) ? clock() : ended.endedAt;
    let settled = open.settledLines;
    let index = 0;
    let lines: BatchLine[] = [];
    for await (const text of upstream.results(address)) {
      if (index >= settled + lines.length) {
        const line = settleBatchLine(text, meta, prices, { batch: open.batch, call: open.id, index, endedAt });
        // A page of a proxy, or a line that is cut: nothing is spent on a guess while the results may still come.
        if (!line.isResult && (index === 0 || clock() - meta.at < GONE_AFTER_MS)) {
          throw new Error(`batch ${open.batch}: line ${index + 1} of what the upstream sent is no result`);
        }
        lines.push(line);
      }
      index += 1;
      if (lines.length < CHUNK) continue;
      settled = await this.#settleLines(open, settled, lines);
      lines = [];
    }
    await this.#settleLines(open, settled, lines);
    const expected = meta.requests ?? ended.lines ?? 0;
    if (index < expected) {
      throw new Error(`batch ${open.batch}: the upstream sent ${index} of ${expected} results`);
    }
    await ledger.closeBatch(open.batch);
    events.batchSettled(open, index);
  }

  /** Returns how many lines are settled now. Throws where another operator settles the batch at the same time. */
  async #settleLines(open: OpenBatch, from: number, lines: readonly BatchLine[]): Promise<number> {
    if (lines.length === 0) return from;
    const { ledger, metrics } = this.#options;
    const { batch } = open;
    const { settledLines } = await ledger.settleBatchLines({ batch, from, lines });
    if (settledLines !== from + lines.length) throw new Error(`batch ${batch} is being settled by another operator`);
    metrics.countBatchLines(lines);
    return settledLines;
  }

  async #giveUp(open: OpenBatch, meta: BatchMeta): Promise<void> {
    const { ledger, clock, events } = this.#options;
    const { batch, id } = open;
    // An attempt of this turn may have settled some lines.
    const { settledLines, reservedNano } = (await ledger.openBatches()).find((one) => one.batch === batch) ?? open;
    const position = { batch, call: id, index: settledLines, endedAt: clock() };
    await this.#settleLines(open, settledLines, [settleLostBatch(reservedNano, meta, this.#pricesOf(open), position)]);
    await ledger.closeBatch(open.batch);
    events.batchLost(open);
  }

  #pricesOf({ workspace }: OpenBatch): PriceBook {
    return this.#options.credentials(workspace)?.prices ?? this.#options.prices();
  }
}

/** An upstream that still fails when results are no longer kept will never give them. */
function nullOnceLost(age: number): (error: unknown) => null {
  return (error) => {
    if (age < LOST_AFTER_MS) throw error;
    return null;
  };
}

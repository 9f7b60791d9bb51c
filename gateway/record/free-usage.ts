import type { GatewayLedger } from '../../ledger/gateway-ledger.ts';
import { type CallRecord, sumRecord, type UsageRecord } from '../../policy/core/usage-record.ts';

interface Parts {
  readonly ledger: Pick<GatewayLedger, 'appendFreeUsage'>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

const MINUTE_MS = 60_000;
/** Up to which share of its limit the usage stream takes records of single free calls, and of sums. The rest is for money. */
const SHARE_OF_CALLS = 0.5;
const SHARE_OF_SUMS = 0.75;
/** How many free calls of a key have a record of their own in a minute. */
const CALLS_OF_KEY = 300;
/** How many sums a key, and a workspace, may have in a minute; what needs a further one is summed without attributes. */
const SUMS_OF_KEY = 20;
const SUMS_OF_WORKSPACE = 100;
/** The most sums in a minute; calls that need a further one are dropped. */
const MAX_SUMS = 2_000;

/** Free calls with the same key, feature, customer and ending. */
interface Sum {
  readonly first: CallRecord;
  readonly calls: number;
}

/**
 * Appends the usage records of calls that cost nothing, such as those that the upstream answered with an error. No budget
 * limits them, and the usage stream is shared: if it were full, no tenant's calls would be admitted. So once it is half
 * full, and for a key that makes too many, one record a minute stands for many calls. Records may be lost: they are no
 * money.
 */
export class FreeUsage {
  readonly #parts: Parts;
  readonly #timer: NodeJS.Timeout;
  #isCrowded = false;
  /** In this minute, by key: calls with a record of their own. */
  #calls = new Map<string, number>();
  #sums = new Map<string, Sum>();
  /** How many sums a key or a workspace has. */
  #sumCounts = new Map<string, number>();

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#timer = setInterval(() => void this.#nextMinute(), MINUTE_MS).unref();
  }

  async append(record: CallRecord): Promise<void> {
    const key = keyOf(record);
    const calls = this.#calls.get(key) ?? 0;
    if (this.#isCrowded || calls >= CALLS_OF_KEY) return this.#add(record);
    this.#calls.set(key, calls + 1);
    if (await this.#send(record, SHARE_OF_CALLS)) return;
    this.#isCrowded = true;
    this.#add(record);
  }

  /** Stops the timer and sends the last sums. */
  stop(): Promise<void> {
    clearInterval(this.#timer);
    return this.#nextMinute();
  }

  #add(record: CallRecord): void {
    const { feature, customer, ending, status } = record;
    const key = keyOf(record);
    const workspace = `${record.workspace} ${record.workspace_uid}`;
    const own = JSON.stringify([key, feature, customer, ending, status]);
    const hasRoom = this.#countOf(key) < SUMS_OF_KEY && this.#countOf(workspace) < SUMS_OF_WORKSPACE;
    if (hasRoom || this.#sums.has(own)) return this.#put(own, [key, workspace], record);
    this.#put(JSON.stringify([workspace, ending]), [], {
      ...record,
      key: null,
      feature: null,
      customer: null,
      status: null,
    });
  }

  #put(name: string, counted: readonly string[], record: CallRecord): void {
    const sum = this.#sums.get(name);
    if (sum === undefined && this.#sums.size >= MAX_SUMS) return;
    if (sum === undefined) for (const one of counted) this.#sumCounts.set(one, this.#countOf(one) + 1);
    this.#sums.set(name, { first: sum?.first ?? record, calls: (sum?.calls ?? 0) + 1 });
  }

  #countOf(name: string): number {
    return this.#sumCounts.get(name) ?? 0;
  }

  /** False if the stream has no room. A record that the ledger does not take is dropped. */
  #send(record: UsageRecord, share: number): Promise<boolean> {
    return this.#parts.ledger.appendFreeUsage(record, share).catch(() => true);
  }

  async #nextMinute(): Promise<void> {
    const sums = [...this.#sums.values()];
    this.#isCrowded = false;
    [this.#calls, this.#sums, this.#sumCounts] = [new Map(), new Map(), new Map()];
    const timestamp = new Date(this.#parts.now()).toISOString();
    for (const { first, calls } of sums) {
      if (!(await this.#send(sumRecord(first, calls, timestamp), SHARE_OF_SUMS))) return;
    }
  }
}

function keyOf({ workspace, workspace_uid: uid, key }: CallRecord): string {
  return JSON.stringify([workspace, uid, key]);
}

/** A sequence of the ledger, and when it was seen in milliseconds of the ledger's time. */
export interface SeenSequence {
  readonly at: number;
  readonly sequence: number;
}

/**
 * Which sequences the ledger has shown, and when. The replay logs of the gateways restore changes that the ledger showed
 * within the horizon and lost; a ledger that lacks an older change must be rebuilt.
 */
export class SequenceHistory {
  readonly #horizonMs: number;
  /** In order of time; of those beyond the horizon only the last. */
  #seen: SeenSequence[] = [];

  /** `horizonMs`: how far back the replay logs of gateways are sure to reach. */
  constructor(horizonMs: number) {
    this.#horizonMs = horizonMs;
  }

  /** Adds what a healthy ledger shows now. */
  add(seen: SeenSequence): void {
    const from = seen.at - this.#horizonMs;
    const old = this.#seen.findLastIndex(({ at }) => at <= from);
    this.#seen = [...this.#seen.slice(Math.max(old, 0)), seen];
  }

  /** The highest sequence seen; 0 for none. */
  get highest(): number {
    return Math.max(0, ...this.#seen.map(({ sequence }) => sequence));
  }

  /** The highest sequence seen at least a horizon before `at`; 0 for none. */
  highestLongBefore(at: number): number {
    const old = this.#seen.filter((seen) => seen.at <= at - this.#horizonMs);
    return Math.max(0, ...old.map(({ sequence }) => sequence));
  }

  /** Forgets everything: the ledger begins another history. */
  clear(): void {
    this.#seen = [];
  }
}

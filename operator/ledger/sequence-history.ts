/** A sequence of the ledger, and when it was seen. Milliseconds of the ledger's time. */
export interface Sighting {
  readonly at: number;
  readonly sequence: number;
}

/**
 * How far the ledger was seen, and when. What a ledger lost lately its gateways still have in their journals; what it
 * had shown longer ago and does not have any more they cannot restore.
 */
export class SequenceHistory {
  readonly #horizonMs: number;
  /** By time; of those beyond the horizon only the last. */
  #sightings: Sighting[] = [];

  /** `horizonMs`: how long ago is long ago. */
  constructor(horizonMs: number) {
    this.#horizonMs = horizonMs;
  }

  /** Takes note of what was seen while nothing was wrong. */
  note(sighting: Sighting): void {
    const from = sighting.at - this.#horizonMs;
    const old = this.#sightings.findLastIndex(({ at }) => at <= from);
    this.#sightings = [...this.#sightings.slice(Math.max(old, 0)), sighting];
  }

  /** The highest that was ever seen. */
  get highest(): number {
    return Math.max(0, ...this.#sightings.map(({ sequence }) => sequence));
  }

  /** The highest that was seen long before `at`. */
  longBefore(at: number): number {
    const long = this.#sightings.filter((sighting) => sighting.at <= at - this.#horizonMs);
    return Math.max(0, ...long.map(({ sequence }) => sequence));
  }

  /** What counts from here on is another history. */
  forget(): void {
    this.#sightings = [];
  }
}

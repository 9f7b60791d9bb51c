type Rate = Readonly<Record<'tokens' | 'ms', number>>;

/** Lets so many through at once, and then as many as are refilled: `rate.tokens` each `rate.ms` milliseconds. */
export class TokenBucket {
  readonly #burst: number;
  readonly #rate: Rate;
  #tokens: number;
  #at = 0;

  constructor(burst: number, rate: Rate) {
    this.#burst = burst;
    this.#rate = rate;
    this.#tokens = burst;
  }

  /** Takes up to `wanted` tokens and says how many there were. `now` in milliseconds. */
  take(wanted: number, now: number): number {
    const refilled = (Math.max(0, now - this.#at) * this.#rate.tokens) / this.#rate.ms;
    this.#tokens = Math.min(this.#burst, this.#tokens + refilled);
    this.#at = now;
    const taken = Math.min(wanted, Math.floor(this.#tokens));
    this.#tokens -= taken;
    return taken;
  }
}

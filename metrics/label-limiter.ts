/** What is counted together stands under this name. */
export const OTHER = 'other';

/**
 * Values that callers choose become labels only while there is room: the first so many of each owner and of all
 * together. Who comes later is counted under `other`, so that nobody can fill the memory of whoever counts.
 */
export class LabelLimiter {
  readonly #perOwner: number;
  readonly #inAll: number;
  readonly #known = new Map<string, Set<string>>();
  #count = 0;

  constructor(perOwner: number, inAll: number) {
    this.#perOwner = perOwner;
    this.#inAll = inAll;
  }

  /** Whether the value has a name of its own, from now on. */
  has(value: string, owner = ''): boolean {
    const own = this.#known.get(owner) ?? new Set();
    if (own.has(value)) return true;
    if (own.size >= this.#perOwner || this.#count >= this.#inAll) return false;
    this.#known.set(owner, own.add(value));
    this.#count += 1;
    return true;
  }
}

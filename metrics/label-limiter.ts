/** The label of everything that has no label of its own. */
export const OTHER = 'other';

/**
 * Limits the labels that callers can choose: the first values of each owner, and of all owners together, get a label of
 * their own. Later ones are counted under `other`, so that a caller cannot fill the memory with series.
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

  /** Whether the value has a label of its own; gives it one if the limits allow. */
  has(value: string, owner = ''): boolean {
    const own = this.#known.get(owner) ?? new Set();
    if (own.has(value)) return true;
    if (own.size >= this.#perOwner || this.#count >= this.#inAll) return false;
    this.#known.set(owner, own.add(value));
    this.#count += 1;
    return true;
  }
}

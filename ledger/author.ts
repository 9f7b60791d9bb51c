/** Who asks: which incarnation, in which epoch, and the number of the last change that it made there. */
export interface Caller {
  readonly incarnation: string;
  readonly epoch: string;
  readonly seen: number;
}

/** What a client of the ledger remembers of itself, so that it notices when the ledger has forgotten. */
export class Author {
  readonly #expectedEpoch: () => string | null;
  readonly #owners = new Map<string, string>();
  #incarnation = '';
  #registered = false;
  #seen = 0;
  #seenIn = '';

  constructor(expectedEpoch: () => string | null) {
    this.#expectedEpoch = expectedEpoch;
  }

  /** A new incarnation: the next beat is its first. */
  begin(incarnation: string): void {
    this.#incarnation = incarnation;
    this.#registered = false;
  }

  caller(): Caller {
    const epoch = this.#expectedEpoch() ?? '';
    return { incarnation: this.#incarnation, epoch, seen: epoch === this.#seenIn ? this.#seen : 0 };
  }

  /** Takes note of a change that `caller` made; one made in an epoch that is over means nothing any more. */
  note({ epoch }: Caller, sequence: number): void {
    if (epoch !== this.#expectedEpoch()) return;
    this.#seen = epoch === this.#seenIn ? Math.max(this.#seen, sequence) : sequence;
    this.#seenIn = epoch;
  }

  /** Whether its incarnation has beaten: the ledger that does not know it then has swept it. */
  get registered(): boolean {
    return this.#registered;
  }

  /** Takes note of a beat that was heard; one of an incarnation that is over means nothing any more. */
  register({ incarnation }: Caller): void {
    this.#registered ||= incarnation === this.#incarnation;
  }

  /** Remembers who reserves a call, so that it is found after a new incarnation has begun. */
  own(id: string): void {
    this.#owners.set(id, this.#incarnation);
  }

  disown(id: string): void {
    this.#owners.delete(id);
  }

  /** The incarnation of this process that reserved the call. */
  ownerOf(id: string): string {
    return this.#owners.get(id) ?? this.#incarnation;
  }
}

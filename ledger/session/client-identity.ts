/** Who asks: which incarnation, in which epoch and line, and the number of the last change that it made there. */
export interface LedgerClient {
  readonly incarnation: string;
  readonly epoch: string;
  readonly line: string;
  readonly seen: number;
}

/** How many earlier incarnations are remembered. */
const PAST = 8;

/**
 * What a client of the ledger remembers of itself. A *line* is a stretch of the ledger's history in which numbers of
 * changes mean one thing; each recovery begins another. A client belongs to a line once it has told the ledger there all
 * that it may miss, and to none ('') before.
 */
export class ClientIdentity {
  readonly #expectedEpoch: () => string | null;
  readonly #owners = new Map<string, string>();
  #past: readonly string[] = [];
  #incarnation = '';
  #successor = '';
  #line = '';
  #seen = 0;
  #isUnnumbered = false;

  constructor(expectedEpoch: () => string | null) {
    this.#expectedEpoch = expectedEpoch;
  }

  /** A new incarnation: the next beat is its first. Until that is heard, changes are numbered as the present one's. */
  begin(incarnation: string): void {
    // Its beat may have come there all the same.
    this.#remember(this.#successor);
    this.#successor = incarnation;
  }

  /** What it was before. */
  get past(): readonly string[] {
    return this.#past;
  }

  /** The incarnation that has begun and was not heard yet, or ''. */
  get successor(): string {
    return this.#successor;
  }

  /** The last incarnation that has begun. */
  get present(): string {
    return this.#successor === '' ? this.#incarnation : this.#successor;
  }

  caller(): LedgerClient {
    return {
      incarnation: this.#incarnation,
      epoch: this.#expectedEpoch() ?? '',
      line: this.#line,
      seen: this.#isUnnumbered ? Number.MAX_SAFE_INTEGER : this.#seen,
    };
  }

  /** Who reserves: no incarnation that is over. One that was not heard yet has made no change. */
  reserver(): LedgerClient {
    const caller = this.caller();
    return this.#successor === '' ? caller : { ...caller, incarnation: this.#successor, seen: 0 };
  }

  /** Whether what `caller` did counts: it was done in the line to which this client belongs. */
  isCurrent({ line }: LedgerClient): boolean {
    return line === this.#line;
  }

  /** Whether the caller's incarnation is still the one under which changes are numbered. */
  isStill({ incarnation }: LedgerClient): boolean {
    return incarnation === this.#incarnation;
  }

  /** The highest number that is known of a change of its own in its line. */
  get seen(): number {
    return this.#seen;
  }

  /**
   * Takes note of the number of a change in the client's line; that of another incarnation says nothing of this one's.
   * A change has none where the ledger goes on in another line, which the next beat tells: should it be back in this one
   * by then, it misses that change.
   */
  note(caller: LedgerClient, sequence: number | null): void {
    if (sequence === null) this.#isUnnumbered = true;
    else if (this.isStill(caller)) this.#seen = Math.max(this.#seen, sequence);
  }

  /** A new incarnation has numbers of its own, which go on from those of the one before. */
  succeed(sequence: number): void {
    this.#seen = sequence;
  }

  /** The ledger goes on in another line: until `join`, no answer to what was asked before counts. */
  leaveLine(): void {
    this.#line = '';
  }

  join(line: string, sequence: number): void {
    this.#line = line;
    this.#seen = sequence;
    this.#isUnnumbered = false;
  }

  /** Takes note that a successor's first beat was heard: changes are numbered as its from now on. */
  register(successor: string): void {
    if (successor === '') return;
    this.#remember(this.#incarnation);
    this.#incarnation = successor;
    if (this.#successor === successor) this.#successor = '';
  }

  /** Remembers who reserves a call, so that it is found after a new incarnation has begun. */
  own(id: string, { incarnation }: LedgerClient): void {
    this.#owners.set(id, incarnation);
  }

  /** Whether the call was asked for, and nothing is known that speaks against a reservation of it. */
  owns(id: string): boolean {
    return this.#owners.has(id);
  }

  disown(id: string): void {
    this.#owners.delete(id);
  }

  /** The incarnation of this process that reserved the call. */
  ownerOf(id: string): string {
    return this.#owners.get(id) ?? this.present;
  }

  #remember(incarnation: string): void {
    if (incarnation !== '') this.#past = [...this.#past, incarnation].slice(-PAST);
  }
}

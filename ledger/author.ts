/** Who asks: which incarnation, in which epoch and line, and the number of the last change that it made there. */
export interface Caller {
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
export class Author {
  readonly #expectedEpoch: () => string | null;
  readonly #owners = new Map<string, string>();
  #past: readonly string[] = [];
  #incarnation = '';
  #registered = false;
  #line = '';
  #seen = 0;

  constructor(expectedEpoch: () => string | null) {
    this.#expectedEpoch = expectedEpoch;
  }

  /** A new incarnation: the next beat is its first. */
  begin(incarnation: string): void {
    if (this.#incarnation !== '') this.#past = [...this.#past, this.#incarnation].slice(-PAST);
    this.#incarnation = incarnation;
    this.#registered = false;
  }

  /** What it was before. */
  get past(): readonly string[] {
    return this.#past;
  }

  caller(): Caller {
    return {
      incarnation: this.#incarnation,
      epoch: this.#expectedEpoch() ?? '',
      line: this.#line,
      seen: this.#seen,
    };
  }

  /** Whether what `caller` did counts: it was done in the line to which this client belongs. */
  isCurrent({ line }: Caller): boolean {
    return line === this.#line;
  }

  /** Takes note of the number of a change in the client's line. */
  note(sequence: number): void {
    this.#seen = Math.max(this.#seen, sequence);
  }

  /** The ledger goes on in another line: until `join`, no answer to what was asked before counts. */
  leaveLine(): void {
    this.#line = '';
  }

  join(line: string, sequence: number): void {
    this.#line = line;
    this.#seen = sequence;
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

  /** Whether the call was asked for, and nothing is known that speaks against a reservation of it. */
  owns(id: string): boolean {
    return this.#owners.has(id);
  }

  disown(id: string): void {
    this.#owners.delete(id);
  }

  /** The incarnation of this process that reserved the call. */
  ownerOf(id: string): string {
    return this.#owners.get(id) ?? this.#incarnation;
  }
}

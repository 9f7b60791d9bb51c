/** Who asks: which incarnation, in which epoch and timeline, and the number of the last change that it made there. */
export interface LedgerClient {
  readonly incarnation: string;
  readonly epoch: string;
  readonly timeline: string;
  readonly lastChange: number;
}

/** How many earlier incarnations are remembered. */
const MAX_PAST = 8;

/**
 * Which incarnation a session is and where it stands in the ledger's history. A *timeline* is one unbroken history of
 * sequence numbers; each recovery begins another. A session belongs to a timeline once it has replayed there all that
 * the ledger may have lost, and to none ('') before.
 */
export class SessionPosition {
  readonly #expectedEpoch: () => string | null;
  readonly #holders = new Map<string, string>();
  #past: readonly string[] = [];
  #incarnation = '';
  #successor = '';
  #timeline = '';
  #lastChange = 0;
  #hasUnnumberedChange = false;

  constructor(expectedEpoch: () => string | null) {
    this.#expectedEpoch = expectedEpoch;
  }

  /** Begins an incarnation. Until its first heartbeat is answered, changes are numbered as those of the one before. */
  begin(incarnation: string): void {
    // The heartbeat of a successor may have reached the ledger although its answer was lost.
    this.#remember(this.#successor);
    this.#successor = incarnation;
  }

  get pastIncarnations(): readonly string[] {
    return this.#past;
  }

  /** The incarnation that has begun and whose first heartbeat was not answered yet, or ''. */
  get successor(): string {
    return this.#successor;
  }

  /** The incarnation that began last. */
  get present(): string {
    return this.#successor === '' ? this.#incarnation : this.#successor;
  }

  /** The client that ends calls and sends heartbeats. */
  client(): LedgerClient {
    return {
      incarnation: this.#incarnation,
      epoch: this.#expectedEpoch() ?? '',
      timeline: this.#timeline,
      lastChange: this.#hasUnnumberedChange ? Number.MAX_SAFE_INTEGER : this.#lastChange,
    };
  }

  /** The client that reserves: never an incarnation that is over. One without an answered heartbeat has made no change. */
  reservingClient(): LedgerClient {
    const client = this.client();
    return this.#successor === '' ? client : { ...client, incarnation: this.#successor, lastChange: 0 };
  }

  /** Whether an answer to `client` counts: it asked in the timeline to which this session belongs. */
  isOnTimeline({ timeline }: LedgerClient): boolean {
    return timeline === this.#timeline;
  }

  /** Whether the client's incarnation is still the one under which changes are numbered. */
  isPresent({ incarnation }: LedgerClient): boolean {
    return incarnation === this.#incarnation;
  }

  /** The highest known number of a change of this session in its timeline. */
  get lastChange(): number {
    return this.#lastChange;
  }

  /**
   * Notes the number of a change in the session's timeline; a number of another incarnation says nothing about this one.
   * A change has no number where the ledger is on another timeline, which the next heartbeat reports; should the ledger
   * be back on this timeline before that, it lacks the change.
   */
  noteChange(client: LedgerClient, sequence: number | null): void {
    if (sequence === null) this.#hasUnnumberedChange = true;
    else if (this.isPresent(client)) this.#lastChange = Math.max(this.#lastChange, sequence);
  }

  /** A new incarnation has numbers of its own, which continue those of the one before. */
  continueFrom(sequence: number): void {
    this.#lastChange = sequence;
  }

  /** The ledger is on another timeline: until `joinTimeline`, no answer to an earlier question counts. */
  leaveTimeline(): void {
    this.#timeline = '';
  }

  joinTimeline(timeline: string, sequence: number): void {
    this.#timeline = timeline;
    this.#lastChange = sequence;
    this.#hasUnnumberedChange = false;
  }

  /** A successor's first heartbeat was answered: from now on changes are numbered as its own. */
  confirmSuccessor(successor: string): void {
    if (successor === '') return;
    this.#remember(this.#incarnation);
    this.#incarnation = successor;
    if (this.#successor === successor) this.#successor = '';
  }

  /** Remembers which incarnation reserves a call, so that the call is found after a new incarnation has begun. */
  setHolder(id: string, { incarnation }: LedgerClient): void {
    this.#holders.set(id, incarnation);
  }

  /** Whether the call was asked for, and no answer has excluded that it is reserved. */
  hasHolder(id: string): boolean {
    return this.#holders.has(id);
  }

  removeHolder(id: string): void {
    this.#holders.delete(id);
  }

  /** The incarnation of this process that reserved the call. */
  holderOf(id: string): string {
    return this.#holders.get(id) ?? this.present;
  }

  #remember(incarnation: string): void {
    if (incarnation !== '') this.#past = [...this.#past, incarnation].slice(-MAX_PAST);
  }
}

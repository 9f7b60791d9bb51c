import type { BeatAnswer, GatewayLedger } from '../../ledger/ledger.ts';
import { COMPILED_SCHEMA } from '../../policy/core/compiled-policy.ts';

/** How often the gateway shows that it lives; a lease lasts many times as long. */
const BEAT_MS = 1_000;
/** One beat in so many also looks for gateways that fell silent. */
const SWEEP_EVERY = 5;

/** How the last beat was answered. */
export type BeatOutcome = BeatAnswer['kind'] | 'unreachable';

interface Parts {
  readonly ledger: GatewayLedger;
  /** The Pod's name. */
  readonly pod: string;
  /** The revision of each policy shard that is enforced in full. */
  readonly shards: () => Readonly<Record<string, number>>;
  readonly newId: () => string;
  /** With the error, where there was no answer. */
  readonly onPulse: (pulse: BeatOutcome, error?: unknown) => void;
  /** The ledger holds a reservation that this gateway has no call for: it was never sent. */
  readonly onStray: (id: string) => void;
}

/**
 * What keeps a gateway's reservations its own: one incarnation with one heartbeat, and the memory of every call that
 * may have a reservation. A call enters the memory before its reserve is sent and leaves it when it is booked.
 */
export class Heartbeat {
  readonly #parts: Parts;
  readonly #open = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> | null = null;
  #isBehind = false;
  #beats = 0;
  #isStopped = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    parts.ledger.begin(parts.newId());
  }

  /** The calls that have, or may have, a reservation. */
  get openCount(): number {
    return this.#open.size;
  }

  enter(id: string): void {
    this.#open.add(id);
  }

  leave(id: string): void {
    this.#open.delete(id);
  }

  /**
   * Beats at once and then every second; once more where a beat was under way, since what it reports may have changed.
   * After it the ledger knows this gateway, unless it is out of reach.
   */
  beat(): Promise<void> {
    if (this.#isStopped) return Promise.resolve();
    if (this.#beating !== null) {
      this.#isBehind = true;
      return this.#beating;
    }
    clearTimeout(this.#timer);
    this.#beating = this.#run();
    return this.#beating;
  }

  /** Takes the gateway off the list. Nothing of it may be open. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#beating;
    await this.#parts.ledger.leave().catch(() => undefined); // without it the list forgets the gateway a lease later
  }

  async #run(): Promise<void> {
    do {
      this.#isBehind = false;
      await this.#once().then(this.#parts.onPulse, (error: unknown) => this.#parts.onPulse('unreachable', error));
    } while (this.#isBehind && !this.#isStopped);
    this.#beating = null;
    if (!this.#isStopped) this.#timer = setTimeout(() => void this.beat(), BEAT_MS);
  }

  async #once(): Promise<BeatOutcome> {
    const { ledger, pod, shards, newId } = this.#parts;
    const answer = await ledger.beat({ pod, shards: shards(), schema: COMPILED_SCHEMA });
    if (answer.kind === 'alive') this.#compare(answer.open);
    if (answer.kind === 'swept') {
      ledger.begin(newId());
      this.#isBehind = true;
    }
    this.#beats += 1;
    if (this.#beats % SWEEP_EVERY === 0) await ledger.sweep();
    return answer.kind;
  }

  /** A call that ended since the ledger looked is among them too: releasing it again changes nothing. */
  #compare(open: readonly string[]): void {
    for (const id of open) if (!this.#open.has(id)) this.#parts.onStray(id);
  }
}

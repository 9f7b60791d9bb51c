import type { BeatAnswer, GatewayLedger, RefusedKey } from '../../ledger/gateway-ledger.ts';
import { COMPILED_SCHEMA } from '../../policy/core/compiled-policy.ts';
import type { Settler } from './settler.ts';

/** Time between two beats, a small part of a lease. Milliseconds. */
const BEAT_MS = 1_000;
/** One beat in so many also sweeps the leases of silent gateways. */
const SWEEP_EVERY = 5;

export type BeatOutcome = BeatAnswer['kind'] | 'unreachable';

interface Parts {
  readonly ledger: GatewayLedger;
  readonly pod: string;
  readonly shards: () => Readonly<Record<string, number>>;
  /** As in `GatewayReport`. */
  readonly refusedKeys: () => readonly RefusedKey[];
  readonly newId: () => string;
  readonly openCalls: ReadonlySet<string>;
  readonly settler: Pick<Settler, 'release'>;
  readonly listeners: readonly BeatListener[];
}

/** Is told how each beat was answered. */
export interface BeatListener {
  /** `error`: where there was no answer. */
  onBeat(outcome: BeatOutcome, error?: unknown): void;
}

/** Keeps all leases of this gateway alive: one incarnation with one heartbeat. */
export class Heartbeat {
  readonly #parts: Parts;
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> | null = null;
  #isBehind = false;
  #beats = 0;
  #isStopped = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    parts.ledger.begin(parts.newId());
  }

  /**
   * Beats at once and then every second; once more if a beat was under way, since what it reports may have changed.
   * Afterwards the ledger knows this gateway, unless it is out of reach. Never rejects.
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

  /** Takes the gateway off the ledger's list. No call of it may be open. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#beating;
    await this.#parts.ledger.leave().catch(() => undefined); // then the list drops the gateway after one lease
  }

  async #run(): Promise<void> {
    do {
      this.#isBehind = false;
      await this.#once().then(
        (outcome) => this.#tell(outcome),
        (error: unknown) => this.#tell('unreachable', error),
      );
    } while (this.#isBehind && !this.#isStopped);
    this.#beating = null;
    if (!this.#isStopped) this.#timer = setTimeout(() => void this.beat(), BEAT_MS);
  }

  async #once(): Promise<BeatOutcome> {
    const { ledger, pod, shards, refusedKeys, newId } = this.#parts;
    const refused = refusedKeys();
    const report = { pod, shards: shards(), schema: COMPILED_SCHEMA };
    const answer = await ledger.beat(refused.length === 0 ? report : { ...report, refusedKeys: refused });
    if (answer.kind === 'alive') this.#releaseUnsent(answer.open);
    if (answer.kind === 'swept') {
      ledger.begin(newId());
      this.#isBehind = true;
    }
    this.#beats += 1;
    if (this.#beats % SWEEP_EVERY === 0) await ledger.sweep();
    return answer.kind;
  }

  /** Releases the leases that no open call has: never sent, or ended since, where a second release changes nothing. */
  #releaseUnsent(leases: readonly string[]): void {
    const { openCalls, settler } = this.#parts;
    for (const id of leases) if (!openCalls.has(id)) void settler.release(id);
  }

  #tell(outcome: BeatOutcome, error?: unknown): void {
    for (const listener of this.#parts.listeners) listener.onBeat(outcome, error);
  }
}

import type { KubeClient } from '../kube/client.ts';
import type { LedgerState, LostReason, OperatorLedger } from '../ledger/ledger.ts';
import { type ConfigMap, configMaps } from './resources.ts';

/** What the operator remembers of the ledger, outside of it. */
interface Memory {
  readonly epoch: string | null;
  /** The highest sequence seen in the epoch, now and then; 0 until the ledger was seen with the epoch. */
  readonly sequence: number;
  readonly lost: LostReason | null;
}

interface EpochOptions {
  readonly client: Pick<KubeClient, 'merge'>;
  readonly ledger: Pick<OperatorLedger, 'establish'>;
  /** The ConfigMap, from the cache. */
  readonly memory: () => ConfigMap | undefined;
  readonly newEpoch: () => string;
  /** The epoch that gateways may use is another one now, or null. */
  readonly onChange: () => void;
  readonly onLost: (reason: LostReason, memory: ConfigMap) => void;
  readonly onEstablished: (memory: ConfigMap) => void;
}

/** A person sets it, to say that the ledger may go on as it is. */
const CONFIRM = 'tollgate.dev/confirm-ledger';
/** How often the sequence is written down, in milliseconds of the ledger's time. */
const REMEMBER_MS = 30_000;

/**
 * Whether the ledger is the one that it was. Its epoch is written down before it goes into the ledger, so a ledger
 * that comes back empty, with another epoch or with a lower sequence is known to have lost money. Then no epoch is
 * published, no gateway admits anything, and a new epoch begins only when a person has confirmed it.
 */
export class Epoch {
  readonly #options: EpochOptions;
  #highest = 0;
  #rememberedAt = 0;
  #published: string | null = null;
  #announced: LostReason | null = null;

  constructor(options: EpochOptions) {
    this.#options = options;
  }

  /** What the gateways may use; null while none is established or the ledger is lost. */
  get current(): string | null {
    const { epoch, lost } = read(this.#options.memory());
    return lost === null ? epoch : null;
  }

  /** What the ledger was expected to hold: also while it is lost. */
  get expected(): string | null {
    return read(this.#options.memory()).epoch;
  }

  get lost(): LostReason | null {
    return read(this.#options.memory()).lost;
  }

  /** Compares the ledger with the memory and does the one step that is due. Call it again and again. */
  async check(state: LedgerState): Promise<void> {
    const object = this.#options.memory();
    if (object === undefined) return; // the manifests of the installation bring it
    const memory = read(object);
    if (memory.lost !== null) await this.#await(object, memory.lost);
    else if (memory.epoch === null) await this.#begin(object, state);
    else await this.#compare(object, memory, memory.epoch, state);
    if (this.#published === this.current) return;
    this.#published = this.current;
    this.#options.onChange();
  }

  /** The first of all: a ledger that another installation of this name filled is kept with what it holds. */
  async #begin(object: ConfigMap, state: LedgerState): Promise<void> {
    await this.#remember(object, { epoch: state.epoch ?? this.#options.newEpoch(), sequence: 0, lost: null });
  }

  async #compare(object: ConfigMap, memory: Memory, epoch: string, state: LedgerState): Promise<void> {
    if (memory.sequence === 0 && state.epoch !== epoch) {
      await this.#options.ledger.establish(epoch);
      this.#options.onEstablished(object);
      return;
    }
    const lost = this.#lostReason(memory, state);
    this.#highest = Math.max(this.#highest, state.sequence);
    if (lost !== null) {
      await this.#remember(object, { ...memory, lost });
      this.#announce(lost, object);
    } else if (memory.sequence === 0 || state.now - this.#rememberedAt >= REMEMBER_MS) {
      this.#rememberedAt = state.now;
      if (state.sequence > memory.sequence) await this.#remember(object, { ...memory, sequence: state.sequence });
    }
  }

  #lostReason({ epoch }: Memory, state: LedgerState): LostReason | null {
    if (state.epoch === null) return 'empty';
    if (state.epoch !== epoch) return 'otherEpoch';
    return null;
  }

  /** Waits for the person. The new epoch is written down as one that the ledger was not seen with yet. */
  async #await(object: ConfigMap, lost: LostReason): Promise<void> {
    this.#announce(lost, object);
    if (object.metadata.annotations?.[CONFIRM] === undefined) return;
    await this.#remember(object, { epoch: this.#options.newEpoch(), sequence: 0, lost: null });
    this.#highest = 0;
    this.#announced = null;
  }

  #announce(reason: LostReason, object: ConfigMap): void {
    if (this.#announced !== reason) this.#options.onLost(reason, object);
    this.#announced = reason;
  }

  async #remember({ metadata }: ConfigMap, { epoch, sequence, lost }: Memory): Promise<void> {
    await this.#options.client.merge<ConfigMap>(configMaps, metadata, {
      metadata: { resourceVersion: metadata.resourceVersion, annotations: { [CONFIRM]: null } },
      data: { epoch, sequence: String(sequence), lost },
    });
  }
}

function read(object: ConfigMap | undefined): Memory {
  const { epoch, sequence, lost } = object?.data ?? {};
  return { epoch: epoch ?? null, sequence: Number(sequence ?? 0), lost: (lost ?? null) as LostReason | null };
}

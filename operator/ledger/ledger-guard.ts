import type { KubeClient } from '../../kube/client.ts';
import { LEASE_MS, type LedgerState, type LostReason, type OperatorLedger } from '../../ledger/ledger.ts';
import type { ConfigMap } from '../cluster/kube-kinds.ts';
import { isConfirmed, type LedgerCheckpoint, readCheckpoint, writeCheckpoint } from './ledger-checkpoint.ts';
import type { Rebuild } from './rebuild.ts';
import { SequenceHistory } from './sequence-history.ts';

interface EpochOptions {
  readonly client: Pick<KubeClient, 'merge'>;
  readonly ledger: Pick<OperatorLedger, 'establish' | 'beginRebuild' | 'resume'>;
  readonly rebuild: Pick<Rebuild, 'note' | 'advance' | 'hasMore'>;
  readonly raiseFences: () => Promise<void>;
  /** The ConfigMap, from the cache. */
  readonly memory: () => ConfigMap | undefined;
  readonly newEpoch: () => string;
  /** The epoch that gateways may use is another one now, or null. */
  readonly onChange: () => void;
  readonly tell: LedgerNews;
}

/** What people are told of the ledger. */
export interface LedgerNews {
  established(memory: ConfigMap): void;
  lost(reason: LostReason, memory: ConfigMap): void;
  /** `reason`: what the gateways cannot restore by themselves, or null. */
  recovering(reason: string | null, memory: ConfigMap): void;
  recovered(how: 'Replayed' | 'Rebuilt' | 'Confirmed', elapsedMs: number, memory: ConfigMap): void;
}

/** Whether what the ledger holds may be believed. `Doubtful`: it may be about to recover, or was not looked at yet. */
export type LedgerSoundness = 'Sound' | 'Doubtful' | 'Recovering' | 'Lost';

/** How often the sequence is written down, in milliseconds of the ledger's time. */
const REMEMBER_MS = 30_000;
/** How often a log that may be out of reach is asked what was spent before. Milliseconds of the ledger's time. */
const ASK_MS = 2_000;

/**
 * Judges whether the ledger is the one that it was. Its epoch is written down before it goes into the ledger, and now
 * and then how far it has come; so one that comes back empty or older is known to have lost money. It is then rebuilt.
 * With another epoch it is another installation's: no epoch is published and no gateway admits anything until a person
 * has confirmed it, and a new epoch begins.
 */
export class LedgerGuard {
  readonly #options: EpochOptions;
  /** In what was lost longer than a lease ago gateways may have come and gone. */
  readonly #hindsight = new SequenceHistory(LEASE_MS);
  #soundness: Exclude<LedgerSoundness, 'Lost'> = 'Doubtful';
  #rememberedAt = 0;
  #askedAt = 0;
  /** When the last recovery ended that this leader has seen. Milliseconds of the ledger's time. */
  #endedAt = 0;
  #published: string | null = null;
  #announced: LostReason | null = null;
  /** The recovery that was told of: when it began, and for what. */
  #told: { readonly since: number; readonly deep: string | null } | null = null;

  constructor(options: EpochOptions) {
    this.#options = options;
  }

  /** What the gateways may use; null while none is established or the ledger is another one. */
  get current(): string | null {
    const { epoch, lost } = readCheckpoint(this.#options.memory());
    return lost === null ? epoch : null;
  }

  /** What the ledger was expected to hold: also while it is lost. */
  get expected(): string | null {
    return readCheckpoint(this.#options.memory()).epoch;
  }

  /** As of the last check. */
  get soundness(): LedgerSoundness {
    return readCheckpoint(this.#options.memory()).lost === null ? this.#soundness : 'Lost';
  }

  /** This replica begins to lead: what it saw when it last did is another leader's history. */
  begin(): void {
    this.#hindsight.forget();
    this.#soundness = 'Doubtful';
    this.#told = null;
  }

  /** Compares the ledger with the memory and does the one step that is due. Call it again and again. */
  async check(state: LedgerState): Promise<void> {
    this.#soundness = 'Doubtful';
    const object = this.#options.memory();
    if (object === undefined) return; // the manifests of the installation bring it
    const memory = readCheckpoint(object);
    if (memory.lost !== null) await this.#await(object, memory.lost);
    else if (memory.epoch === null) await this.#begin(object, state);
    else await this.#compare(object, memory, memory.epoch, state);
    if (this.#published === this.current) return;
    this.#published = this.current;
    this.#options.onChange();
  }

  /** The first of all: a ledger that another installation of this name filled is kept with what it holds. */
  async #begin(object: ConfigMap, state: LedgerState): Promise<void> {
    const epoch = state.epoch ?? this.#options.newEpoch();
    await this.#remember(object, { epoch, sequence: 0, at: 0, lost: null });
  }

  async #compare(object: ConfigMap, memory: LedgerCheckpoint, epoch: string, state: LedgerState): Promise<void> {
    const { ledger } = this.#options;
    if (memory.sequence === 0 && state.epoch !== epoch) {
      await this.#establish(object, epoch, state);
    } else if (state.epoch !== null && state.epoch !== epoch) {
      await this.#remember(object, { ...memory, lost: 'otherEpoch' });
      this.#announce('otherEpoch', object);
    } else if (this.#needsRebuild(memory, state)) {
      await ledger.beginRebuild(epoch);
    } else if (state.recovering !== null) {
      await this.#recover(object, state, state.recovering);
    } else {
      await this.#followOn(object, memory, state);
    }
  }

  /** Of an installation that was made anew the log and the statuses may be left, and they are no less true for it. */
  async #establish(object: ConfigMap, epoch: string, state: LedgerState): Promise<void> {
    const { ledger, rebuild, tell } = this.#options;
    if (state.now - this.#askedAt < ASK_MS) return;
    this.#askedAt = state.now;
    if (state.epoch === null && (await rebuild.hasMore(state.now))) {
      await ledger.beginRebuild(epoch);
    } else {
      await ledger.establish(epoch);
      tell.established(object);
    }
  }

  /** Empty, or without what was seen so long ago that no gateway remembers it. */
  #needsRebuild({ sequence, at }: LedgerCheckpoint, { epoch, now, recovering, ...state }: LedgerState): boolean {
    if (epoch === null) return true;
    if (recovering !== null && recovering.deep !== null) return false;
    const instant = recovering?.since ?? now;
    // What was written down before a recovery that has ended is another history.
    const written = at > this.#endedAt && at <= instant - LEASE_MS ? sequence : 0;
    return state.sequence < Math.max(written, this.#hindsight.longBefore(instant));
  }

  async #recover(object: ConfigMap, state: LedgerState, { since, deep }: NonNullable<LedgerState['recovering']>) {
    const { ledger, rebuild, raiseFences, tell } = this.#options;
    this.#soundness = 'Recovering';
    if (this.#told?.since !== since || this.#told.deep !== deep) tell.recovering(deep, object);
    this.#told = { since, deep };
    if (isConfirmed(object)) {
      await raiseFences();
      if (await ledger.resume(since)) this.#end(object, 'Confirmed', state.now);
    } else if (deep !== null && (await rebuild.advance(state))) {
      this.#end(object, 'Rebuilt', state.now);
    }
  }

  #end(object: ConfigMap, how: 'Replayed' | 'Rebuilt' | 'Confirmed', now: number): void {
    if (this.#told !== null) this.#options.tell.recovered(how, now - this.#told.since, object);
    this.#told = null;
    this.#endedAt = now;
    this.#rememberedAt = 0;
    this.#hindsight.forget();
  }

  async #followOn(object: ConfigMap, memory: LedgerCheckpoint, state: LedgerState): Promise<void> {
    const { now, sequence } = state;
    if (this.#told !== null) this.#end(object, 'Replayed', now);
    // Lower than just now, and nobody has noticed yet: the next heartbeat will.
    if (sequence < this.#hindsight.highest) return;
    this.#soundness = 'Sound';
    this.#options.rebuild.note();
    this.#hindsight.note({ at: now, sequence });
    if (memory.sequence !== 0 && now - this.#rememberedAt < REMEMBER_MS && !isConfirmed(object)) return;
    if (sequence !== memory.sequence || isConfirmed(object))
      await this.#remember(object, { ...memory, sequence, at: now });
    this.#rememberedAt = now;
  }

  /** Waits for the person. The new epoch is written down as one that the ledger was not seen with yet. */
  async #await(object: ConfigMap, lost: LostReason): Promise<void> {
    this.#announce(lost, object);
    if (!isConfirmed(object)) return;
    await this.#remember(object, { epoch: this.#options.newEpoch(), sequence: 0, at: 0, lost: null });
    this.#hindsight.forget();
    this.#announced = null;
  }

  #announce(reason: LostReason, object: ConfigMap): void {
    if (this.#announced !== reason) this.#options.tell.lost(reason, object);
    this.#announced = reason;
  }

  #remember(object: ConfigMap, memory: LedgerCheckpoint): Promise<void> {
    return writeCheckpoint(this.#options.client, object, memory);
  }
}

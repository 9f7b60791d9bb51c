import type { ConfigMap } from '../../kube/kinds.ts';
import { LEASE_MS } from '../../ledger/durations.ts';
import type { LedgerState, LostReason } from '../../ledger/ledger.ts';
import type { OperatorLedger } from '../../ledger/operator-ledger.ts';
import type { OperatorEvents, RecoveredBy } from '../events/operator-events.ts';
import { type Checkpoint, type CheckpointStore, isConfirmed } from './checkpoint.ts';
import type { Rebuild, RebuildOptions } from './rebuild.ts';
import { SequenceHistory } from './sequence-history.ts';

interface GuardOptions {
  readonly ledger: Pick<OperatorLedger, 'establish' | 'beginRebuild' | 'resume'>;
  readonly checkpoints: Pick<CheckpointStore, 'object' | 'current' | 'usableEpoch' | 'save'>;
  readonly rebuild: Pick<Rebuild, 'noteGateways' | 'advance' | 'hasMore'>;
  readonly policy: RebuildOptions['policy'];
  readonly queues: { addPolicy(): void };
  readonly events: Pick<OperatorEvents, 'ledgerEstablished' | 'ledgerLost' | 'ledgerRecovering' | 'ledgerRecovered'>;
  readonly newEpoch: () => string;
}

/** Whether the ledger's figures may be published. `Unknown`: not checked yet, or a recovery may be about to begin. */
export type LedgerHealth = 'Healthy' | 'Unknown' | 'Recovering' | 'Lost';

/** How often the sequence is saved, in milliseconds of the ledger's time. */
const SAVE_MS = 30_000;
/** How often an empty ledger is tried to be established, as the usage log may be out of reach. Milliseconds of the ledger's time. */
const ESTABLISH_MS = 2_000;

/**
 * Checks that the ledger has lost nothing. Its epoch is saved in the checkpoint before it goes into the ledger, and its
 * sequence now and then. A ledger that comes back empty or with a lower sequence has lost money and is rebuilt. A
 * ledger with another epoch belongs to another installation: no epoch is published, so no gateway admits anything,
 * until a person has confirmed it and a new epoch begins.
 */
export class LedgerGuard {
  readonly #options: GuardOptions;
  /** Reaches back one lease: a gateway without a heartbeat for longer may be gone, and its replay log with it. */
  readonly #history = new SequenceHistory(LEASE_MS);
  #health: Exclude<LedgerHealth, 'Lost'> = 'Unknown';
  /** When the sequence was last saved, an establishment last tried, and a recovery last ended; by the ledger's time. */
  #savedAt = 0;
  #establishTriedAt = 0;
  #recoveryEndedAt = 0;
  #publishedEpoch: string | null = null;
  #announcedLoss: LostReason | null = null;
  #announcedRecovery: { readonly since: number; readonly deep: string | null } | null = null;

  constructor(options: GuardOptions) {
    this.#options = options;
  }

  /** As of the last check. */
  get health(): LedgerHealth {
    return this.#options.checkpoints.current.lost === null ? this.#health : 'Lost';
  }

  /** Forgets what was seen: a replica that begins to lead does not know what happened under other leaders. */
  reset(): void {
    this.#history.clear();
    this.#health = 'Unknown';
    this.#announcedRecovery = null;
  }

  /** Compares the ledger with the checkpoint and takes the one step that is due. Throws LedgerUnreachable, LogUnreachable or a KubeError. */
  async check(state: LedgerState): Promise<void> {
    const { checkpoints, queues } = this.#options;
    this.#health = 'Unknown';
    const { object, current } = checkpoints;
    if (object === undefined) return; // the manifests of the installation bring it
    if (current.lost !== null) await this.#awaitConfirmation(object, current.lost);
    else if (current.epoch === null) await this.#chooseEpoch(object, state);
    else await this.#compare(object, current, current.epoch, state);
    if (this.#publishedEpoch === checkpoints.usableEpoch) return;
    this.#publishedEpoch = checkpoints.usableEpoch;
    queues.addPolicy();
  }

  /** Keeps the epoch of a ledger that an earlier installation of the same name has filled. */
  async #chooseEpoch(object: ConfigMap, state: LedgerState): Promise<void> {
    const { checkpoints, newEpoch } = this.#options;
    await checkpoints.save(object, { epoch: state.epoch ?? newEpoch(), sequence: 0, at: 0, lost: null });
  }

  async #compare(object: ConfigMap, checkpoint: Checkpoint, epoch: string, state: LedgerState): Promise<void> {
    const { ledger, checkpoints } = this.#options;
    if (checkpoint.sequence === 0 && state.epoch !== epoch) {
      await this.#establish(object, epoch, state);
    } else if (state.epoch !== null && state.epoch !== epoch) {
      await checkpoints.save(object, { ...checkpoint, lost: 'otherEpoch' });
      this.#announceLoss('otherEpoch', object);
    } else if (this.#needsRebuild(checkpoint, state)) {
      await ledger.beginRebuild(epoch);
    } else if (state.recovering !== null) {
      await this.#recover(object, state, state.recovering);
    } else {
      await this.#follow(object, checkpoint, state);
    }
  }

  /** The usage log and the statuses of an earlier installation still count: an empty ledger is then rebuilt from them. */
  async #establish(object: ConfigMap, epoch: string, state: LedgerState): Promise<void> {
    const { ledger, rebuild, events } = this.#options;
    if (state.now - this.#establishTriedAt < ESTABLISH_MS) return;
    this.#establishTriedAt = state.now;
    if (state.epoch === null && (await rebuild.hasMore(state.now))) {
      await ledger.beginRebuild(epoch);
    } else {
      await ledger.establish(epoch);
      events.ledgerEstablished(object);
    }
  }

  /** Whether the ledger is empty, or lacks changes that no gateway can replay because they were seen too long ago. */
  #needsRebuild({ sequence, at }: Checkpoint, { epoch, now, recovering, ...state }: LedgerState): boolean {
    if (epoch === null) return true;
    if (recovering !== null && recovering.deep !== null) return false;
    const instant = recovering?.since ?? now;
    // A checkpoint that is older than the last recovery is about another timeline.
    const saved = at > this.#recoveryEndedAt && at <= instant - LEASE_MS ? sequence : 0;
    return state.sequence < Math.max(saved, this.#history.highestLongBefore(instant));
  }

  async #recover(object: ConfigMap, state: LedgerState, { since, deep }: NonNullable<LedgerState['recovering']>) {
    const { ledger, rebuild, policy, events } = this.#options;
    this.#health = 'Recovering';
    if (this.#announcedRecovery?.since !== since || this.#announcedRecovery.deep !== deep) {
      events.ledgerRecovering(deep, object);
    }
    this.#announcedRecovery = { since, deep };
    if (isConfirmed(object)) {
      await policy.reconcile();
      if (await ledger.resume(since)) this.#endRecovery(object, 'Confirmed', state.now);
    } else if (deep !== null && (await rebuild.advance(state))) {
      this.#endRecovery(object, 'Rebuilt', state.now);
    }
  }

  #endRecovery(object: ConfigMap, how: RecoveredBy, now: number): void {
    if (this.#announcedRecovery !== null) {
      this.#options.events.ledgerRecovered(how, now - this.#announcedRecovery.since, object);
    }
    this.#announcedRecovery = null;
    this.#recoveryEndedAt = now;
    this.#savedAt = 0;
    this.#history.clear();
  }

  /** Records the sequence of a ledger that has lost nothing. */
  async #follow(object: ConfigMap, checkpoint: Checkpoint, { now, sequence }: LedgerState): Promise<void> {
    if (this.#announcedRecovery !== null) this.#endRecovery(object, 'Replayed', now);
    // Redis has lost changes, and the next heartbeat of a gateway begins the recovery.
    if (sequence < this.#history.highest) return;
    this.#health = 'Healthy';
    this.#options.rebuild.noteGateways();
    this.#history.add({ at: now, sequence });
    if (checkpoint.sequence !== 0 && now - this.#savedAt < SAVE_MS && !isConfirmed(object)) return;
    if (sequence !== checkpoint.sequence || isConfirmed(object)) {
      await this.#options.checkpoints.save(object, { ...checkpoint, sequence, at: now });
    }
    this.#savedAt = now;
  }

  /** After the confirmation the checkpoint has a new epoch and sequence 0, so that the ledger is established with it. */
  async #awaitConfirmation(object: ConfigMap, lost: LostReason): Promise<void> {
    const { checkpoints, newEpoch } = this.#options;
    this.#announceLoss(lost, object);
    if (!isConfirmed(object)) return;
    await checkpoints.save(object, { epoch: newEpoch(), sequence: 0, at: 0, lost: null });
    this.#history.clear();
    this.#announcedLoss = null;
  }

  #announceLoss(reason: LostReason, object: ConfigMap): void {
    if (this.#announcedLoss !== reason) this.#options.events.ledgerLost(reason, object);
    this.#announcedLoss = reason;
  }
}

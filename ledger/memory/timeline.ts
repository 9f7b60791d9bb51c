import { LEASE_MS, MIN_RECOVERY_MS, REPLAY_TIMEOUT_MS } from '../durations.ts';
import type { LostReason } from '../ledger.ts';
import type { LedgerClient } from '../session/session-position.ts';
import type { JoinRequest } from '../session/transport.ts';
import type { MemoryState } from './state.ts';

/** The numbering of changes, and recoveries: what redis/scripts/shared/ledger.lua, recovery.lua and join-timeline.lua do. */
export class MemoryTimeline {
  readonly #state: MemoryState;
  readonly #clock: () => number;

  /** `clock`: milliseconds since the epoch. */
  constructor(state: MemoryState, clock: () => number) {
    this.#state = state;
    this.#clock = clock;
  }

  /** Why the ledger is lost for a client that expects this epoch; null where it is not. */
  lostReason(epoch: string): LostReason | null {
    if (this.#state.epoch === null) return 'empty';
    return this.#state.epoch === epoch ? null : 'otherEpoch';
  }

  /** Begins a timeline: later changes are numbered from here, whatever numbers a lost history used. */
  begin(): void {
    const state = this.#state;
    state.runId = state.serverRunId;
    state.timeline = `${state.serverRunId}/${(state.timelines += 1)}`;
    state.timelineStart = state.sequence;
    state.recovery.clear();
  }

  /** Begins a recovery: any change may be lost, so every living incarnation is expected to replay its own. */
  beginRecovery(): void {
    const state = this.#state;
    const since = this.#clock();
    this.begin();
    const { deep = null, hadMissing = false } = state.recovering ?? {};
    state.recovering = { since, deep, hadMissing };
    state.sweepPausedUntil = since + LEASE_MS;
    for (const incarnation of state.beats.keys()) state.recovery.set(incarnation, 'expected');
  }

  get isRestarted(): boolean {
    return this.#state.runId !== this.#state.serverRunId;
  }

  /** Begins a recovery if the server was restarted, or lacks a change of the client. */
  detectLoss(client: LedgerClient): void {
    if (this.isRestarted || this.#lacksChange(client)) this.beginRecovery();
  }

  /** A server loses only the end of its log, so a client whose last change is there has lost none. */
  #lacksChange({ incarnation, timeline, lastChange }: LedgerClient): boolean {
    return this.#state.timeline === timeline && (this.lastChangeOf(incarnation) ?? 0) < lastChange;
  }

  /** The number of the incarnation's last change, also after it was unregistered; null where none is known. */
  lastChangeOf(incarnation: string): number | null {
    const { lastChanges, pastLastChanges } = this.#state;
    return lastChanges.get(incarnation) ?? pastLastChanges.get(incarnation) ?? null;
  }

  /** The number of the client's last change if it has joined the timeline, else null. */
  lastChangeIn({ incarnation, timeline }: LedgerClient): number | null {
    return this.#state.timeline === timeline ? this.lastChangeOf(incarnation) : null;
  }

  /** Numbers a change of the ledger's own. */
  count(): void {
    this.#state.sequence += 1;
  }

  /** Numbers a change; null for a client that is not known or has not joined the timeline. */
  number({ incarnation, timeline }: Pick<LedgerClient, 'incarnation' | 'timeline'>): number | null {
    this.count();
    const state = this.#state;
    const numbers = [state.lastChanges, state.pastLastChanges].find((map) => map.has(incarnation));
    if (numbers === undefined || state.timeline !== timeline) return null;
    numbers.set(incarnation, state.sequence);
    return state.sequence;
  }

  /** As `number`; a change that the ledger lacks is noticed before the client gets a higher number. */
  numberChange(client: LedgerClient): number | null {
    if (this.#state.epoch === client.epoch && this.#lacksChange(client)) this.beginRecovery();
    return this.number(client);
  }

  /** A client has replayed its changes. False where its next heartbeat reports that something has changed meanwhile. */
  join(incarnation: string, request: JoinRequest): boolean {
    const state = this.#state;
    const isCurrent = !this.isRestarted && state.lastChanges.has(incarnation);
    if (!isCurrent || state.timeline !== request.timeline) return false;
    const isTooOld = request.deep === '' && request.leaseOldSequence > state.timelineStart;
    const deep = isTooOld ? 'tooOld' : request.deep;
    if (deep !== '') {
      const isRecovering = state.recovering !== null;
      if (!isRecovering) this.beginRecovery();
      this.deepen(deep);
      if (!isRecovering) return false;
    }
    this.#noteReplay(incarnation, request);
    return true;
  }

  #noteReplay(incarnation: string, request: JoinRequest): void {
    const state = this.#state;
    if (state.recovering === null) return;
    const hadMissing = request.hadMissing || request.highestSequence > state.timelineStart;
    if (hadMissing) state.recovering = { ...state.recovering, hadMissing };
    for (const name of [...request.pastIncarnations, incarnation]) state.recovery.set(name, 'replayed');
    for (const peer of request.peers) if (!state.recovery.has(peer)) state.recovery.set(peer, 'expected');
  }

  /** Lets the recovery end only with `resume`; the first reason stays. */
  deepen(reason: string): void {
    const { recovering } = this.#state;
    if (recovering !== null) this.#state.recovering = { ...recovering, deep: recovering.deep ?? reason };
  }

  endIfDue(): void {
    const { recovering } = this.#state;
    if (recovering === null || recovering.deep !== null) return;
    const isExpecting = this.missing.length > 0;
    const waited = this.#clock() - recovering.since;
    if (waited < MIN_RECOVERY_MS || (isExpecting && waited < REPLAY_TIMEOUT_MS)) return;
    if (isExpecting && recovering.hadMissing) this.deepen('silentGateway');
    else this.endRecovery();
  }

  endRecovery(): void {
    this.#state.recovering = null;
    this.#state.recovery.clear();
  }

  /** The incarnations that have not replayed their changes yet. */
  get missing(): string[] {
    const expected = [...this.#state.recovery].filter(([, status]) => status === 'expected');
    return expected.map(([incarnation]) => incarnation).toSorted();
  }
}

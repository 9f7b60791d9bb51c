import type { GatewayReport, SessionlessOperations } from '../gateway-ledger.ts';
import type { LostReason } from '../ledger.ts';
import type { Reservation, ReserveAnswer, SettleAnswer } from '../reservation.ts';
import type { LedgerChange } from './ledger-change.ts';
import type { LedgerClient } from './session-position.ts';

/** `sequence`: the number of the reservation in the client's timeline; null where nothing was reserved or numbered. */
export interface ReserveReply {
  readonly answer: ReserveAnswer;
  readonly sequence: number | null;
}

/** `maybeLost`: an unknown call that may be lost. `sequence`: the number of the change in the timeline, or null. */
export interface ChangeReply {
  readonly answer: SettleAnswer | 'maybeLost';
  readonly sequence: number | null;
}

/** A heartbeat that was counted: the incarnation lives. */
export interface LivingReply {
  readonly kind: 'alive' | 'recovering';
  /** The ledger's clock. Milliseconds since the epoch. */
  readonly now: number;
  readonly timeline: string;
  /** The number of the incarnation's last change that the ledger has; 0 where it knows none. */
  readonly lastChange: number;
  /** The sequence at which the timeline began, and the present one. */
  readonly timelineStart: number;
  readonly sequence: number;
  /** The ids of the incarnation's reservations. */
  readonly open: readonly string[];
  /** All living incarnations. */
  readonly incarnations: readonly string[];
}

export type BeatReply =
  | LivingReply
  | { readonly kind: 'swept' }
  | { readonly kind: 'lost'; readonly reason: LostReason };

/** A client's claim that it has replayed to a timeline all that the ledger may have lost. */
export interface JoinRequest {
  readonly timeline: string;
  /** Whether the ledger lacked a change of this client. */
  readonly hadMissing: boolean;
  /** The highest sequence that the client ever saw, and the highest that it saw a lease before its last heartbeat. */
  readonly highestSequence: number;
  readonly leaseOldSequence: number;
  /** Why the client could not replay all that may be missing, or ''. */
  readonly deep: string;
  readonly pastIncarnations: readonly string[];
  readonly peers: readonly string[];
}

/** `again`: the ledger has changed meanwhile in a way that the next heartbeat reports. */
export type JoinReply =
  | { readonly kind: 'alive' | 'recovering'; readonly sequence: number }
  | { readonly kind: 'again' }
  | { readonly kind: 'lost'; readonly reason: LostReason };

/** How a session reaches a ledger. Each operation is one indivisible step. */
export interface Transport extends SessionlessOperations {
  reserve(client: LedgerClient, reservation: Reservation): Promise<ReserveReply>;
  /** `holder`: the incarnation that reserved the call. */
  apply(client: LedgerClient, holder: string, change: LedgerChange): Promise<ChangeReply>;
  /** `successor`: the incarnation whose first heartbeat this is, or ''. */
  beat(client: LedgerClient, successor: string, report: GatewayReport): Promise<BeatReply>;
  join(client: LedgerClient, request: JoinRequest): Promise<JoinReply>;
  /** As `GatewayLedger.leave`. */
  leave(incarnation: string): Promise<void>;
}

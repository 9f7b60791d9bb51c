import type { ServerResponse } from 'node:http';
import type { GatewayLedger, Reservation } from '../../ledger/ledger.ts';
import { budgetRefusal } from '../../policy/admit/budget-refusal.ts';
import { type PlannedCall, type Call, type Plan, plan } from '../../policy/admit/plan.ts';
import type { Settings } from '../../policy/config/settings.ts';
import { refOf } from '../../policy/core/compiled-policy.ts';
import type { Check, Failure } from '../../policy/core/counter-check.ts';
import type { Refusal } from '../../policy/core/refusals.ts';
import { refusalFor } from '../http/send-refusal.ts';
import type { PolicySource } from '../policy/active-policy.ts';
import type { Heartbeat } from './heartbeat.ts';
import type { LedgerOutage } from './ledger-outage.ts';
import { queueKeyOf } from './queue-keys.ts';
import { ReserveRetry, type Said } from './reserve-retry.ts';
import type { WaitQueue } from './wait-queue.ts';

/** A call whose worst cost is reserved in every budget that governs it. */
export interface Admitted {
  readonly call: Call;
  readonly admission: PlannedCall;
  readonly reservation: Reservation;
  /** The ledger's clock. Milliseconds. */
  readonly at: number;
  /** Of each check's counter, with this reservation. Nano-dollars. Null where the ledger was not there to say. */
  readonly committedNano: readonly bigint[] | null;
}

/** What a call needs to be reserved, and planned anew where the policy or the period has moved on. */
export interface Candidate {
  readonly id: string;
  readonly keyHash: string;
  readonly call: Call;
  readonly res: ServerResponse;
  /** Asks the upstream how many tokens the prompt has; null where it does not say. Never rejects. */
  readonly count: () => Promise<number | null>;
  /** How it is planned, where it is more than the one call. `at` in milliseconds. */
  readonly plan?: (call: Call, at: number) => Plan | Promise<Plan>;
}

/** What an attempt is made with. */
export interface AttemptParts {
  readonly ledger: GatewayLedger;
  readonly policy: PolicySource;
  readonly lifeline: Heartbeat;
  readonly waiting: WaitQueue;
  readonly outage: LedgerOutage;
  readonly settings: Settings;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** A clock that never jumps, for how long a call waits. Milliseconds. */
  readonly elapsed: () => number;
}

type Answer = Said | { readonly kind: 'counted' };

/** One call on its way to a reservation. */
export class Admission {
  #isCounted = false;
  readonly #parts: AttemptParts;
  readonly #candidate: Candidate;
  readonly #inquiry: ReserveRetry;
  readonly #deadline: number;
  #call: Call;
  #at: number;

  constructor(parts: AttemptParts, candidate: Candidate) {
    this.#parts = parts;
    this.#candidate = candidate;
    this.#call = candidate.call;
    this.#at = parts.now();
    this.#deadline = parts.elapsed() + parts.settings.waitSeconds * 1000;
    this.#inquiry = new ReserveRetry({ ...parts, res: candidate.res, timeLeft: () => this.#timeLeft });
  }

  /** Whether a reservation may stand of which the ledger has not told. */
  get isInDoubt(): boolean {
    return this.#inquiry.isInDoubt;
  }

  async run(): Promise<Admitted | Refusal> {
    for (let tries = 1; ; tries++) {
      const planned = await this.#plan();
      if (!planned.ok) return planned.error;
      const outcome = await this.#conclude(planned.value, await this.#admit(planned.value));
      if (outcome !== 'again') return outcome;
      // Who waits for nothing still plans once more: a clock that is wrong is nothing that time mends.
      if (this.#timeLeft === 0 && tries > 1) return refusalFor('PolicyNotReady');
    }
  }

  #plan(): Plan | Promise<Plan> {
    return this.#candidate.plan?.(this.#call, this.#at) ?? plan(this.#call, this.#at, this.#parts.settings);
  }

  get #timeLeft(): number {
    return Math.max(0, this.#deadline - this.#parts.elapsed());
  }

  /** Who comes to a line joins it; else the first try decides whether there is something to wait for. */
  async #admit(admission: PlannedCall): Promise<Answer> {
    const queued = this.#queuedAt(admission);
    const answer: Answer =
      queued === null ? await this.#ask(admission) : { kind: 'full', now: this.#at, failures: [queued] };
    if (answer.kind !== 'full') return answer;
    if (await this.#tighten(admission, answer.failures)) return { kind: 'counted' };
    return isWaiting(answer) ? this.#wait(admission, answer.failures[0]!) : answer;
  }

  /** Where it may be only the cheap bound of the prompt that does not fit, its tokens are counted, once. */
  async #tighten({ facts, checks }: PlannedCall, failures: readonly Failure[]): Promise<boolean> {
    const isOpen = failures.every(({ check, spentNano }) => spentNano < checks[check]!.bound.capNano);
    const isTolerant = checks.every(({ mode, bound }) => mode !== 'Enforce' || bound.gapRoomNano > 0n);
    if (this.#isCounted || !facts.countable || !isOpen || !isTolerant) return false;
    this.#isCounted = true;
    const countedTokens = await this.#candidate.count();
    if (countedTokens === null) return false;
    const call = { ...this.#call, countedTokens };
    const planned = plan(call, this.#at, this.#parts.settings);
    if (!planned.ok || planned.value.checks.some(isTooLoose)) return false;
    this.#call = call;
    return true;
  }

  /** What is exempt from a budget does not queue for it. */
  #queuedAt({ checks }: PlannedCall): Failure | null {
    for (const [check, one] of checks.entries()) {
      if (one.mode !== 'Enforce') continue;
      for (const ofTotal of [false, true]) {
        if (!this.#parts.waiting.isQueued(queueKeyOf(one, ofTotal))) continue;
        return { check, ofTotal, waiting: true, spentNano: 0n, committedNano: 0n };
      }
    }
    return null;
  }

  /** Who is at the head of a line and is held up elsewhere moves there, lest those behind it wait for nothing. */
  async #wait(admission: PlannedCall, blocked: Failure): Promise<Answer> {
    const { waiting, now } = this.#parts;
    const gone = this.#gone();
    let answer: Answer = { kind: 'full', now: now(), failures: [blocked] };
    let hasMoved = true;
    while (hasMoved && isWaiting(answer) && this.#timeLeft > 0) {
      const check = admission.checks[answer.failures[0]!.check]!;
      const line = queueKeyOf(check, answer.failures[0]!.ofTotal);
      hasMoved = await waiting.join(check.counter, line, this.#deadline, gone, async () => {
        answer = await this.#ask(admission);
        return !isBlockedAt(line, answer, admission);
      });
    }
    return answer;
  }

  #ask(admission: PlannedCall): Promise<Said> {
    return this.#inquiry.ask(this.#reservation(admission));
  }

  #reservation({ worstNano, gapNano, from, until, checks }: PlannedCall): Reservation {
    const { workspace } = this.#call.caller;
    const { version } = workspace;
    return {
      id: this.#candidate.id,
      workspace: refOf(workspace),
      version,
      worstNano,
      gapNano,
      from,
      until,
      checks,
    };
  }

  async #conclude(admission: PlannedCall, answer: Answer): Promise<Admitted | Refusal | 'again'> {
    switch (answer.kind) {
      case 'admitted':
        return this.#admitted(admission, answer.now, answer.committedNano);
      case 'full':
        return budgetRefusal(admission, answer.failures, this.#call.caller);
      case 'stale':
        return this.#catchUp(answer.version);
      case 'wrongPeriod':
        this.#at = answer.now;
        return 'again';
      case 'counted':
        return 'again';
      case 'unregistered':
        await this.#parts.lifeline.beat();
        return 'again';
      case 'lost':
        return this.#outlast(refusalFor('LedgerLost'));
      case 'recovering':
        return this.#outlast(refusalFor('LedgerRecovering'));
      case 'unreachable':
        return this.#outlast(refusalFor('LedgerUnreachable'));
      case 'logBehind':
        return refusalFor('UsageStreamFull');
      case 'ended':
        break;
    }
    return refusalFor('LedgerUnreachable');
  }

  /**
   * Where the installation goes on without the ledger, in the period that it is by now, by this gateway's clock. Not for
   * a batch: what it costs could not be followed.
   */
  async #outlast(refusal: Refusal): Promise<Admitted | Refusal> {
    const { outage, now, settings } = this.#parts;
    if (!outage.isOpen || this.#candidate.plan !== undefined || this.#candidate.res.destroyed) return refusal;
    const at = now();
    const planned = plan(this.#call, at, settings);
    if (!planned.ok) return planned.error;
    const admitted = this.#admitted(planned.value, at, null);
    return (await outage.admit(admitted.reservation)) ? admitted : refusal;
  }

  #admitted(admission: PlannedCall, at: number, committedNano: Admitted['committedNano']): Admitted {
    return { call: this.#call, admission, reservation: this.#reservation(admission), at, committedNano };
  }

  /** The key may mean something else at the newer version, or nothing. */
  async #catchUp(version: number): Promise<Refusal | 'again'> {
    const { policy } = this.#parts;
    const { caller } = this.#call;
    const reached = await policy.reached(refOf(caller.workspace), version, this.#timeLeft);
    const now = policy.find(this.#candidate.keyHash);
    if (now === null) return refusalFor('UnknownKey');
    if (!reached) return refusalFor('PolicyNotReady');
    this.#call = { ...this.#call, caller: now };
    return 'again';
  }

  #gone(): AbortSignal {
    const gone = new AbortController();
    const { res } = this.#candidate;
    if (res.destroyed) gone.abort();
    else res.once('close', () => gone.abort());
    return gone.signal;
  }
}

function isWaiting(answer: Answer): answer is Extract<Said, { kind: 'full' }> {
  return answer.kind === 'full' && answer.failures.every((failure) => failure.waiting);
}

/** The count could be wrong by more than the budget tolerates at all. */
function isTooLoose({ mode, bound }: Check): boolean {
  return mode === 'Enforce' && bound.gapRoomNano < 0n;
}

function isBlockedAt(line: string, answer: Answer, { checks }: PlannedCall): boolean {
  return (
    isWaiting(answer) && answer.failures.some(({ check, ofTotal }) => queueKeyOf(checks[check]!, ofTotal) === line)
  );
}

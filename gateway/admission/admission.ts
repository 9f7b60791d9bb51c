import { setTimeout as sleep } from 'node:timers/promises';
import type { GatewayLedger } from '../../ledger/gateway-ledger.ts';
import { LedgerUnreachable } from '../../ledger/ledger.ts';
import { isInconclusive, type Reservation, type ReserveAnswer } from '../../ledger/reservation.ts';
import { budgetRefusal } from '../../policy/admit/budget-refusal.ts';
import type { CallPlan, Plan } from '../../policy/admit/plan.ts';
import type { Settings } from '../../policy/config/settings.ts';
import { type Ref, refOf } from '../../policy/core/compiled-policy.ts';
import type { Check, Failure } from '../../policy/core/counter-check.ts';
import { type Err, err, type Ok, ok, type Result } from '../../policy/core/result.ts';
import { isCountable } from '../../policy/cost/worst-cost.ts';
import { type Refusal, refusalFor } from '../../policy/refusals/refusals.ts';
import type { AdmittedCall, Clocks, ReadCall } from '../http/call.ts';
import type { PolicySource } from '../policy/active-policy.ts';
import type { Heartbeat } from './heartbeat.ts';
import type { LedgerOutage } from './ledger-outage.ts';
import { planToReservation } from './plan-to-reservation.ts';
import type { Settler } from './settler.ts';
import type { KnownSpent, SpentCounters } from './spent-counters.ts';
import { queuedFailure, queueOfFailure, type WaitQueue } from './wait-queue.ts';

interface Parts extends Clocks {
  readonly ledger: Pick<GatewayLedger, 'reserve'>;
  readonly policy: PolicySource;
  /** A call joins it before its reserve is sent. */
  readonly openCalls: Set<string>;
  readonly heartbeat: Pick<Heartbeat, 'beat'>;
  readonly settler: Pick<Settler, 'release'>;
  readonly waitQueue: WaitQueue;
  readonly spentCounters: SpentCounters;
  /** Counts calls that are refused as spent without asking the ledger, which counts all others itself. */
  readonly refusalCounter: { countUnasked(workspace: Ref, checks: readonly Check[]): void };
  readonly outage: LedgerOutage;
  readonly settings: Pick<Settings, 'waitSeconds'>;
}

/** How the calls of an endpoint are planned. */
export interface Planner<C extends ReadCall> {
  /** `at` in milliseconds. `countedTokens`: how many tokens the upstream counts in the prompt, null if not asked. */
  plan(call: C, at: number, countedTokens: number | null): Plan | Promise<Plan>;
  /** Asks the upstream how many tokens the prompt has. Null where it does not say. Never rejects. */
  countTokens(call: C): Promise<number | null>;
  /** Whether a call may be sent unchecked while Redis is out of reach (`ledgerLoss: Open`). */
  readonly mayGoUnchecked: boolean;
}

/** How soon the ledger is asked again when it did not answer, or recovers. Milliseconds. */
const RETRY_MS = 250;

/** Plans calls and reserves their worst case in the ledger (docs/explanation/reservation.md). */
export class Admission {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Admits or refuses a call. A caller that leaves meanwhile may be admitted all the same: check before forwarding. */
  async admit<C extends ReadCall>(call: C, planner: Planner<C>): Promise<Result<C & AdmittedCall, Refusal>> {
    const { openCalls, settler } = this.#parts;
    const attempt = new Attempt(this.#parts, call, planner);
    let isAdmitted = false;
    openCalls.add(call.id);
    try {
      const outcome = await attempt.run();
      isAdmitted = outcome.ok;
      return outcome;
    } finally {
      if (!isAdmitted && attempt.isInDoubt) void settler.release(call.id);
      else if (!isAdmitted) openCalls.delete(call.id);
    }
  }
}

/** The answer to a reserve; `unreachable`: there was none; `counted`: there is a tighter plan to reserve. */
type Answer = ReserveAnswer | { readonly kind: 'unreachable' } | { readonly kind: 'counted' };

/** The admission of one call, from its plan to its reservation. */
class Attempt<C extends ReadCall> {
  readonly #parts: Parts;
  readonly #call: C;
  readonly #planner: Planner<C>;
  readonly #deadline: number;
  /** The instant that the call is planned for. Milliseconds. */
  #at: number;
  /** Null at first, and again after a change of policy or period. */
  #plan: Ok<CallPlan> | null = null;
  #countedTokens: number | null = null;
  #hasAskedForCount = false;
  /** A reserve was sent and its answer has not come: the reservation may stand. */
  isInDoubt = false;

  constructor(parts: Parts, call: C, planner: Planner<C>) {
    this.#parts = parts;
    this.#call = call;
    this.#planner = planner;
    this.#at = parts.now();
    this.#deadline = parts.elapsed() + parts.settings.waitSeconds * 1000;
  }

  async run(): Promise<Result<C & AdmittedCall, Refusal>> {
    for (let tries = 1; ; tries++) {
      const planned = this.#plan ?? (await this.#planAt(this.#at));
      if (!planned.ok) return planned;
      this.#plan = planned;
      const outcome = await this.#conclude(planned.value, await this.#reserve(planned.value));
      if (outcome !== 'again') return outcome;
      // With no wait time, still try twice: clock skew is fixed by planning for the ledger's time, not by waiting.
      if (this.#timeLeft === 0 && tries > 1) return err(refusalFor('PolicyNotReady'));
    }
  }

  #planAt(at: number): Plan | Promise<Plan> {
    return this.#planner.plan(this.#call, at, this.#countedTokens);
  }

  get #timeLeft(): number {
    return Math.max(0, this.#deadline - this.#parts.elapsed());
  }

  /** Whether to wait is told by the first reserve, or by calls that already wait for one of its counters. */
  async #reserve(plan: CallPlan): Promise<Answer> {
    const answer = await this.#ask(plan);
    if (answer.kind !== 'full' && answer.kind !== 'knownSpent') return answer;
    if (await this.#tighten(plan, answer.failures)) return { kind: 'counted' };
    if (answer.kind === 'full') return isWaiting(answer) ? this.#wait(plan, answer.failures[0]!) : answer;
    const { workspace } = this.#call.caller;
    this.#parts.refusalCounter.countUnasked(refOf(workspace), spentChecks(plan, answer.failures));
    return { kind: 'full', now: this.#at, failures: answer.failures };
  }

  /** The ledger is not asked about a counter that is known to be spent, nor past calls that wait for it. */
  async #ask(plan: CallPlan): Promise<Answer | KnownSpent> {
    const { spentCounters, waitQueue } = this.#parts;
    const asker = this.#asker(plan);
    const known = spentCounters.refuse(asker);
    if (known !== null) return known;
    const queued = queuedFailure(plan.checks, asker.workspace, waitQueue);
    if (queued !== null) return { kind: 'full', now: this.#at, failures: [queued] };
    return spentCounters.askOnce(asker, () => this.#send(plan));
  }

  #asker(plan: CallPlan): { workspace: Ref; plan: CallPlan } {
    return { workspace: refOf(this.#call.caller.workspace), plan };
  }

  /** One reserve, sent again while the ledger can admit nothing; by its id it is the same one each time. */
  async #send(plan: CallPlan): Promise<Answer> {
    const { outage } = this.#parts;
    const reservation = planToReservation(this.#call, plan);
    while (!outage.hasLasted) {
      const answer = await this.#sendOnce(plan, reservation);
      if (!this.#isWorthRetrying(answer) || this.#timeLeft === 0 || this.#call.hasLeft) return answer;
      await sleep(Math.min(RETRY_MS, this.#timeLeft));
    }
    return { kind: 'unreachable' };
  }

  async #sendOnce(plan: CallPlan, reservation: Reservation): Promise<Answer> {
    const { ledger, spentCounters, elapsed } = this.#parts;
    const wasInDoubt = this.isInDoubt;
    this.isInDoubt = true;
    const sentAt = elapsed();
    try {
      const answer = await ledger.reserve(reservation);
      spentCounters.learn(this.#asker(plan), answer, sentAt);
      this.isInDoubt = wasInDoubt && isInconclusive(answer);
      return answer;
    } catch (error) {
      if (!(error instanceof LedgerUnreachable)) throw error;
      return { kind: 'unreachable' };
    }
  }

  /** An empty ledger will be rebuilt; one that a person must confirm is waited for only if calls may go unchecked. */
  #isWorthRetrying(answer: Answer): boolean {
    if (answer.kind === 'lost') return answer.reason === 'empty' || this.#parts.outage.isOpen;
    return answer.kind === 'unreachable' || answer.kind === 'recovering';
  }

  /** Where a tighter bound of the prompt may fit, has its tokens counted, once; true if that made another plan. */
  async #tighten({ facts, checks }: CallPlan, failures: readonly Failure[]): Promise<boolean> {
    const hasMoney = failures.every(({ check, spentNano }) => spentNano < checks[check]!.bound.capNano);
    const isTolerant = checks.every(({ mode, bound }) => mode !== 'Enforce' || bound.gapRoomNano > 0n);
    if (this.#hasAskedForCount || !isCountable(facts) || !hasMoney || !isTolerant) return false;
    this.#hasAskedForCount = true;
    const countedTokens = await this.#planner.countTokens(this.#call);
    if (countedTokens === null) return false;
    const planned = await this.#planner.plan(this.#call, this.#at, countedTokens);
    if (!planned.ok || planned.value.checks.some(isTooLoose)) return false;
    this.#countedTokens = countedTokens;
    this.#plan = planned;
    return true;
  }

  /** If the queue's head is blocked by another counter, moves it to that counter's queue, so that the next one tries. */
  async #wait(plan: CallPlan, blocked: Failure): Promise<Answer> {
    const { waitQueue, now } = this.#parts;
    const left = this.#leftSignal();
    let answer: Answer = { kind: 'full', now: now(), failures: [blocked] };
    let hasMoved = true;
    while (hasMoved && isWaiting(answer) && this.#timeLeft > 0) {
      const [failure] = answer.failures;
      const counter = queueOfFailure(plan.checks, failure!);
      const place = {
        budget: plan.checks[failure!.check]!.counter,
        counter,
        workspace: refOf(this.#call.caller.workspace),
      };
      hasMoved = await waitQueue.join(place, this.#deadline, left, async () => {
        answer = await this.#send(plan);
        return !isWaiting(answer) || answer.failures.every((one) => queueOfFailure(plan.checks, one) !== counter);
      });
    }
    return answer;
  }

  /** Aborts when the caller leaves. */
  #leftSignal(): AbortSignal {
    const left = new AbortController();
    const { res } = this.#call;
    if (res.destroyed) left.abort();
    else res.once('close', () => left.abort());
    return left.signal;
  }

  async #conclude(plan: CallPlan, answer: Answer): Promise<Result<C & AdmittedCall, Refusal> | 'again'> {
    switch (answer.kind) {
      case 'admitted':
        return ok(this.#admitted(plan, answer.now, answer.committedNano));
      case 'full':
        return err(budgetRefusal(plan, answer.failures, this.#call.caller, this.#at));
      case 'stale':
        return this.#catchUp(answer.version);
      case 'wrongPeriod':
        this.#at = answer.now;
        this.#plan = null;
        return 'again';
      case 'counted':
        return 'again';
      case 'unregistered':
        await this.#parts.heartbeat.beat();
        return 'again';
      case 'lost':
        return this.#sendUnchecked(plan, refusalFor('LedgerLost'));
      case 'recovering':
        return this.#sendUnchecked(plan, refusalFor('LedgerRecovering'));
      case 'unreachable':
        return this.#sendUnchecked(plan, refusalFor('LedgerUnreachable'));
      case 'logBehind':
        return err(refusalFor('UsageStreamFull'));
      case 'ended':
        break;
    }
    return err(refusalFor('LedgerUnreachable'));
  }

  #admitted(plan: CallPlan, admittedAt: number, committedNano: AdmittedCall['committedNano']): C & AdmittedCall {
    return Object.assign(this.#call, { plan, admittedAt, committedNano });
  }

  /** The key may mean something else at the newer version, or nothing. */
  async #catchUp(version: number): Promise<Err<Refusal> | 'again'> {
    const { policy } = this.#parts;
    const { caller, keyHash } = this.#call;
    const isReached = await policy.reached(refOf(caller.workspace), version, this.#timeLeft);
    const latest = policy.find(keyHash);
    if (latest === null) return err(refusalFor('UnknownKey'));
    if (!isReached) return err(refusalFor('PolicyNotReady'));
    Object.assign(this.#call, { caller: latest });
    this.#plan = null;
    return 'again';
  }

  /** Under `ledgerLoss: Open` the call goes without the ledger, planned for the time of this gateway's clock. */
  async #sendUnchecked(plan: CallPlan, refusal: Refusal): Promise<Result<C & AdmittedCall, Refusal>> {
    const { outage, now } = this.#parts;
    if (!outage.isOpen || !this.#planner.mayGoUnchecked || this.#call.hasLeft) return err(refusal);
    const at = now();
    const planned = plan.from <= at && at < plan.until ? ok(plan) : await this.#planAt(at);
    if (!planned.ok) return planned;
    const isKept = await outage.admit(planToReservation(this.#call, planned.value));
    return isKept ? ok(this.#admitted(planned.value, at, null)) : err(refusal);
  }
}

function isWaiting(answer: Answer): answer is Extract<Answer, { kind: 'full' }> {
  return answer.kind === 'full' && answer.failures.every(({ verdict }) => verdict === 'waiting');
}

function spentChecks({ checks }: CallPlan, failures: readonly Failure[]): Check[] {
  return checks.filter((_, index) => failures.some(({ check }) => check === index));
}

/** The count could be wrong by more than the budget tolerates at all. */
function isTooLoose({ mode, bound }: Check): boolean {
  return mode === 'Enforce' && bound.gapRoomNano < 0n;
}

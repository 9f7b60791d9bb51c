import type { ReserveAnswer } from '../../ledger/reservation.ts';
import type { CallPlan } from '../../policy/admit/plan.ts';
import type { Ref } from '../../policy/core/compiled-policy.ts';
import type { Failure } from '../../policy/core/counter-check.ts';
import { add, type Nano } from '../../policy/core/money.ts';
import { queueOfFailure } from './wait-queue.ts';

/** How long the ledger's word on a counter holds. Milliseconds. */
const KNOWN_MS = 250;
/** How long a spent counter is remembered after that, so that one call asks for all. Milliseconds. */
const REMEMBERED_MS = 5_000;

/** A call before its reserve. */
interface Asker {
  readonly workspace: Ref;
  readonly plan: CallPlan;
}

/** A counter of a plan, under the cap and tolerance that the call has there: a call with others learns nothing of it. */
interface PlannedCounter {
  /** As in a failure. */
  readonly check: number;
  readonly ofTotal: boolean;
  /** The counter's wait queue, which names it. */
  readonly queue: string;
  /** Of a value: the workspace of the call. Where values are too many, each workspace has a counter of its own for them. */
  readonly workspace: Ref | null;
  readonly capNano: Nano;
  /** Cap and tolerance. */
  readonly limitNano: Nano;
}

/** What the ledger said of a counter. */
interface KnownCounter extends Pick<PlannedCounter, 'workspace' | 'capNano' | 'limitNano'> {
  /** Null if it had room, or will have once calls in flight settle. */
  readonly failure: Failure | null;
  /** By the monotonic clock. Milliseconds. */
  readonly knownUntil: number;
  readonly rememberedUntil: number;
}

/** The answer to a call that is refused without asking the ledger. */
export interface KnownSpent {
  readonly kind: 'knownSpent';
  readonly failures: readonly Failure[];
}

/**
 * The counters that the ledger has just found spent, or too small for a call. A caller that goes on calling is refused
 * here, as the ledger would, so that a runaway loop costs it four scripts a second and not one a call. The ledger's word
 * holds for the same cap and tolerance only, and not for a call that could still fit; it ends after `KNOWN_MS`, with its
 * period or grant, and with a settle or release of this gateway on the counter.
 */
export class SpentCounters {
  readonly #elapsed: () => number;
  /** By wait queue, the latest last. */
  readonly #known = new Map<string, readonly KnownCounter[]>();
  /** By wait queue: the reserve that asks whether the counter is still spent. */
  readonly #asking = new Map<string, Promise<unknown>>();

  /** `elapsed`: the monotonic clock. Milliseconds. */
  constructor(elapsed: () => number) {
    this.#elapsed = elapsed;
  }

  /** How many counters are remembered. */
  get size(): number {
    return this.#known.size;
  }

  /** Why the ledger would refuse the call as spent; null if it must be asked. */
  refuse(asker: Asker): KnownSpent | null {
    if (this.#known.size === 0) return null;
    const failures: Failure[] = [];
    const unknown = new Set<number>();
    for (const counter of enforcedCounters(asker)) {
      const known = this.#find(counter);
      const isKnown = known !== null && this.#elapsed() < known.knownUntil;
      if (isKnown && refuses(known, asker.plan.reservedNano)) failures.push(toFailure(counter, known));
      else if (!isKnown) unknown.add(counter.check);
    }
    // A budget of which nothing is known may be spent as well, and be the one to name. Where a total decides, callers can
    // make up values without end, so nothing need be known of the value.
    const isOpen = [...unknown].some((check) => !failures.some((failure) => failure.check === check));
    return isOpen || failures.length === 0 ? null : { kind: 'knownSpent', failures };
  }

  /**
   * Runs `ask`, a reserve. While another call asks for a counter that both probably find spent, waits for that answer
   * first: of many callers of a spent budget one asks.
   */
  async askOnce<T>(asker: Asker, ask: () => Promise<T>): Promise<T | KnownSpent> {
    const queue = this.#suspect(asker);
    if (queue === null) return ask();
    const asking = this.#asking.get(queue);
    if (asking !== undefined) {
      await asking.catch(() => {}); // the call that asks reports it
      return this.refuse(asker) ?? ask();
    }
    const answer = ask();
    this.#asking.set(queue, answer);
    return answer.finally(() => this.#asking.delete(queue));
  }

  /** Learns from the answer to a reserve that was sent at `sentAt` by the monotonic clock. */
  learn(asker: Asker, answer: ReserveAnswer, sentAt: number): void {
    const { plan } = asker;
    if (answer.kind === 'admitted') this.#dropRefuted(asker);
    if (answer.kind !== 'full' || !answer.failures.some(isFinal)) return;
    this.#dropForgotten();
    // By the ledger's clock, which has advanced by no more than what has passed here since the reserve was sent.
    const ends = Math.min(plan.until, ...plan.checks.map(({ end }) => end));
    const knownUntil = sentAt + Math.min(KNOWN_MS, ends - answer.now);
    const times = { knownUntil, rememberedUntil: knownUntil + REMEMBERED_MS };
    for (const counter of enforcedCounters(asker)) {
      const { check, ofTotal, queue, workspace, capNano, limitNano } = counter;
      const failure =
        answer.failures.find((one) => one.check === check && one.ofTotal === ofTotal && isFinal(one)) ?? null;
      this.#put(queue, { workspace, capNano, limitNano, failure, ...times });
    }
  }

  /** A call on these counters was settled or released here: whether they are still spent is asked again. */
  doubt(queues: Iterable<string>): void {
    if (this.#known.size === 0) return;
    for (const queue of queues) {
      const known = this.#known.get(queue);
      if (known === undefined) continue;
      this.#known.set(
        queue,
        known.map((one) => ({ ...one, knownUntil: 0 })),
      );
    }
  }

  #find(counter: PlannedCounter): KnownCounter | null {
    return this.#known.get(counter.queue)?.find((known) => isOf(known, counter)) ?? null;
  }

  /** The queue of a counter that refused such a call a moment ago; null for none. */
  #suspect(asker: Asker): string | null {
    if (this.#known.size === 0) return null;
    const isSuspect = (counter: PlannedCounter): boolean => {
      const known = this.#find(counter);
      return known !== null && refuses(known, asker.plan.reservedNano);
    };
    return enforcedCounters(asker).find(isSuspect)?.queue ?? null;
  }

  /** A counter that admitted a call refuses none of its size. */
  #dropRefuted(asker: Asker): void {
    if (this.#known.size === 0) return;
    for (const counter of enforcedCounters(asker)) {
      const known = this.#find(counter);
      if (known !== null && refuses(known, asker.plan.reservedNano)) this.#remove(counter.queue, known);
    }
  }

  #dropForgotten(): void {
    const now = this.#elapsed();
    for (const [queue, known] of this.#known) {
      const old = known.filter(({ rememberedUntil }) => rememberedUntil <= now);
      if (old.length === 0) break;
      for (const one of old) this.#remove(queue, one);
    }
  }

  #put(queue: string, known: KnownCounter): void {
    const others = (this.#known.get(queue) ?? []).filter((one) => !isOf(one, known));
    this.#known.delete(queue);
    this.#known.set(queue, [...others, known]);
  }

  #remove(queue: string, known: KnownCounter): void {
    const others = (this.#known.get(queue) ?? []).filter((one) => one !== known);
    if (others.length > 0) this.#known.set(queue, others);
    else this.#known.delete(queue);
  }
}

function enforcedCounters({ workspace: asking, plan }: Asker): PlannedCounter[] {
  const { checks, reservedNano } = plan;
  return checks.flatMap(({ mode, value, bound, total }, check) => {
    if (mode !== 'Enforce') return [];
    const bounds = total === null ? [bound] : [bound, total];
    return bounds.map(({ capNano, roomNano }, index) => {
      const ofTotal = index === 1;
      const queue = queueOfFailure(checks, { check, ofTotal });
      const workspace = value === null || ofTotal ? null : asking;
      return { check, ofTotal, queue, workspace, capNano, limitNano: add(roomNano, reservedNano) };
    });
  });
}

function isOf(
  known: KnownCounter,
  { workspace, capNano, limitNano }: Pick<KnownCounter, 'workspace' | 'capNano' | 'limitNano'>,
) {
  return known.workspace === workspace && known.capNano === capNano && known.limitNano === limitNano;
}

/** Whether no settle of calls in flight makes room. */
function isFinal({ verdict }: Failure): boolean {
  return verdict !== 'waiting';
}

/**
 * Whether the counter has no room for a call of this worst case, as reserve.lua decides it. Whether it is spent or the call
 * too large depends on the counter alone: the verdict is the one that the ledger gave.
 */
function refuses({ capNano, limitNano, failure }: KnownCounter, worstNano: Nano): boolean {
  return failure !== null && (failure.certainNano >= capNano || add(failure.certainNano, worstNano) > limitNano);
}

function toFailure({ check, ofTotal }: PlannedCounter, { failure }: KnownCounter): Failure {
  return { ...failure!, check, ofTotal };
}

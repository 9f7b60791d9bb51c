import { type Ref, refOf } from '../../policy/core/compiled-policy.ts';
import { err, ok, type Result } from '../../policy/core/result.ts';
import type { BodyReading } from '../../policy/json/body-reading.ts';
import { type Refusal, refusalFor } from '../../policy/refusals/refusals.ts';
import type { HeldBytes } from './byte-quota.ts';
import type { AuthenticatedCall, Clocks } from './call.ts';
import type { CallerGone } from './read-body.ts';

/** How long readings may hold up everything else at a time. Milliseconds. */
const TURN_MS = 2;
/** What all readings of large bodies may hold together beside the bodies; the oldest goes on above it. Bytes. */
const MAX_HELD = 48 * 1024 * 1024;
/** A reading that holds less does not wait for the large ones. Bytes. */
const SMALL = 1024 * 1024;

/** A call whose body is read. */
type ReadingCall = Pick<AuthenticatedCall, 'caller' | 'memory' | 'hasLeft'>;

/** One reading on its way. */
interface Job {
  readonly workspace: Ref;
  held: number;
  /** Does a step; true if it was the last. */
  readonly step: () => boolean;
}

/**
 * Reads bodies in short turns between other work. A short body is read at once, as long as the turn has time left. Of the
 * others each workspace has one under way, and these take steps in rotation, first over namespaces and then over the
 * workspaces of each: bodies of one workspace wait for each other and not for those of another, and a namespace with many
 * workspaces has no more steps than one with a single workspace.
 */
export class ReadingTurns {
  readonly #elapsed: Clocks['elapsed'];
  /** By workspace, the next one first. */
  readonly #jobs = new Map<Ref, Job[]>();
  /** Those that hold memory, the oldest first. */
  readonly #holding = new Set<Job>();
  #held = 0;
  /** What this turn of the event loop has used. Milliseconds. */
  #usedMs = 0;
  #isTurnComing = false;

  constructor({ elapsed }: Pick<Clocks, 'elapsed'>) {
    this.#elapsed = elapsed;
  }

  /** Does all of a reading; refused if the memory that it needs is not there. Rejects if the reading throws. */
  run<T>(call: ReadingCall, reading: BodyReading<T>): Promise<Result<T, Refusal | CallerGone>> {
    return new Promise((resolve, reject) => {
      const memory = call.memory.part();
      const step = (): boolean => {
        try {
          const answer = advance(call, reading, memory);
          this.#hold(job, answer === null ? memory.size : 0);
          if (answer === null) return false;
          memory.set(0);
          resolve(answer);
        } catch (error) {
          this.#hold(job, 0);
          memory.set(0);
          // oxlint-disable-next-line typescript/prefer-promise-reject-errors
          reject(error);
        }
        return true;
      };
      const job: Job = { workspace: refOf(call.caller.workspace), held: 0, step };
      this.#begin(job);
    });
  }

  #begin(job: Job): void {
    if (!this.#jobs.has(job.workspace) && this.#usedMs < TURN_MS && this.#runOne(job)) return;
    const others = this.#jobs.get(job.workspace);
    if (others === undefined) this.#jobs.set(job.workspace, [job]);
    else others.push(job);
    this.#awaitTurn();
  }

  /** Takes steps until the time of this turn is used up; true if the reading has ended. */
  #runOne(job: Job): boolean {
    const begun = this.#elapsed();
    const used = this.#usedMs;
    let hasEnded = false;
    do {
      hasEnded = job.step();
      this.#usedMs = used + this.#elapsed() - begun;
    } while (!hasEnded && this.#usedMs < TURN_MS);
    this.#awaitTurn();
    return hasEnded;
  }

  #awaitTurn(): void {
    if (this.#isTurnComing) return;
    this.#isTurnComing = true;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#isTurnComing = false;
    this.#usedMs = 0;
    const until = this.#elapsed() + TURN_MS;
    while (this.#jobs.size > 0) {
      this.#stepNext();
      if (this.#elapsed() >= until) break;
    }
    if (this.#jobs.size > 0) this.#awaitTurn();
  }

  /** One step for the workspace that has waited longest, of the namespace that has. */
  #stepNext(): void {
    const next = [...this.#jobs].find(([, jobs]) => this.#mayGoOn(jobs[0]!));
    if (next === undefined) return;
    const [workspace, jobs] = next;
    if (jobs[0]!.step()) jobs.shift();
    this.#jobs.delete(workspace);
    const namespace = workspace.slice(0, workspace.indexOf('/') + 1);
    const siblings = [...this.#jobs].filter(([other]) => other.startsWith(namespace));
    for (const [sibling, waiting] of siblings) {
      this.#jobs.delete(sibling); // behind those of other namespaces
      this.#jobs.set(sibling, waiting);
    }
    if (jobs.length > 0) this.#jobs.set(workspace, jobs);
  }

  #mayGoOn(job: Job): boolean {
    if (job.held < SMALL || this.#held < MAX_HELD) return true;
    const [oldest] = this.#holding;
    return job === oldest;
  }

  #hold(job: Job, bytes: number): void {
    this.#held += bytes - job.held;
    job.held = bytes;
    if (bytes === 0) this.#holding.delete(job);
    else this.#holding.add(job);
  }
}

/** Does one step; null if the reading goes on. */
function advance<T>(
  call: ReadingCall,
  reading: BodyReading<T>,
  memory: HeldBytes,
): Result<T, Refusal | CallerGone> | null {
  if (call.hasLeft) return err('gone');
  const next = reading.next();
  if (next.done === true) return ok(next.value);
  return memory.set(next.value) ? null : err(refusalFor('BodyMemoryFull'));
}

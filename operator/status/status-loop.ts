import { setImmediate } from 'node:timers/promises';
import type { ClaudeBudget } from '../../crds/types.gen.ts';
import { keyOf } from '../../kube/object.ts';
import type { LedgerState } from '../../ledger/ledger.ts';
import { type CompiledBudget, type Ref, refOf } from '../../policy/core/compiled-policy.ts';
import type { Finding } from '../../policy/core/conditions.ts';
import type { PriceBook } from '../../policy/prices/price-book.ts';
import type { Rollout } from '../../policy/status/condition-findings.ts';
import type { Informers } from '../cluster/informers.ts';
import type { LedgerGuard } from '../ledger/ledger-guard.ts';
import type { LedgerMaintenance } from '../ledger/ledger-maintenance.ts';
import type { PolicyReconciler } from '../policy/policy-reconciler.ts';
import { budgetsInForce, type PublishedPolicy } from '../policy/published-policy.ts';
import { gatewayRollout, refusedKeysOf } from './gateway-rollout.ts';
import type { LedgerReader } from './ledger-reader.ts';
import { ReadSchedule } from './read-schedule.ts';
import type { BudgetSubject, StatusInput, StatusPlanner, WantedStatus } from './status-planner.ts';
import type { StatusWriter } from './status-writer.ts';

interface StatusLoopOptions {
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** A monotonic clock, in milliseconds. */
  readonly elapsed: () => number;
  readonly policy: Pick<PolicyReconciler, 'published' | 'fences' | 'isRunning'>;
  readonly informers: Pick<Informers, 'workspaces' | 'budgets' | 'endpoints'>;
  readonly reader: Pick<LedgerReader, 'refresh' | 'read' | 'discard' | 'figures' | 'gateways'>;
  readonly guard: Pick<LedgerGuard, 'check' | 'health'>;
  readonly maintenance: Pick<LedgerMaintenance, 'run'>;
  readonly callerKeys: { hashes(): StatusInput['keys']; readonly denied: StatusInput['denied'] };
  readonly logged: () => Finding<'Logged'>;
  readonly planner: Pick<StatusPlanner, 'workspace' | 'budget'>;
  readonly book: () => PriceBook;
  readonly writer: Pick<StatusWriter, 'lastWritten' | 'want' | 'due' | 'write' | 'isBehind' | 'isUrgent'>;
  readonly queues: { addPolicy(): void };
  readonly onProblem: (error: unknown) => void;
}

/** How often everything is refreshed: while a policy is on its way to the gateways, and otherwise. Milliseconds. */
const PENDING_MS = 200;
const IDLE_MS = 1_000;
/** Planning all statuses takes at most this share of the time; for thousands of them it takes a while. */
const PLANNING_SHARE = 0.25;
/** Statuses planned between two pauses. */
const BATCH = 500;
/** A newer compilation may interrupt the planning for at most this long, else a series of edits would starve it. Milliseconds. */
const MAX_INTERRUPTED_MS = 2_000;
/** How soon the next turn is due while statuses wait to be written: figures, and urgent changes. Milliseconds. */
const FIGURES_MS = 100;
const URGENT_MS = 30;

/**
 * Brings the statuses up to date, turn by turn and always in this order: the reader reads figures, the guard checks the
 * ledger that gave them, the planner computes statuses, the writer writes them.
 */
export class StatusLoop {
  readonly #options: StatusLoopOptions;
  readonly #schedule = new ReadSchedule();
  #isReachable = true;
  /** The compilation whose budgets are read, and these budgets. */
  #published: PublishedPolicy | undefined;
  #budgets: readonly CompiledBudget[] = [];
  #fences: ReadonlyMap<Ref, number> | null = null;
  #rollout: Rollout | undefined;
  /** What the last pass over all statuses began with. */
  #input: StatusInput | undefined;
  #isPending = false;
  #refreshedAt = Number.NEGATIVE_INFINITY;
  #planningMs = 0;
  /** When all statuses were last planned without an interruption. */
  #plannedAt = Number.NEGATIVE_INFINITY;

  constructor(options: StatusLoopOptions) {
    this.#options = options;
  }

  /** One turn. Returns in how many milliseconds the next one is due. */
  async turn(): Promise<number> {
    const { elapsed, writer } = this.#options;
    if (this.#isRefreshDue) await this.#refresh();
    if (elapsed() >= this.#schedule.dueAt) await this.#updateSlice();
    await this.#write();
    const next = Math.min(this.#nextRefreshAt, this.#schedule.dueAt) - elapsed();
    const wait = writer.isUrgent ? URGENT_MS : writer.isBehind ? FIGURES_MS : next;
    return Math.max(0, Math.min(next, wait));
  }

  get #nextRefreshAt(): number {
    const intervalMs = this.#isPending ? PENDING_MS : IDLE_MS;
    return this.#refreshedAt + Math.max(intervalMs, this.#planningMs / PLANNING_SHARE);
  }

  get #isRefreshDue(): boolean {
    const { elapsed, policy } = this.#options;
    if (elapsed() >= this.#nextRefreshAt) return true;
    // During a pass a refresh would come too early: its fences are raised at the end.
    return !policy.isRunning && (policy.published !== this.#published || policy.fences !== this.#fences);
  }

  /** Reads what is new, checks the ledger and plans all statuses. */
  async #refresh(): Promise<void> {
    const { elapsed, policy } = this.#options;
    this.#refreshedAt = elapsed();
    this.#fences = policy.fences;
    const state = await this.#refreshReader();
    if (state !== undefined) await this.#maintain(state);
    const startedAt = elapsed();
    const input = this.#gatherInput();
    // Another compilation has other outcomes, so the rest of these statuses would be outdated; a running one goes first.
    const isInterrupted = () =>
      policy.published !== input?.published || (policy.isRunning && elapsed() - this.#plannedAt < MAX_INTERRUPTED_MS);
    this.#input = input ?? this.#input;
    this.#isPending = input !== undefined && (await this.#planAll(input, isInterrupted));
    this.#planningMs = elapsed() - startedAt;
    if (!isInterrupted()) this.#plannedAt = elapsed();
  }

  /** Undefined where the ledger is out of reach. */
  async #refreshReader(): Promise<LedgerState | undefined> {
    const { policy, reader, queues, onProblem } = this.#options;
    const { published } = policy;
    if (published !== undefined && published !== this.#published) {
      this.#budgets = budgetsInForce(published.output);
    }
    this.#published = published;
    try {
      const state = await reader.refresh(this.#budgets);
      if (!this.#isReachable) queues.addPolicy(); // fences may be missing
      this.#isReachable = true;
      return state;
    } catch (error) {
      if (this.#isReachable) onProblem(error);
      this.#isReachable = false;
      return undefined;
    }
  }

  async #maintain(state: LedgerState): Promise<void> {
    const { guard, maintenance, onProblem } = this.#options;
    try {
      await this.#check(state);
      if (guard.health === 'Healthy') await maintenance.run(state.now);
    } catch (error) {
      onProblem(error);
    }
  }

  /** Figures of a ledger that is not healthy are discarded. */
  async #check(state: LedgerState): Promise<void> {
    const { reader, guard } = this.#options;
    try {
      await guard.check(state);
    } finally {
      if (guard.health !== 'Healthy') reader.discard();
    }
  }

  async #updateSlice(): Promise<void> {
    const takenAt = this.#options.elapsed();
    const slice = this.#schedule.take(this.#budgets, takenAt);
    if (slice.length > 0) this.#schedule.tookMs(await this.#update(slice.map(refOf)), takenAt);
  }

  /** Urgent changes are written at once; figures after they were read once more, so that none is older than it need be. */
  async #write(): Promise<void> {
    const { writer } = this.#options;
    const { at, urgent, figures, toRead } = writer.due();
    writer.write(urgent, at);
    if (toRead.length > 0) await this.#update(toRead);
    writer.write(figures, at);
  }

  /** Reads some budgets again and plans their statuses. Returns how many milliseconds the reading took, 0 where it failed. */
  async #update(refs: readonly Ref[]): Promise<number> {
    const { reader, guard, elapsed } = this.#options;
    const budgets = refs.flatMap((ref) => this.#published?.output.budgets.get(ref)?.inForce ?? []);
    const startedAt = elapsed();
    let readMs = 0;
    try {
      const state = await reader.read(budgets);
      readMs = elapsed() - startedAt;
      await this.#check(state);
      if (guard.health === 'Healthy') this.#planSome(refs);
    } catch {
      // The next refresh reports it.
    }
    return readMs;
  }

  /** Returns whether a policy is still on its way to the gateways. */
  async #planAll(input: StatusInput, isInterrupted: () => boolean): Promise<boolean> {
    const { informers, planner, writer } = this.#options;
    let isPending = false;
    for (const workspace of informers.workspaces.values()) {
      const subject = { ref: keyOf(workspace.metadata), workspace, status: writer.lastWritten(workspace) };
      isPending = this.#want(planner.workspace(subject, input)) || isPending;
    }
    let count = 0;
    // Budgets that are deleted during a pause are left out.
    for (const [ref, budget] of informers.budgets.entries()) {
      isPending = this.#want(planner.budget(this.#gatherBudget(ref, budget), input)) || isPending;
      count += 1;
      if (count % BATCH > 0) continue;
      await setImmediate();
      if (isInterrupted()) return true;
    }
    return isPending;
  }

  #planSome(refs: readonly Ref[]): void {
    const { informers, planner, clock } = this.#options;
    if (this.#input === undefined) return;
    const input = { ...this.#input, now: clock() };
    for (const ref of refs) {
      const budget = informers.budgets.get(ref);
      if (budget !== undefined) this.#want(planner.budget(this.#gatherBudget(ref, budget), input));
    }
  }

  /** Undefined before the first compilation. */
  #gatherInput(): StatusInput | undefined {
    const { policy, informers, reader, callerKeys, logged, book, clock } = this.#options;
    const { published, fences } = policy;
    if (published === undefined) return undefined;
    const { workspaces, endpoints } = informers;
    const rollout = gatewayRollout(fences, endpoints.values(), reader.gateways, this.#rollout);
    this.#rollout = rollout;
    const refusedKeys = refusedKeysOf(reader.gateways);
    const keys = callerKeys.hashes();
    const { denied } = callerKeys;
    return { published, rollout, logged: logged(), refusedKeys, keys, denied, workspaces, book: book(), now: clock() };
  }

  #gatherBudget(ref: Ref, budget: ClaudeBudget): BudgetSubject {
    const { reader, guard, writer } = this.#options;
    return { ref, budget, status: writer.lastWritten(budget), figures: reader.figures(ref, guard.health) };
  }

  #want({ wanted, isPending }: { readonly wanted: WantedStatus | null; readonly isPending: boolean }): boolean {
    if (wanted !== null) this.#options.writer.want(wanted);
    return isPending;
  }
}

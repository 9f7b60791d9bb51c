import { type EndpointSlice, servingPods } from '../../kube/endpoint-slices.ts';
import type { LivingGateway } from '../../ledger/ledger.ts';
import type { BudgetOutcome, WorkspaceOutcome } from '../../policy/compile/compile-output.ts';
import type { Ref } from '../../policy/core/compiled-policy.ts';
import type { Finding } from '../../policy/core/conditions.ts';
import { programmed, type Rollout } from '../../policy/status/readiness.ts';

/** Who enforces what, as far as is known: the Pods that serve behind the gateway's Service, and whoever beats. */
export function rolloutOf(
  fences: ReadonlyMap<Ref, number> | null,
  slices: readonly EndpointSlice[],
  reports: readonly LivingGateway[],
): Rollout {
  const gateways = new Map<string, Record<string, number> | null>(servingPods(slices).map((pod) => [pod, null]));
  for (const { pod, shards } of reports) gateways.set(pod, furthest(gateways.get(pod) ?? {}, shards));
  return { fences, gateways };
}

/** A process that has replaced another one in its Pod is listed beside it for a while. */
function furthest(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): Record<string, number> {
  const further = { ...a };
  for (const [shard, revision] of Object.entries(b)) further[shard] = Math.max(revision, a[shard] ?? 0);
  return further;
}

/** The object that a verdict is over. */
interface Target {
  /** Names it, whatever its generation. */
  readonly uid: string;
  /** The uids of the workspaces that it must reach: a proof for others is none for these. */
  readonly reached: readonly (string | undefined)[];
  /** Whether the status says that this generation was proven, maybe by a leader before this one. */
  readonly wasProven: boolean;
}

/** How long a rollout may be under way before a status says so: most of them end sooner. Milliseconds. */
const GRACE_MS = 500;

/**
 * The condition Programmed. Once proven it stays: later versions of a workspace hold the same budget, and the fence
 * keeps a gateway that has not got so far from admitting anything. So an edit of one budget makes no other flicker.
 */
export class Programming {
  /** By uid. */
  readonly #proven = new Map<string, string>();
  /** What is under way, and since when. */
  readonly #pending = new Map<string, { readonly identity: string; readonly since: number }>();

  /** Null while it is too soon to say. `now` in milliseconds, by a clock that never jumps. */
  finding(
    target: Target,
    verdict: WorkspaceOutcome | BudgetOutcome,
    rollout: Rollout,
    now: number,
  ): Finding<'Programmed'> | null {
    const { uid, reached, wasProven } = target;
    const identity = [verdict.generation, ...reached].join(' ');
    const found = programmed(verdict, rollout);
    if (found.reason === 'Pending') {
      const proven = this.#proven.get(uid) ?? (wasProven ? identity : '');
      this.#proven.set(uid, proven);
      if (proven === identity) return { reason: 'Programmed', message: PROVEN };
      return now - this.#since(uid, identity, now) < GRACE_MS ? null : found;
    }
    this.#pending.delete(uid);
    this.#proven.set(uid, found.reason === 'Programmed' ? identity : '');
    return found;
  }

  /** Forgets an object that is gone. */
  forget(uid: string): void {
    this.#proven.delete(uid);
    this.#pending.delete(uid);
  }

  #since(uid: string, identity: string, now: number): number {
    const before = this.#pending.get(uid);
    if (before?.identity === identity) return before.since;
    this.#pending.set(uid, { identity, since: now });
    return now;
  }
}

const PROVEN = 'Every gateway that may admit calls enforces it.';

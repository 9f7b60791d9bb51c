import type { ResolvedWorkspace } from '../../policy/admit/resolved-workspace.ts';
import { type Ref, refOf } from '../../policy/core/compiled-policy.ts';
import { upstreamKeyRefused } from '../../policy/refusals/refusal-sentences.ts';
import type { Refusal } from '../../policy/refusals/refusals.ts';

/** A workspace whose upstream key the upstream refuses, with the status that it answered last. */
export interface RefusedKey {
  readonly workspace: Ref;
  readonly status: number;
}

interface Seen {
  readonly key: string | null;
  readonly baseURL: string;
  status: number;
  isRefused: boolean;
  /** By the monotonic clock. Milliseconds. */
  at: number;
}

/** How many workspaces are remembered; more than these are not reported. */
const MAX_SEEN = 100;
/** How long a refusal is reported that no other follows, and an acceptance remembered. Milliseconds. */
const REMEMBERED_MS = 600_000;

/** Whether an upstream refuses the key that it was shown, or what the key may do. */
export function isKeyRefused(status: number): boolean {
  return status === 401 || status === 403;
}

/**
 * Whose upstream key is refused: it is the workspace's and not the caller's, so callers get a refusal of ours, and the
 * workspace's owner hears of it by the condition UpstreamAccepted. A workspace is remembered from the first refusal on, so
 * that nothing is kept of others.
 */
export class UpstreamKeys {
  readonly #elapsed: () => number;
  readonly #seen = new Map<Ref, Seen>();

  /** `elapsed`: the monotonic clock. Milliseconds. */
  constructor(elapsed: () => number) {
    this.#elapsed = elapsed;
  }

  /** Notes the status of an upstream's answer, 0 if there was none. The refusal for the caller if the key was refused, else null. */
  check(workspace: ResolvedWorkspace, status: number): Refusal | null {
    if (isKeyRefused(status)) {
      this.#refused(workspace, status);
      return keyRefusal(workspace, status);
    }
    if (this.#seen.size > 0 && status > 0 && status < 500) this.#accepted(refOf(workspace));
    return null;
  }

  /** The workspaces whose key was refused last, for the heartbeat. */
  get refused(): readonly RefusedKey[] {
    if (this.#seen.size === 0) return [];
    for (const [ref, { at }] of this.#seen) if (this.#elapsed() - at > REMEMBERED_MS) this.#seen.delete(ref);
    return [...this.#seen].flatMap(([workspace, { isRefused, status }]) => (isRefused ? [{ workspace, status }] : []));
  }

  #refused(workspace: ResolvedWorkspace, status: number): void {
    const { upstreamKey: key, baseURL } = workspace;
    const ref = refOf(workspace);
    const seen = this.#seen.get(ref);
    const isSameKey = seen?.key === key && seen.baseURL === baseURL;
    // A key that works may lack one permission, such as for a model: that is said to the caller only.
    if (status === 403 && isSameKey && !seen.isRefused && this.#elapsed() - seen.at <= REMEMBERED_MS) return;
    if (seen === undefined && this.#seen.size >= MAX_SEEN) return;
    this.#seen.set(ref, { key, baseURL, status, isRefused: true, at: this.#elapsed() });
  }

  #accepted(ref: Ref): void {
    const seen = this.#seen.get(ref);
    if (seen === undefined) return;
    seen.isRefused = false;
    seen.at = this.#elapsed();
  }
}

/** Says whose key was refused, and what its owner can do. */
export function keyRefusal(workspace: ResolvedWorkspace, status: number): Refusal {
  return { reason: 'UpstreamKeyRefused', message: upstreamKeyRefused(refOf(workspace), status) };
}

import { Caller } from '../../policy/admit/caller.ts';
import type { EnforceableWorkspace } from '../../policy/admit/resolved-workspace.ts';
import { WorkspaceRules } from '../../policy/admit/workspace-rules.ts';
import { type Ref, refOf } from '../../policy/core/compiled-policy.ts';
import { PeriodCache } from '../../policy/core/period.ts';

/** The policy in force, as the stages of a call see it. */
export interface PolicySource {
  /** False until the first policy was read: until then a key that is not found may be valid. */
  readonly isLoaded: boolean;
  /** The caller whose key has this SHA-256 (hex). */
  find(keyHash: string): Caller | null;
  /** Resolves to true as soon as the workspace is enforced at `version` or above, to false after `withinMs`. */
  reached(workspace: Ref, version: number, withinMs: number): Promise<boolean>;
}

/** The workspaces that this gateway enforces, each at its last good version, found by the hash of a caller's key. */
export class ActivePolicy implements PolicySource {
  readonly #workspaces = new Map<Ref, EnforceableWorkspace>();
  readonly #callers = new Map<string, Caller>();
  readonly #periods = new PeriodCache();
  readonly #waiting = new Set<() => void>();
  #isLoaded = false;

  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** The whole policy was read: from now on a key that is not found is unknown. */
  setLoaded(): void {
    this.#isLoaded = true;
  }

  find(keyHash: string): Caller | null {
    return this.#callers.get(keyHash) ?? null;
  }

  /** The version in force, 0 if the workspace is not enforced. */
  versionOf(workspace: Ref): number {
    return this.#workspaces.get(workspace)?.workspace.version ?? 0;
  }

  reached(workspace: Ref, version: number, withinMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (reached: boolean) => {
        clearTimeout(timer);
        this.#waiting.delete(check);
        resolve(reached);
      };
      const check = () => {
        if (this.versionOf(workspace) >= version) settle(true);
      };
      const timer = setTimeout(() => settle(false), withinMs);
      this.#waiting.add(check);
      check();
    });
  }

  /** Enforces workspaces from now on, in place of what they were before. */
  enforce(resolved: Iterable<EnforceableWorkspace>): void {
    for (const one of resolved) {
      const ref = refOf(one.workspace);
      this.#forget(ref);
      this.#workspaces.set(ref, one);
      const rules = new WorkspaceRules(one.workspace);
      for (const key of one.workspace.keys) {
        const hash = one.keys[key.name];
        if (hash !== undefined) this.#callers.set(hash, new Caller(one.workspace, key, rules, this.#periods.at));
      }
    }
    for (const check of this.#waiting) check();
  }

  /** The workspace is gone; its keys are unknown from now on. */
  drop(workspace: Ref): void {
    this.#forget(workspace);
    this.#workspaces.delete(workspace);
  }

  /** A key that has moved to another workspace stays there. */
  #forget(ref: Ref): void {
    const before = this.#workspaces.get(ref);
    if (before === undefined) return;
    for (const hash of Object.values(before.keys)) {
      if (this.#callers.get(hash)?.workspace === before.workspace) this.#callers.delete(hash);
    }
  }
}

import type { ClaudeBudget, ClaudeWorkspace } from '../../crds/types.gen.ts';
import type { Settings } from '../config/settings.ts';
import { encodeJSON } from '../core/canonical-json.ts';
import type { CompiledBudget } from '../core/compiled-policy.ts';
import { deepEqual } from '../core/deep-equal.ts';
import { utf8Length } from '../shards/shard-format.ts';
import type { Identity, OwnPart } from './compile-workspace.ts';

/**
 * Results that the operator keeps from one compilation to the next, since few of thousands of budgets change. It only
 * saves time: a compilation with an empty cache has the same output. Entries are dropped with their resources.
 */
export class CompileCache {
  readonly #compiled = new WeakMap<ClaudeBudget, { readonly settings: Settings; readonly budget: CompiledBudget }>();
  readonly #own = new WeakMap<ClaudeWorkspace, { readonly identity: Identity; readonly own: OwnPart }>();
  readonly #stored = new WeakMap<CompiledBudget, CompiledBudget>();
  readonly #bytes = new WeakMap<object, number>();

  /** The compiled form of a resource: the last one, if neither the resource nor the settings are another object. */
  compiled(resource: ClaudeBudget, settings: Settings, compile: () => CompiledBudget): CompiledBudget {
    const last = this.#compiled.get(resource);
    if (last?.settings === settings) return last.budget;
    const budget = compile();
    this.#compiled.set(resource, { settings, budget });
    return budget;
  }

  /** The compiled form of a workspace's own spec: the last one, if neither resource nor identity changed. */
  own(resource: ClaudeWorkspace, identity: Identity, compile: () => OwnPart): OwnPart {
    const last = this.#own.get(resource);
    if (last !== undefined && deepEqual(last.identity, identity)) return last.own;
    const own = compile();
    this.#own.set(resource, { identity, own });
    return own;
  }

  /** Whether a compiled budget equals the stored one. Both stay the same objects while nothing changes them. */
  equals(budget: CompiledBudget, stored: CompiledBudget | undefined): boolean {
    if (stored === undefined) return false;
    if (this.#stored.get(budget) === stored) return true;
    if (!deepEqual(budget, stored)) return false;
    this.#stored.set(budget, stored);
    return true;
  }

  /** The bytes that a part of the policy has in a shard. `text` is its JSON, if it is known. */
  bytes(part: object, text?: string): number {
    const known = this.#bytes.get(part);
    if (known !== undefined) return known;
    const bytes = utf8Length(text ?? encodeJSON(part));
    this.#bytes.set(part, bytes);
    return bytes;
  }
}

/** What goes into a compilation and what comes out of it. */

import type { ClaudeBudget, ClaudeWorkspace } from '../../crds/types.gen.ts';
import type { Settings } from '../config/settings.ts';
import type { CompiledBudget, CompiledWorkspace, Ref } from '../core/compiled-policy.ts';
import type { Finding } from '../core/conditions.ts';
import type { KeysShard, PolicyShard, SharedShard } from './shard-codec.ts';
import type { Hash, ShardData } from './shards.ts';

/** A Secret that a workspace may name as its upstream key. */
export interface UpstreamSecret {
  readonly type: string;
  /** Its data, decoded. */
  readonly data: Readonly<Record<string, string>>;
}

/** Everything that was applied, and everything that stood before. */
export interface CompileInput {
  readonly settings: Settings;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly hash: Hash;
  /** The ledger's epoch; null until it is established. */
  readonly epoch: string | null;
  readonly workspaces: readonly ClaudeWorkspace[];
  readonly budgets: readonly ClaudeBudget[];
  /** Labels of each namespace by its name. */
  readonly namespaces: ReadonlyMap<string, Readonly<Record<string, string>>>;
  /** The Secrets that workspaces name as upstream keys, by `namespace/name`. */
  readonly upstreamSecrets: ReadonlyMap<Ref, UpstreamSecret>;
  /** For each workspace the SHA-256 (hex) of each caller key that exists, by the key's name. */
  readonly callerKeys: ReadonlyMap<Ref, Readonly<Record<string, string>>>;
  /** For each workspace the names of Secrets that its keys ask for and that Tollgate did not make for it. */
  readonly secretConflicts: ReadonlyMap<Ref, readonly string[]>;
  /** The price book's file (JSON), already accepted by `parsePriceBook`. */
  readonly prices: {
    readonly text: string;
    /** True where the administrator's own book is invalid and `text` is the shipped one: the last accepted one stays. */
    readonly fallback: boolean;
  };
  /** What the shards hold now. */
  readonly previous: Previous;
  /** The fences that stand in the ledger; empty where it could not be read. */
  readonly fences: ReadonlyMap<Ref, number>;
}

/** The shards as they stand, by name; one that is missing or unreadable is left out. */
export interface Previous {
  readonly policy: ReadonlyMap<string, PolicyShard>;
  readonly keys: ReadonlyMap<string, KeysShard>;
  readonly shared: SharedShard | null;
}

/** What to write, and what to tell each resource. */
export interface CompileOutput {
  /** Only what changed. Write them in this order, then raise the fences. */
  readonly shards: readonly ShardWrite[];
  /**
   * All fences that stand lower in `CompileInput.fences` than they must, also of workspaces that are gone. Raise these
   * and no others: a version of a shard that would not fit was never written, and a fence for it would stop all calls.
   */
  readonly fences: ReadonlyMap<Ref, number>;
  readonly workspaces: ReadonlyMap<Ref, WorkspaceVerdict>;
  readonly budgets: ReadonlyMap<Ref, BudgetVerdict>;
  /** What the administrator of the installation must know: one sentence each. */
  readonly problems: readonly string[];
}

/** One shard with all its new data. */
export interface ShardWrite {
  readonly kind: 'ConfigMap' | 'Secret';
  readonly name: string;
  readonly revision: number;
  readonly data: ShardData;
}

/** What became of one ClaudeWorkspace. */
export interface WorkspaceVerdict {
  readonly generation: number;
  /** Reason `Accepted`, or why this generation is not. */
  readonly accepted: Finding<'Accepted'>;
  /** What is enforced: this generation, the last accepted one, or null for nothing. */
  readonly inForce: CompiledWorkspace | null;
  /** All budgets in force that govern it, sorted; the spanning ones too. */
  readonly budgets: readonly CompiledBudget[];
  /** Whether calls can be forwarded at all: the accepted policy's Secret is there. */
  readonly upstreamKey: boolean;
  readonly proof: readonly Proof[];
}

/** What became of one ClaudeBudget. */
export interface BudgetVerdict {
  readonly generation: number;
  /** Reason `Accepted`, or why this generation is not. */
  readonly accepted: Finding<'Accepted'>;
  /** What is enforced: this generation, the last accepted one, or null for nothing. */
  readonly inForce: CompiledBudget | null;
  /** Whether it governs by `namespaceSelector`, and so may govern nothing yet. */
  readonly spanning: boolean;
  /** The workspaces in force that it governs, one proof each, sorted. */
  readonly proof: readonly Proof[];
}

/** A gateway that enforces `shard` at `version` or later enforces `workspace` as the verdict says. */
export interface Proof {
  readonly workspace: Ref;
  readonly shard: string;
  readonly version: number;
}

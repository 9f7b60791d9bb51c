import type { ClaudeBudget, ClaudeWorkspace } from '../../crds/types.gen.ts';
import type { Settings } from '../config/settings.ts';
import type { Ref } from '../core/compiled-policy.ts';
import type { Hash } from '../shards/shard-format.ts';
import type { PreviousShards } from '../shards/shard-set.ts';

/** A Secret that a workspace may name as its upstream key. */
export interface UpstreamSecret {
  readonly type: string;
  /** Its data, decoded. */
  readonly data: Readonly<Record<string, string>>;
}

export interface InputNamespace {
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** On a resource that is too large to be kept whole: the bytes of its spec, of which only a part is there. */
export interface Cut {
  readonly cutBytes?: number;
}

/** Everything that is applied, and the shards and fences as they are now. */
export interface CompileInput {
  readonly settings: Settings;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly hash: Hash;
  /** The ledger's epoch; null until it is established. */
  readonly epoch: string | null;
  readonly workspaces: readonly (ClaudeWorkspace & Cut)[];
  readonly budgets: readonly (ClaudeBudget & Cut)[];
  /** By name. The workspaces of a namespace that is missing here are left out: nobody can say yet whose they are. */
  readonly namespaces: ReadonlyMap<string, InputNamespace>;
  /** The Secrets that workspaces name as upstream keys, by `namespace/name`. */
  readonly upstreamSecrets: ReadonlyMap<Ref, UpstreamSecret>;
  /** By workspace: the SHA-256 (hex) of each caller key that exists, by the key's name. */
  readonly callerKeys: ReadonlyMap<Ref, Readonly<Record<string, string>>>;
  /** By workspace: the Secrets that its keys name and that Tollgate did not create for it. */
  readonly secretConflicts: ReadonlyMap<Ref, readonly string[]>;
  /** The price book's file (JSON), already accepted by `parsePriceBook`. */
  readonly prices: {
    readonly text: string;
    /** True if the administrator's book is invalid and `text` is the shipped one: the stored book then stays in force. */
    readonly fallback: boolean;
  };
  /** The file of names (JSON), already accepted by `NAMES_FILE`; `fallback` as of the price book. */
  readonly names: { readonly text: string; readonly fallback: boolean };
  /** Names under which a call cost more than its highest bound, that may not be in the list yet. */
  readonly exceeded: readonly string[];
  readonly previous: PreviousShards;
  /** The fences in the ledger; empty if it could not be read. */
  readonly fences: ReadonlyMap<Ref, number>;
}

/**
 * The compiled policy: what the operator writes into the shards and the gateways enforce. Plain data, free of
 * Kubernetes. In memory money is a bigint of nano-dollars; in the shards it is a string, and every field that holds
 * money ends in `Nano`, which is how the decoder finds it (attribute names are lower case, so they cannot collide).
 */

/** A gateway refuses a shard of another schema and keeps what it has: old and new replicas can run side by side. */
export const COMPILED_SCHEMA = 2;

/** Critical calls may use a budget's critical extra; Deferrable ones are treated as Normal so far. */
export type Priority = 'Critical' | 'Normal' | 'Deferrable';

/** `feature`, `customer`, `user`, `department` and any tag, by name. Names match `[a-z][a-z0-9_-]*`. */
export type Attributes = Readonly<Record<string, string>>;

/** The attributes that a caller may set by header, where its credential does not fix them. */
export type HeaderAttribute = 'feature' | 'customer' | 'user';

/** `namespace/name`. */
export type Ref = string;

/** One workspace as it is enforced. */
export interface CompiledWorkspace {
  readonly namespace: string;
  readonly name: string;
  readonly generation: number;
  /** The fence: ever increasing, raised by every edit of the workspace and of what governs it. */
  readonly version: number;
  readonly baseURL: string;
  readonly suspend: boolean;
  readonly keys: readonly CompiledKey[];
  /** The header, in lower case, that carries each attribute. */
  readonly headers: Partial<Readonly<Record<HeaderAttribute, string>>>;
  readonly models: { readonly allow: readonly string[]; readonly unknown: 'Refuse' | 'HighestPrice' };
  readonly guards: Guards;
  /** Whether Message Batches may be sent. */
  readonly batches: 'Refuse' | 'Allow';
  readonly refusal: { readonly status: 402 | 429; readonly message: string };
  /** The budgets of the workspace's own namespace that name it. */
  readonly budgets: readonly CompiledBudget[];
  /** Addresses, in the shared shard, of the spanning budgets that govern it. */
  readonly spanning: readonly Address[];
  /** Address, in the shared shard, of the price book. */
  readonly prices: Address;
  /** Checksum of its entry in the Secret shard: keys and upstream key belong to this very version. */
  readonly credentials: string;
}

/** A content address: `kind.name.checksum`. What it names never changes, so half an update cannot be enforced. */
export type Address = string;

/** A credential of a workspace and what it fixes. */
export interface CompiledKey {
  readonly name: string;
  readonly priority: Priority;
  /** What the credential fixes: the workspace's attributes overlaid by the key's. */
  readonly attributes: Attributes;
}

/** Bounds of a single call; an absent one bounds nothing. */
export interface Guards {
  readonly maxRequestNano?: bigint;
  readonly maxInputTokens?: number;
  readonly maxOutputTokens?: number;
  /** Of each tool that Anthropic runs. */
  readonly maxToolUses?: number;
  /** What is set aside for a call that nobody can bound; without it none is served. */
  readonly unboundedRequestNano?: bigint;
}

/** Lists of values or globs; all given ones must match, an absent one matches every call. */
export interface CompiledScope {
  readonly features?: readonly string[];
  readonly customers?: readonly string[];
  readonly users?: readonly string[];
  readonly departments?: readonly string[];
  readonly keys?: readonly string[];
  readonly models?: readonly string[];
  readonly tags?: Readonly<Record<string, readonly string[]>>;
}

/** Calls that are counted and never limited. What decides is what the credential fixes, and a model it does not. */
export type CompiledExemption = Omit<CompiledScope, 'models'>;

/** How long a period is: of the calendar, or once and for ever. */
export type Every = 'Hour' | 'Day' | 'Week' | 'Month' | 'Quarter' | 'Year' | 'Once';

/** When a budget starts again at zero. */
export interface CompiledPeriod {
  readonly every: Every;
  readonly timeZone: string;
  /** For `Once`: when it starts, in milliseconds since the epoch. */
  readonly start?: number;
}

/** One budget as it is enforced, whatever it governs. Amounts in nano-dollars. */
export interface CompiledBudget {
  readonly namespace: string;
  readonly name: string;
  readonly generation: number;
  readonly mode: 'Enforce' | 'Observe';
  readonly suspend: boolean;
  readonly scope: CompiledScope;
  /** The attributes that have a counter for each value; empty for one shared pool. */
  readonly per: readonly string[];
  readonly period: CompiledPeriod;
  /** The limit of the pool, or with `per` of each value. */
  readonly limitNano: bigint;
  /** With `per`: caps all values together. */
  readonly totalNano?: bigint;
  readonly toleranceNano: bigint;
  readonly overrides: readonly { readonly values: readonly string[]; readonly limitNano: bigint }[];
  readonly grants: readonly CompiledGrant[];
  readonly exempt?: CompiledExemption;
  readonly criticalExtraNano: bigint;
}

/** What raises every cap of a budget while it is in force. */
export interface CompiledGrant {
  readonly amountNano: bigint;
  /** Half-open, in milliseconds since the epoch. */
  readonly from: number;
  readonly until: number;
}

/** A workspace's part of the Secret shard. */
export interface Credentials {
  /** The upstream's API key; null where its Secret is gone or is not what it was accepted as. */
  readonly upstreamKey: string | null;
  /** The Secret that the key is from, in the workspace's namespace. */
  readonly upstreamSecret: { readonly name: string; readonly key: string };
  /** SHA-256 (hex) of each caller key by key name; the keys themselves stay in the tenant's Secret. */
  readonly keys: Readonly<Record<string, string>>;
}

/** `namespace/name` of a budget or a workspace. */
export function refOf(object: { readonly namespace: string; readonly name: string }): Ref {
  return `${object.namespace}/${object.name}`;
}

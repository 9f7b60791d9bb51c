/**
 * The compiled policy, which the operator writes into the shards and the gateways enforce: plain data without
 * Kubernetes. Money is a bigint of nano-dollars in memory and a string in the shards. Every field of money ends in
 * `Nano`, by which the decoder finds it (attribute names are lower case, so they cannot collide).
 */

import type { LabelSelector } from './label-selector.ts';
import type { Nano } from './money.ts';

/** A gateway rejects a shard of a newer schema and keeps its last one, so old and new replicas can run side by side. */
export const COMPILED_SCHEMA = 5;

/**
 * The oldest schema that is still read: during an upgrade new gateways start over shards of the operator before, and what
 * was accepted then stays in force. What a schema added is absent in shards of an older one, so it is optional here.
 */
export const OLDEST_SCHEMA = 2;

/** Critical calls may use a budget's `criticalExtraUsd`; Deferrable ones are treated as Normal so far. */
export type Priority = 'Critical' | 'Normal' | 'Deferrable';

/** `feature`, `customer`, `user`, `department` and any tag, by name. Names match `[a-z][a-z0-9_-]*`. */
export type Attributes = Readonly<Record<string, string>>;

/** `namespace/name`. */
export type Ref = string;

/** A compiled workspace, as gateways enforce it. */
export interface CompiledWorkspace {
  readonly namespace: string;
  readonly name: string;
  /** The uids of the object and of its namespace (policy/core/owner.ts); absent in schema 2. */
  readonly uid?: string;
  readonly namespaceUid?: string;
  readonly generation: number;
  /** The fence: increased by every edit of the workspace or of a budget that applies to it. */
  readonly version: number;
  readonly baseURL: string;
  /** What every call to the upstream carries, by names in lower case. Absent: nothing, and in schema 3. */
  readonly upstreamHeaders?: Readonly<Record<string, string>>;
  readonly suspend: boolean;
  /** The attributes that the platform fixes for all its calls, over those of key and caller. Absent in schema 2. */
  readonly namespaceAttributes?: Attributes;
  readonly keys: readonly CompiledKey[];
  /** The header, in lower case, that carries each attribute that a caller may set, unless its credential fixes it. */
  readonly headers: Readonly<Record<string, string>>;
  readonly models: CompiledModels;
  readonly guards: Guards;
  /** What becomes of names in a request that are neither known nor harmless. Absent before schema 4, which refused them. */
  readonly unknownFields?: 'Forward' | 'Refuse';
  /** Whether `metadata.user_id` of a message is the caller's word about its user; absent: Ignore. */
  readonly metadataUser?: 'Claim';
  /** Whether Message Batches may be sent. */
  readonly batches: 'Refuse' | 'Allow';
  /** Whether the Files API is served, and requests may name files; absent: Refuse. */
  readonly files?: 'Allow';
  readonly refusal: { readonly status: 402 | 429; readonly message: string };
  /** The budgets of the workspace's own namespace that name it. */
  readonly budgets: readonly CompiledBudget[];
  /** Addresses, in the shared shard, of the spanning budgets that apply to it. */
  readonly spanning: readonly Address[];
  /** Address, in the shared shard, of the price book. */
  readonly prices: Address;
  /** Address, in the shared shard, of the list of names. Absent before schema 4. */
  readonly names?: Address;
  /** Checksum of its entry in the Secret shard, so that keys and upstream key belong to this version. */
  readonly credentials: string;
}

/** A content address: `kind.name.checksum`. Its content never changes, so a partial update cannot be enforced. */
export type Address = string;

/** A credential of a workspace. */
export interface CompiledKey {
  readonly name: string;
  readonly priority: Priority;
  /** The attributes that the credential fixes: the workspace's, overridden by the key's. */
  readonly attributes: Attributes;
}

/** Which models may be called. */
export interface CompiledModels {
  readonly allow: readonly string[];
  readonly unknown: 'Refuse' | 'HighestPrice';
  /** Absent: none, and before schema 5. */
  readonly restrictions?: readonly CompiledRestriction[];
}

/** Narrows `allow` for the calls that it matches, as a limit does. */
export interface CompiledRestriction {
  readonly name: string;
  readonly match: CompiledScope;
  readonly allow: readonly string[];
}

/** Limits of a single request; an absent one does not limit. */
export interface Guards {
  readonly maxRequestNano?: Nano;
  readonly maxInputTokens?: number;
  readonly maxOutputTokens?: number;
  /** For each tool that Anthropic runs. */
  readonly maxToolUses?: number;
  /** The amount to reserve for a request without a maximum cost; without it such requests are refused. */
  readonly unboundedRequestNano?: Nano;
}

/** Lists of values or globs; all given lists must match, an absent one matches every call. */
export interface CompiledScope {
  readonly features?: readonly string[];
  readonly customers?: readonly string[];
  readonly users?: readonly string[];
  readonly departments?: readonly string[];
  readonly keys?: readonly string[];
  readonly models?: readonly string[];
  readonly tags?: Readonly<Record<string, readonly string[]>>;
}

/** Calls that are counted and never limited. It has no models, since a credential does not fix the model. */
export type CompiledExemption = Omit<CompiledScope, 'models'>;

/** Whether calls that do not fit are refused, or only counted. */
export type BudgetMode = 'Enforce' | 'Observe';

/** The length of a period: a calendar unit, or `Once` for a period without end. */
export type Every = 'Hour' | 'Day' | 'Week' | 'Month' | 'Quarter' | 'Year' | 'Once';

/** The period of a budget, at whose end it starts again at zero. */
export interface CompiledPeriod {
  readonly every: Every;
  readonly timeZone: string;
  /** The start of a `Once`, in milliseconds since the epoch. */
  readonly start?: number;
}

/** What callers may see of a spanning budget: its name and reset; how much of it is used too; or its amounts as well. */
export type Disclosure = 'Name' | 'Percent' | 'Amounts';

/** What only a spanning budget has. */
export interface CompiledSpanning {
  /** For the operator: while a later edit is not accepted, namespaces and workspaces that are new are selected by it. */
  readonly selector: LabelSelector;
  readonly disclosure: Disclosure;
}

/** A compiled budget, independent of its workspaces. Amounts in nano-dollars. */
export interface CompiledBudget {
  readonly namespace: string;
  readonly name: string;
  readonly generation: number;
  readonly mode: BudgetMode;
  /**
   * Of mode Observe: the instant from which the budget is enforced, in milliseconds since the epoch; `END_OF_TIME` for
   * none. Absent in schema 3, where no budget had one.
   */
  readonly observeUntil?: number;
  readonly suspend: boolean;
  readonly scope: CompiledScope;
  /** The attributes that have a counter for each value; empty for one shared pool. */
  readonly per: readonly string[];
  readonly period: CompiledPeriod;
  /** The limit of the pool, or with `per` of each value. */
  readonly limitNano: Nano;
  /** With `per`: the limit of all values together. */
  readonly totalNano?: Nano;
  readonly toleranceNano: Nano;
  /**
   * Of a spanning budget: the part of what is left that the calls of one workspace may have in flight while a call of
   * another one waits, in percent. Absent: all of it.
   */
  readonly workspaceReservePercent?: number;
  readonly overrides: readonly { readonly values: readonly string[]; readonly limitNano: Nano }[];
  readonly grants: readonly CompiledGrant[];
  readonly exempt?: CompiledExemption;
  readonly criticalExtraNano: Nano;
  /** Only of a spanning budget: it looks only at attributes that the platform fixes. Absent in schema 2. */
  readonly spanning?: CompiledSpanning;
}

/** Raises every cap of a budget while it is in force. */
export interface CompiledGrant {
  readonly amountNano: Nano;
  /** Half-open, in milliseconds since the epoch. */
  readonly from: number;
  readonly until: number;
}

/** The credentials of a workspace, in its Secret shard. */
export interface Credentials {
  /** The upstream's API key; null if its Secret was deleted or is not valid any more. */
  readonly upstreamKey: string | null;
  /** The Secret of the upstream key, in the workspace's namespace. */
  readonly upstreamSecret: { readonly name: string; readonly key: string };
  /** SHA-256 (hex) of each caller key by key name; the keys themselves stay in the Secrets of the workspace's namespace. */
  readonly keys: Readonly<Record<string, string>>;
}

/** The limits of single values of `per`, by the JSON of the value. Nano-dollars. */
export function overridesOf({ overrides }: Pick<CompiledBudget, 'overrides'>): ReadonlyMap<string | null, Nano> {
  return new Map(overrides.map(({ values, limitNano }) => [JSON.stringify(values), limitNano]));
}

/** The keys of a workspace with the attributes that the platform fixes, over their own. */
export function keysOf({
  keys,
  namespaceAttributes,
}: Pick<CompiledWorkspace, 'keys' | 'namespaceAttributes'>): readonly CompiledKey[] {
  return keys.map((key) => ({ ...key, attributes: { ...key.attributes, ...namespaceAttributes } }));
}

export function refOf(object: { readonly namespace: string; readonly name: string }): Ref {
  return `${object.namespace}/${object.name}`;
}

/**
 * Fits the workspaces of a pair of shards into it. What shrinks goes in. What grows goes in if its namespace has room for
 * it; else its restrained form does, which has the protection of the edit and is no longer than what is stored. So no
 * tenant can keep another's suspension, revocation or lowered limit from being enforced.
 */

import type { Settings } from '../config/settings.ts';
import { type Address, type CompiledBudget, type Credentials, type Ref, refOf } from '../core/compiled-policy.ts';
import { type Bytes, type Growth, ShardRoom } from '../shards/shard-room.ts';
import type { PreviousShards } from '../shards/shard-set.ts';
import type { CompileCache } from './compile-cache.ts';
import type { CompileInput } from './compile-input.ts';
import { type OwnPart, ownPartOf } from './compile-workspace.ts';
import {
  type DraftWorkspace,
  type FittedWorkspace,
  fittedWorkspace,
  isStored,
  storedCredentials,
  storedWorkspace,
} from './draft-workspace.ts';
import { budgetBytes, credentialsBytes, spanningBytes, storedBytes, workspaceBytes } from './part-bytes.ts';
import { restrainBudget, restrainCredentials, restrainWorkspace } from './restrained.ts';

/** What does not fit. */
export interface LeftOut {
  /** Workspaces and budgets, each with its own bytes. */
  readonly workspaces: Map<Ref, Bytes>;
  readonly budgets: Map<Ref, Bytes>;
  /** By workspace: the addresses of spanning budgets that should apply to it. */
  readonly spanning: Map<Ref, readonly Address[]>;
}

export interface FittedShard {
  readonly workspaces: readonly FittedWorkspace[];
  readonly leftOut: LeftOut;
}

/** The workspace without its budgets. */
interface Base {
  readonly own: OwnPart;
  readonly credentials: Credentials;
}

/** What is stored of a workspace. */
interface Last extends Base {
  readonly spanning: readonly Address[];
  readonly budgets: ReadonlyMap<Ref, CompiledBudget>;
}

export function fitWorkspaces(
  drafts: readonly DraftWorkspace[],
  input: CompileInput,
  cache: CompileCache,
): FittedShard {
  const room = new ShardRoom();
  const leftOut: LeftOut = { workspaces: new Map(), budgets: new Map(), spanning: new Map() };
  const fitted = drafts.map((draft) => {
    const whole = wholeWorkspace(draft, input);
    const bytes = bytesIfStored(whole, input.previous, cache);
    if (bytes === null) return new ChangedWorkspace(draft, input.previous, cache);
    room.add(draft.own.namespace, bytes);
    return whole;
  });
  const changed = fitted.filter((one) => one instanceof ChangedWorkspace);
  for (const one of changed) one.takeFloor(room, input.settings);
  for (const one of changed) one.takeSpanning(room, leftOut);
  room.grant(changed.flatMap((one) => one.growths(leftOut)));
  const workspaces = fitted.flatMap((one) => (one instanceof ChangedWorkspace ? (one.taken(input) ?? []) : one));
  return { workspaces, leftOut };
}

function wholeWorkspace(draft: DraftWorkspace, input: CompileInput): FittedWorkspace {
  return fittedWorkspace(draft, { ...draft, budgets: draft.budgets.map(({ compiled }) => compiled) }, input);
}

/** The bytes of a workspace that is stored as it is; null if it changed. */
function bytesIfStored(
  { ref, content, credentials }: FittedWorkspace,
  previous: PreviousShards,
  cache: CompileCache,
): Bytes | null {
  const stored = storedWorkspace(previous, ref);
  if (stored === null || !isStored(content, stored.workspace, cache)) return null;
  const entry = storedCredentials(previous, ref);
  if (entry?.checksum !== content.credentials) return null;
  return { policy: storedBytes(stored, cache), keys: ref.length + cache.bytes(entry, credentials) };
}

/** A workspace that changed, while it is decided what of it fits. */
class ChangedWorkspace {
  readonly #draft: DraftWorkspace;
  readonly #cache: CompileCache;
  readonly #last: Last | null;
  /** Null while nothing of the workspace is taken. */
  #base: Base | null = null;
  #spanning: readonly Address[] = [];
  readonly #budgets = new Map<Ref, CompiledBudget>();

  constructor(draft: DraftWorkspace, previous: PreviousShards, cache: CompileCache) {
    this.#draft = draft;
    this.#cache = cache;
    this.#last = lastOf(draft, previous);
  }

  /** Takes what has room in any case. */
  takeFloor(room: ShardRoom, settings: Settings): void {
    const last = this.#last;
    if (last === null) return;
    const { own, spanning, budgets } = this.#draft;
    const names = new Set(last.spanning.map(nameOf));
    this.#base = this.#baseFloor(last, settings);
    this.#spanning = spanning.filter((address) => names.has(nameOf(address)));
    room.add(own.namespace, this.#baseBytes(this.#base));
    room.add(own.namespace, { policy: spanningBytes(this.#spanning), keys: 0 });
    for (const { compiled } of budgets) {
      const stored = last.budgets.get(refOf(compiled));
      if (stored === undefined) continue;
      const grows = budgetBytes(compiled, this.#cache) > budgetBytes(stored, this.#cache);
      const floor = grows ? restrainBudget(stored, compiled) : compiled;
      this.#budgets.set(refOf(compiled), floor);
      room.add(own.namespace, { policy: budgetBytes(floor, this.#cache), keys: 0 });
    }
  }

  /** Takes the spanning budgets that now apply to it. */
  takeSpanning(room: ShardRoom, leftOut: LeftOut): void {
    const { ref, own, spanning } = this.#draft;
    const added = spanning.filter((address) => !this.#spanning.includes(address));
    if (this.#base === null || added.length === 0) return;
    if (room.addSpanning(own.namespace, spanningBytes(added))) this.#spanning = spanning;
    else leftOut.spanning.set(ref, added);
  }

  /** What grows beyond the floor. */
  growths(leftOut: LeftOut): readonly Growth[] {
    const { ref, created, own, credentials, budgets } = this.#draft;
    const { namespace } = own;
    const isWhole = this.#base?.own === own && this.#base.credentials === credentials;
    const ofBase: Growth = {
      namespace,
      order: `0 ${created} ${ref}`,
      bytes: this.#baseGrowth(),
      isUseful: () => true,
      take: () => this.#takeBase(),
      refuse: () => void leftOut.workspaces.set(ref, this.#baseBytes(this.#draft)),
    };
    const ofBudgets = budgets.flatMap(({ created, compiled }): Growth | [] => {
      const floor = this.#budgets.get(refOf(compiled));
      if (floor === compiled) return [];
      const policy = budgetBytes(compiled, this.#cache);
      const less = floor === undefined ? 0 : budgetBytes(floor, this.#cache);
      return {
        namespace,
        order: `1 ${created} ${refOf(compiled)}`,
        bytes: { policy: policy - less, keys: 0 },
        isUseful: () => this.#base !== null,
        take: () => void this.#budgets.set(refOf(compiled), compiled),
        refuse: () => void leftOut.budgets.set(refOf(compiled), { policy, keys: 0 }),
      };
    });
    return isWhole ? ofBudgets : [ofBase, ...ofBudgets];
  }

  /** What is taken; null if nothing. */
  taken(input: CompileInput): FittedWorkspace | null {
    if (this.#base === null) return null;
    const budgets = this.#draft.budgets.flatMap(({ compiled }) => this.#budgets.get(refOf(compiled)) ?? []);
    return fittedWorkspace(this.#draft, { ...this.#base, spanning: this.#spanning, budgets }, input);
  }

  #takeBase(): void {
    if (this.#base === null) this.#spanning = this.#draft.spanning;
    this.#base = this.#draft;
  }

  #baseFloor(last: Last, settings: Settings): Base {
    const next = this.#draft;
    const [nextBytes, lastBytes] = [this.#baseBytes(next), this.#baseBytes(last)];
    if (nextBytes.policy <= lastBytes.policy && nextBytes.keys <= lastBytes.keys) return next;
    const own = restrainWorkspace(last.own, next.own);
    return { own, credentials: restrainCredentials(last.credentials, next, own, settings) };
  }

  #baseGrowth(): Bytes {
    const { policy, keys } = this.#baseBytes(this.#draft);
    if (this.#base === null) return { policy: policy + spanningBytes(this.#draft.spanning), keys };
    const floor = this.#baseBytes(this.#base);
    return { policy: policy - floor.policy, keys: keys - floor.keys };
  }

  #baseBytes({ own, credentials }: Base): Bytes {
    return {
      policy: workspaceBytes(own, this.#draft.prices, this.#cache),
      keys: credentialsBytes(own, credentials),
    };
  }
}

/** Null if nothing is stored of this object. */
function lastOf({ ref, own }: DraftWorkspace, previous: PreviousShards): Last | null {
  const workspace = storedWorkspace(previous, ref)?.workspace;
  const credentials = storedCredentials(previous, ref)?.credentials;
  if (workspace === undefined || credentials === undefined) return null;
  if (workspace.uid !== undefined && workspace.uid !== own.uid) return null;
  const budgets = new Map(workspace.budgets.map((budget) => [refOf(budget), budget]));
  return { own: ownPartOf(workspace), credentials, spanning: workspace.spanning, budgets };
}

/** The address without its checksum. */
function nameOf(address: Address): string {
  return address.slice(0, address.lastIndexOf('.'));
}

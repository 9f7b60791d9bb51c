import { type CompiledBudget, type Ref, refOf } from '../core/compiled-policy.ts';
import { SHARD_BYTES } from '../shards/shard-format.ts';
import { compareAge } from './budget-places.ts';
import { selectedWorkspaces, type TargetedBudget, type Workspaces } from './budget-targets.ts';
import type { CompileCache } from './compile-cache.ts';
import type { CompileInput } from './compile-input.ts';
import { restrainBudget } from './restrained.ts';
import { noRoomInSharedShard } from './too-large.ts';

/** What spanning budgets may take of the shared shard; the rest is for price books. */
const ROOM = SHARD_BYTES / 2;
/** What an entry has beside the budget: `budget.`, its name, and a checksum. */
const ADDRESS_BYTES = 128;

/**
 * Fits the spanning budgets into the shared shard, the oldest first. One that grew and does not fit keeps its last form
 * with what its edit suspends and lowers, in all workspaces that either selects; a new one that does not fit applies
 * nowhere. Tenants have no part in it.
 */
export function fitSpanning(
  budgets: readonly TargetedBudget[],
  existing: Workspaces,
  input: CompileInput,
  cache: CompileCache,
): readonly TargetedBudget[] {
  const stored = new Map([...(input.previous.shared?.budgets.values() ?? [])].map((budget) => [refOf(budget), budget]));
  const bytesOf = (budget: CompiledBudget | null): number =>
    budget === null ? 0 : cache.bytes(budget) + ADDRESS_BYTES;
  const spanning = budgets.filter((budget) => budget.spanning && budget.compiled !== null);
  const floors = new Map(spanning.map((budget) => [budget, floorOf(budget.compiled!, stored, bytesOf)]));
  let total = [...floors.values()].reduce((sum, floor) => sum + bytesOf(floor), 0);
  const fitted = new Map<TargetedBudget, TargetedBudget>();
  for (const budget of spanning.toSorted(compareAge)) {
    const floor = floors.get(budget)!;
    const grown = total + bytesOf(budget.compiled) - bytesOf(floor);
    if (grown <= ROOM || floor === budget.compiled) total = grown;
    else
      fitted.set(budget, {
        ...budget,
        ...lastForm(budget, floor, existing, input),
        accepted: noRoomInSharedShard(grown, floor !== null),
      });
  }
  return budgets.map((budget) => fitted.get(budget) ?? budget);
}

/** Applies to what the last form selects and to what the edit selects: an edit that is not taken frees no workspace. */
function lastForm(
  { workspaces }: TargetedBudget,
  floor: CompiledBudget | null,
  existing: Workspaces,
  input: CompileInput,
): Pick<TargetedBudget, 'compiled' | 'workspaces'> {
  if (floor === null) return { compiled: null, workspaces: [] };
  const before = floor.spanning === undefined ? [] : selectedWorkspaces(floor.spanning.selector, existing, input);
  return { compiled: floor, workspaces: [...new Set([...workspaces, ...before])].toSorted() };
}

function floorOf(
  next: CompiledBudget,
  stored: ReadonlyMap<Ref, CompiledBudget>,
  bytesOf: (budget: CompiledBudget) => number,
): CompiledBudget | null {
  const last = stored.get(refOf(next));
  if (last === undefined) return null;
  return bytesOf(next) <= bytesOf(last) ? next : restrainBudget(last, next);
}

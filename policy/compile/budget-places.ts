import type { Ref } from '../core/compiled-policy.ts';
import type { Finding } from '../core/conditions.ts';
import type { TargetedBudget } from './budget-targets.ts';

/** The most budgets that apply to a workspace: the ledger checks each of them at every call. */
const MAX_BUDGETS = 64;
/** Of these, the most that span workspaces; so a tenant always has room for as many of its own. */
const MAX_SPANNING = 32;

/**
 * Gives each workspace at most `MAX_BUDGETS` budgets: first the oldest spanning ones, then the oldest of its own. So no
 * tenant keeps a spanning budget out, and no new budget takes the place of an older one of its kind. Keeps the order.
 */
export function placeBudgets(budgets: readonly TargetedBudget[]): readonly TargetedBudget[] {
  const byAge = budgets.filter(({ compiled }) => compiled !== null).toSorted(compareAge);
  const spanning = byAge.filter((one) => one.spanning);
  const own = byAge.filter((one) => !one.spanning);
  const spanningCounts = new Map<Ref, number>();
  const ownCounts = new Map<Ref, number>();
  const placed = new Map<TargetedBudget, TargetedBudget>();
  for (const budget of spanning) {
    placed.set(
      budget,
      placeSpanning(budget, (ref) => take(spanningCounts, ref, MAX_SPANNING)),
    );
  }
  for (const budget of own) {
    const max = (ref: Ref): number => MAX_BUDGETS - (spanningCounts.get(ref) ?? 0);
    const isPlaced = budget.workspaces.every((ref) => take(ownCounts, ref, max(ref)));
    placed.set(budget, isPlaced ? budget : withoutPlace(budget, spanningCounts));
  }
  return budgets.map((budget) => placed.get(budget) ?? budget);
}

/** Oldest first. Names decide between budgets of the same second. */
export function compareAge(a: TargetedBudget, b: TargetedBudget): number {
  if (a.created !== b.created) return a.created < b.created ? -1 : 1;
  return a.ref < b.ref ? -1 : a.ref > b.ref ? 1 : 0;
}

function take(counts: Map<Ref, number>, workspace: Ref, max: number): boolean {
  const count = counts.get(workspace) ?? 0;
  if (count >= max) return false;
  counts.set(workspace, count + 1);
  return true;
}

function placeSpanning(budget: TargetedBudget, takePlace: (workspace: Ref) => boolean): TargetedBudget {
  const workspaces = budget.workspaces.filter(takePlace);
  const lost = budget.workspaces.length - workspaces.length;
  if (lost === 0) return budget;
  const kept = new Set(workspaces);
  const example = budget.workspaces.find((ref) => !kept.has(ref))!;
  const message = `${MAX_SPANNING} older spanning budgets apply to ${example}, and no more may; so this one does not apply to ${lost} of the ${budget.workspaces.length} workspaces that it selects. Delete a spanning budget, or select fewer namespaces.`;
  return { ...budget, workspaces, accepted: tooMany(message) };
}

function withoutPlace(budget: TargetedBudget, spanning: ReadonlyMap<Ref, number>): TargetedBudget {
  const workspace = budget.workspaces[0]!;
  const count = spanning.get(workspace) ?? 0;
  const message = `spec.workspaceRef: at most ${MAX_BUDGETS} budgets apply to a workspace, and ${count} spanning ones and ${MAX_BUDGETS - count} older ones of its own apply to ${workspace}; so this one is not in force. Delete one of them, or let one budget with spec.per replace several.`;
  return { ...budget, compiled: null, workspaces: [], accepted: tooMany(message) };
}

function tooMany(message: string): Finding<'Accepted'> {
  return { reason: 'TooManyBudgets', message };
}

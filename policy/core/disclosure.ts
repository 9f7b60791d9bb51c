import type { CompiledBudget, CompiledWorkspace, Disclosure } from './compiled-policy.ts';
import { type Nano, percentUsed } from './money.ts';

/** The figures of a counter that callers may see. Money in nano-dollars. */
export interface DisclosedFigures {
  /** Rounded up. */
  readonly percentUsed: number;
  /** Null if they may see the percentage only. */
  readonly amounts: { readonly limitNano: Nano; readonly spentNano: Nano } | null;
}

/**
 * How much the callers of a workspace may see of a budget: all of their own, and of a spanning one what its spec says.
 * Whatever shows a budget to callers asks here.
 */
export function disclosureOf(
  { namespace, per, spanning }: Pick<CompiledBudget, 'namespace' | 'per' | 'spanning'>,
  workspace: Pick<CompiledWorkspace, 'namespace' | 'namespaceAttributes'>,
): Disclosure {
  // In schema 2 a spanning budget does not say that it is one.
  if (spanning === undefined) return namespace === workspace.namespace ? 'Amounts' : 'Name';
  // A value that a tenant chooses may be another's.
  const isFixed = per.every((name) => Object.hasOwn(workspace.namespaceAttributes ?? {}, name));
  return isFixed ? spanning.disclosure : 'Name';
}

/** The figures of a counter that callers may see; null if they may see none. Nano-dollars. */
export function disclosedFigures(
  disclosure: Disclosure,
  { limitNano, spentNano }: { readonly limitNano: Nano; readonly spentNano: Nano },
): DisclosedFigures | null {
  if (disclosure === 'Name') return null;
  const amounts = disclosure === 'Amounts' ? { limitNano, spentNano } : null;
  return { percentUsed: percentUsed(spentNano, limitNano), amounts };
}

import type { CompiledBudget, CompiledWorkspace, Disclosure } from './compiled-policy.ts';
import { type Nano, percentUsed } from './money.ts';

/** The amounts of a counter that a percentage needs. Nano-dollars. */
interface Amounts {
  readonly limitNano: Nano;
  readonly spentNano: Nano;
}

/** The figures of a counter that callers may see. */
export interface DisclosedFigures<T extends Amounts = Amounts> {
  /** Rounded up. */
  readonly percentUsed: number;
  /** Null if they may see the percentage only. */
  readonly amounts: T | null;
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

/** The figures of a counter that callers may see; null if they may see none. */
export function disclosedFigures<T extends Amounts>(disclosure: Disclosure, amounts: T): DisclosedFigures<T> | null {
  if (disclosure === 'Name') return null;
  return {
    percentUsed: percentUsed(amounts.spentNano, amounts.limitNano),
    amounts: disclosure === 'Amounts' ? amounts : null,
  };
}

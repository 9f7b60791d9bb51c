import type { CompileInput } from '../../policy/compile/compile-input.ts';
import type { Hash } from '../../policy/compile/shards.ts';
import type { Settings } from '../../policy/config/settings.ts';
import type { Informers } from '../cluster/informers.ts';
import type { UpstreamSecrets } from '../cluster/upstream-secrets.ts';
import type { KeysReconciler } from './keys-reconciler.ts';
import type { PriceBookSource } from './price-book-source.ts';

interface Sources {
  readonly settings: Settings;
  readonly clock: () => number;
  readonly hash: Hash;
  readonly world: Informers;
  readonly keys: KeysReconciler;
  readonly upstreamSecrets: UpstreamSecrets;
  readonly prices: PriceBookSource;
  readonly epoch: () => string | null;
}

/** The bag of all resources as the caches have them. */
export function compileInput(from: Sources): Omit<CompileInput, 'previous' | 'fences'> {
  const { world, settings, hash } = from;
  const labels = world.namespaces.values().map(({ metadata }) => [metadata.name, metadata.labels ?? {}] as const);
  return {
    settings,
    now: from.clock(),
    hash,
    epoch: from.epoch(),
    workspaces: world.workspaces.values(),
    budgets: world.budgets.values(),
    namespaces: new Map(labels),
    upstreamSecrets: from.upstreamSecrets.all(),
    callerKeys: from.keys.hashes(),
    secretConflicts: from.keys.conflicts,
    prices: from.prices.current,
  };
}

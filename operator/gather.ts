import type { CompileInput } from '../policy/compilation.ts';
import type { Settings } from '../policy/settings.ts';
import type { Hash } from '../policy/shards.ts';
import type { Keys } from './keys.ts';
import type { Prices } from './prices.ts';
import type { UpstreamSecrets } from './upstreamsecrets.ts';
import type { World } from './world.ts';

interface Sources {
  readonly settings: Settings;
  readonly clock: () => number;
  readonly hash: Hash;
  readonly world: World;
  readonly keys: Keys;
  readonly upstreamSecrets: UpstreamSecrets;
  readonly prices: Prices;
  readonly epoch: () => string | null;
}

/** The bag of all resources as the caches have them. */
export function gather(from: Sources): Omit<CompileInput, 'previous' | 'fences'> {
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

import type { CompileInput } from '../../policy/compile/compile-input.ts';
import type { Hash } from '../../policy/compile/shard-format.ts';
import type { Settings } from '../../policy/config/settings.ts';
import type { Informers } from '../cluster/informers.ts';
import type { CallerKeyIndex } from '../keys/caller-key-index.ts';
import type { UpstreamSecrets } from '../keys/upstream-secrets.ts';
import type { CheckpointStore } from '../ledger/checkpoint.ts';
import type { PriceBookSource } from './price-book-source.ts';

export interface InputSources {
  readonly settings: Settings;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly hash: Hash;
  readonly informers: Pick<Informers, 'workspaces' | 'budgets' | 'namespaces'>;
  readonly callerKeys: Pick<CallerKeyIndex, 'hashes' | 'conflicts'>;
  readonly upstreamSecrets: Pick<UpstreamSecrets, 'all'>;
  readonly prices: Pick<PriceBookSource, 'current'>;
  readonly checkpoints: Pick<CheckpointStore, 'usableEpoch'>;
}

/** Gathers all resources as the informers have them: a compilation's input, but for what the reconciler itself reads. */
export function gatherCompileInput(sources: InputSources): Omit<CompileInput, 'previous' | 'fences'> {
  const { settings, hash, clock, informers, callerKeys, upstreamSecrets, prices, checkpoints } = sources;
  const labels = informers.namespaces.values().map(({ metadata }) => [metadata.name, metadata.labels ?? {}] as const);
  return {
    settings,
    now: clock(),
    hash,
    epoch: checkpoints.usableEpoch,
    workspaces: informers.workspaces.values(),
    budgets: informers.budgets.values(),
    namespaces: new Map(labels),
    upstreamSecrets: upstreamSecrets.all(),
    callerKeys: callerKeys.hashes(),
    secretConflicts: callerKeys.conflicts,
    prices: prices.current,
  };
}

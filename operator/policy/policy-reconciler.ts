import type { ClaudeWorkspace } from '../../crds/types.gen.ts';
import type { LivingGateway, OperatorLedger } from '../../ledger/operator-ledger.ts';
import { CompileCache } from '../../policy/compile/compile-cache.ts';
import type { CompileInput } from '../../policy/compile/compile-input.ts';
import type { CompileOutput, ShardWrite, WorkspaceOutcome } from '../../policy/compile/compile-output.ts';
import { compile } from '../../policy/compile/compile.ts';
import type { Settings } from '../../policy/config/settings.ts';
import { COMPILED_SCHEMA, type Ref, refOf } from '../../policy/core/compiled-policy.ts';
import { type Hash, SHARED_SHARD } from '../../policy/shards/shard-format.ts';
import type { Informers } from '../cluster/informers.ts';
import type { CallerKeyIndex } from '../keys/caller-key-index.ts';
import type { UpstreamSecrets } from '../keys/upstream-secrets.ts';
import type { CheckpointStore } from '../ledger/checkpoint.ts';
import type { OwnFile } from './own-file.ts';
import { type PublishedPolicy, isOutcomeOf } from './published-policy.ts';
import type { ShardStore } from './shard-store.ts';

/** A running gateway cannot read what this operator would write. */
export class GatewayTooOld extends Error {
  override readonly name = 'GatewayTooOld';
}

interface PolicyOptions {
  readonly sources: InputSources;
  readonly ledger: Pick<OperatorLedger, 'fences' | 'raiseFences' | 'forgetFences' | 'gateways'>;
  readonly store: Pick<ShardStore, 'previous' | 'write'>;
  readonly queues: {
    /** A new generation of the workspace is in force, or none any more: its Secrets may have to change. */
    addWorkspace(workspace: Ref): void;
    addStatus(): void;
  };
  /** Called with the problems of the last compilation when they change. */
  readonly onProblems: (problems: readonly string[]) => void;
}

/** What a workspace refers to is written before it: first what all share, then keys, then policies. */
const WRITE_ORDER: readonly ((shard: ShardWrite) => boolean)[] = [
  ({ name }) => name === SHARED_SHARD,
  ({ kind }) => kind === 'Secret',
  ({ kind, name }) => kind === 'ConfigMap' && name !== SHARED_SHARD,
];

/** Compiles all resources at once, writes the shards that changed, then raises the fences. */
export class PolicyReconciler {
  readonly #options: PolicyOptions;
  readonly #cache = new CompileCache();
  #published: PublishedPolicy | undefined;
  #fences: ReadonlyMap<Ref, number> | null = null;
  #last: Promise<void> = Promise.resolve();
  #passes = 0;

  constructor(options: PolicyOptions) {
    this.#options = options;
  }

  /** The last compilation whose shards were written; undefined before the first. */
  get published(): PublishedPolicy | undefined {
    return this.#published;
  }

  /** The fences that the ledger is known to hold; null where it did not answer. */
  get fences(): ReadonlyMap<Ref, number> | null {
    return this.#fences;
  }

  get isRunning(): boolean {
    return this.#passes > 0;
  }

  /** Does a pass after those asked for before. Throws KubeError, LedgerUnreachable or GatewayTooOld: repeat it then. */
  reconcile(): Promise<void> {
    this.#passes += 1;
    const pass = this.#last
      .then(() => this.#reconcile())
      .finally(() => {
        this.#passes -= 1;
        this.#options.queues.addStatus();
      });
    this.#last = pass.catch(() => undefined);
    return pass;
  }

  /** Whether the workspace as it is now is accepted and in the shards. */
  isInForce(workspace: ClaudeWorkspace): boolean {
    if (this.#published === undefined) return false;
    const outcome = this.#published.output.workspaces.get(refOf(workspace.metadata));
    return outcome?.accepted.reason === 'Accepted' && isOutcomeOf(workspace, outcome, this.#published);
  }

  async #reconcile(): Promise<void> {
    const { ledger, store, sources } = this.#options;
    const read = await ledger.fences().catch((error: unknown) => ({ error }));
    if (!('error' in read)) requireCompatibleGateways(await ledger.gateways());
    const fences: ReadonlyMap<Ref, number> = 'error' in read ? new Map() : read;
    const input = { ...gatherCompileInput(sources), previous: store.previous(), fences };
    const output = compile(input, this.#cache);
    for (const isNext of WRITE_ORDER) await this.#write(output.shards.filter((shard) => isNext(shard)));
    const uids = new Set([...input.workspaces, ...input.budgets].map(({ metadata }) => metadata.uid));
    this.#keep({ output, uids }, 'error' in read ? null : read);
    // The gateways have the edit now; the fences make sure that none admits calls without it.
    if ('error' in read) throw read.error;
    await this.#writeFences(output, fences);
  }

  /** Raises the fences of what is in force; those of what is gone are forgotten once every workspace in force has one. */
  async #writeFences(output: CompileOutput, read: ReadonlyMap<Ref, number>): Promise<void> {
    const { ledger } = this.#options;
    const fences = new Map([...read, ...output.fences]);
    if (output.fences.size > 0) {
      await ledger.raiseFences(output.fences);
      this.#fences = fences;
    }
    const isUnfenced = ([ref, { inForce }]: readonly [Ref, WorkspaceOutcome]) => inForce !== null && !fences.has(ref);
    if (output.gone.size === 0 || [...output.workspaces].some(isUnfenced)) return;
    await ledger.forgetFences(output.gone);
    this.#fences = new Map([...fences].filter(([ref]) => !output.gone.has(ref)));
  }

  /** Writes shards in parallel. All writes have ended when it throws. */
  async #write(shards: readonly ShardWrite[]): Promise<void> {
    const results = await Promise.allSettled(shards.map((shard) => this.#options.store.write(shard)));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  #keep(compilation: PublishedPolicy, fences: ReadonlyMap<Ref, number> | null): void {
    const { queues, onProblems } = this.#options;
    const before = this.#published?.output;
    const { output } = compilation;
    this.#published = compilation;
    this.#fences = fences;
    for (const ref of changedWorkspaces(before, output)) queues.addWorkspace(ref);
    queues.addStatus();
    if (output.problems.join('\n') !== (before?.problems ?? []).join('\n')) onProblems(output.problems);
  }
}

/** The workspaces of which another generation is in force. */
function changedWorkspaces(before: CompileOutput | undefined, { workspaces }: CompileOutput): readonly Ref[] {
  const generationOf = (ref: Ref) => before?.workspaces.get(ref)?.inForce?.generation;
  return [...workspaces].flatMap(([ref, { inForce }]) => (inForce?.generation === generationOf(ref) ? [] : [ref]));
}

/**
 * Refuses to write what a running gateway cannot read: the fence of a policy that it does not know would stop all of
 * its calls. What it knows stays in force meanwhile. Throws GatewayTooOld, so that the compilation is tried again.
 */
function requireCompatibleGateways(gateways: readonly LivingGateway[]): void {
  // The first version did not report its schema.
  const old = gateways.filter(({ schema = 1 }) => schema < COMPILED_SCHEMA).map(({ pod }) => pod);
  if (old.length === 0) return;
  throw new GatewayTooOld(
    `${old.join(', ')} cannot read policy of schema ${COMPILED_SCHEMA}, so nothing is written until each is replaced (docs/reference/versions.md)`,
  );
}

interface InputSources {
  readonly settings: Settings;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly hash: Hash;
  readonly informers: Pick<Informers, 'workspaces' | 'budgets' | 'namespaces'>;
  readonly callerKeys: Pick<CallerKeyIndex, 'hashes' | 'conflicts'>;
  readonly upstreamSecrets: Pick<UpstreamSecrets, 'all'>;
  readonly prices: Pick<OwnFile, 'current'>;
  readonly names: Pick<OwnFile, 'current'>;
  /** Names under which a call cost more than its highest bound. */
  readonly seenNames: { readonly exceeded: readonly string[] };
  readonly checkpoints: Pick<CheckpointStore, 'usableEpoch'>;
}

/** Gathers all resources as the informers have them: a compilation's input, but for what the reconciler itself reads. */
function gatherCompileInput(sources: InputSources): Omit<CompileInput, 'previous' | 'fences'> {
  const { settings, hash, clock, informers, callerKeys, upstreamSecrets, prices, names, seenNames, checkpoints } =
    sources;
  const namespaces = informers.namespaces
    .values()
    .map(({ metadata: { name, uid = '', labels = {} } }) => [name, { uid, labels }] as const);
  return {
    settings,
    now: clock(),
    hash,
    epoch: checkpoints.usableEpoch,
    workspaces: informers.workspaces.values(),
    budgets: informers.budgets.values(),
    namespaces: new Map(namespaces),
    upstreamSecrets: upstreamSecrets.all(),
    callerKeys: callerKeys.hashes(),
    secretConflicts: callerKeys.conflicts,
    prices: prices.current,
    names: names.current,
    exceeded: seenNames.exceeded,
  };
}

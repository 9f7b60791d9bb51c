import type { ClaudeWorkspace } from '../../crds/types.gen.ts';
import type { KubeObject } from '../../kube/object.ts';
import type { OperatorLedger } from '../../ledger/ledger.ts';
import { CompileCache } from '../../policy/compile/compile-cache.ts';
import type { CompileInput } from '../../policy/compile/compile-input.ts';
import type { CompileOutput, ShardWrite } from '../../policy/compile/compile-output.ts';
import { compile } from '../../policy/compile/compile.ts';
import { SHARED_SHARD } from '../../policy/compile/shards.ts';
import type { Ref } from '../../policy/core/compiled-policy.ts';
import { refOf } from '../../policy/core/compiled-policy.ts';
import { requireCompatibleGateways } from './gateway-compat.ts';
import type { ShardStore } from './shard-store.ts';

interface PolicyOptions {
  readonly ledger: Pick<OperatorLedger, 'fences' | 'raiseFences' | 'gateways'>;
  readonly store: Pick<ShardStore, 'previous' | 'write'>;
  /** Everything else that compile wants, from the caches as they are now. */
  readonly gather: () => Omit<CompileInput, 'previous' | 'fences'>;
  /** Shards, or fences too, are written as far as could be; `accepted` names the workspaces of which a new generation is in force. */
  readonly onCompiled: (accepted: readonly Ref[]) => void;
  /** What the administrator must know, when it changes. */
  readonly onProblems: (problems: readonly string[]) => void;
}

/** What a workspace names is there before the workspace: what all share, then keys, then policies. */
const ORDER: readonly ((shard: ShardWrite) => boolean)[] = [
  ({ name }) => name === SHARED_SHARD,
  ({ kind }) => kind === 'Secret',
  ({ kind, name }) => kind === 'ConfigMap' && name !== SHARED_SHARD,
];

/** Compiles all resources at once, writes the shards that changed, then raises the fences. */
export class PolicyReconciler {
  readonly #options: PolicyOptions;
  readonly #cache = new CompileCache();
  #output: CompileOutput | undefined;
  #uids: ReadonlySet<string | undefined> = new Set();
  #raised: ReadonlyMap<Ref, number> | null = null;
  #last: Promise<void> = Promise.resolve();
  #passes = 0;

  constructor(options: PolicyOptions) {
    this.#options = options;
  }

  /** What was compiled last, once its shards were written; undefined before. */
  get output(): CompileOutput | undefined {
    return this.#output;
  }

  /** The fences that are known to stand in the ledger; null where it did not answer. */
  get raised(): ReadonlyMap<Ref, number> | null {
    return this.#raised;
  }

  /** Whether what was compiled last is still being written. */
  get isUnderWay(): boolean {
    return this.#passes > 0;
  }

  /** One pass, after those that were asked for before. Throws a KubeError, LedgerUnreachable or ReaderTooOld where it has to be made again. */
  reconcile(): Promise<void> {
    this.#passes += 1;
    const pass = this.#last
      .then(() => this.#reconcile())
      .finally(() => {
        this.#passes -= 1;
        this.#options.onCompiled([]);
      });
    this.#last = pass.catch(() => undefined);
    return pass;
  }

  async #reconcile(): Promise<void> {
    const { ledger, store, gather } = this.#options;
    const read = await ledger.fences().catch((error: unknown) => ({ error }));
    if (!('error' in read)) requireCompatibleGateways(await ledger.gateways());
    const standing: ReadonlyMap<Ref, number> = 'error' in read ? new Map() : read;
    const input = { ...gather(), previous: store.previous(), fences: standing };
    const output = compile(input, this.#cache);
    for (const kind of ORDER) await this.#write(output.shards.filter((shard) => kind(shard)));
    this.#uids = new Set([...input.workspaces, ...input.budgets].map(({ metadata }) => metadata.uid));
    this.#take(output, 'error' in read ? null : read);
    // The edit is with the gateways now; what follows makes sure that none of them can act without it.
    if ('error' in read) throw read.error;
    if (output.fences.size === 0) return;
    await ledger.raiseFences(output.fences);
    this.#raised = new Map([...standing, ...output.fences]);
  }

  /** Side by side; all have ended when it throws. */
  async #write(shards: readonly ShardWrite[]): Promise<void> {
    const written = await Promise.allSettled(shards.map((shard) => this.#options.store.write(shard)));
    for (const one of written) if (one.status === 'rejected') throw one.reason;
  }

  /** Whether the verdict is over this very object, as it is now, and not over one that had its name before. */
  isOf({ metadata }: KubeObject, verdict: { readonly generation: number } | undefined): boolean {
    return verdict?.generation === metadata.generation && this.#uids.has(metadata.uid);
  }

  /** Whether what the workspace asks for now is accepted, and with the gateways. */
  isInForce(workspace: ClaudeWorkspace): boolean {
    const verdict = this.#output?.workspaces.get(refOf(workspace.metadata));
    return verdict?.accepted.reason === 'Accepted' && this.isOf(workspace, verdict);
  }

  #take(output: CompileOutput, standing: ReadonlyMap<Ref, number> | null): void {
    const { onCompiled, onProblems } = this.#options;
    const before = this.#output;
    this.#output = output;
    this.#raised = standing;
    const generationOf = (ref: Ref) => before?.workspaces.get(ref)?.inForce?.generation;
    const accepted = [...output.workspaces].filter(([ref, { inForce }]) => inForce?.generation !== generationOf(ref));
    onCompiled(accepted.map(([ref]) => ref));
    if (output.problems.join('\n') !== (before?.problems ?? []).join('\n')) onProblems(output.problems);
  }
}

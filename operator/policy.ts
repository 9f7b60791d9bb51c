import type { ClaudeWorkspace } from '../crds/types.gen.ts';
import type { OperatorLedger } from '../ledger/ledger.ts';
import { compile, type CompileInput, type CompileOutput } from '../policy/compile.ts';
import type { Ref } from '../policy/compiled.ts';
import { refOf } from '../policy/terms.ts';
import type { ShardStore } from './shardstore.ts';

export interface PolicyOptions {
  readonly ledger: Pick<OperatorLedger, 'fences' | 'raiseFences'>;
  readonly store: Pick<ShardStore, 'previous' | 'write'>;
  /** Everything else that compile wants, from the caches as they are now. */
  readonly gather: () => Omit<CompileInput, 'previous' | 'fences'>;
  /** Shards and fences are written as far as could be; `accepted` names the workspaces of which a new generation is in force. */
  readonly onCompiled: (accepted: readonly Ref[]) => void;
  /** What the administrator must know, when it changes. */
  readonly onProblems: (problems: readonly string[]) => void;
}

/** Compiles all resources at once, writes the shards that changed, then raises the fences. */
export class Policy {
  readonly #options: PolicyOptions;
  #output: CompileOutput | undefined;
  #raised: ReadonlyMap<Ref, number> = new Map();

  constructor(options: PolicyOptions) {
    this.#options = options;
  }

  /** What was compiled last, once its shards were written; undefined before. */
  get output(): CompileOutput | undefined {
    return this.#output;
  }

  /** The fences that are known to stand in the ledger. */
  get raised(): ReadonlyMap<Ref, number> {
    return this.#raised;
  }

  /** One pass. Throws a KubeProblem or LedgerUnreachable where it has to be made again. */
  async reconcile(): Promise<void> {
    const { ledger, store, gather } = this.#options;
    const read = await ledger.fences().catch((error: unknown) => ({ error }));
    const standing: ReadonlyMap<Ref, number> = 'error' in read ? new Map() : read;
    const output = compile({ ...gather(), previous: store.previous(), fences: standing });
    for (const shard of output.shards) await store.write(shard);
    this.#take(output, standing);
    // The edit is with the gateways now; what follows makes sure that none of them can act without it.
    if ('error' in read) throw read.error;
    const fences = lowFences(output, standing);
    if (fences.size === 0) return;
    await ledger.raiseFences(fences);
    this.#raised = new Map([...standing, ...fences]);
    this.#options.onCompiled([]);
  }

  /** Whether what the workspace asks for now is accepted, and with the gateways. */
  isInForce({ metadata }: ClaudeWorkspace): boolean {
    const verdict = this.#output?.workspaces.get(refOf(metadata));
    return verdict?.accepted.reason === 'Accepted' && verdict.generation === metadata.generation;
  }

  #take(output: CompileOutput, standing: ReadonlyMap<Ref, number>): void {
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

/**
 * What must rise: what changed, and whatever stands lower than what was written, because an operator died before it
 * raised a fence or the ledger was begun anew.
 */
function lowFences({ fences, workspaces }: CompileOutput, standing: ReadonlyMap<Ref, number>): Map<Ref, number> {
  const wanted = [...workspaces.values()].flatMap(({ proof }) => proof);
  const low = wanted.filter(({ workspace, version }) => version > (standing.get(workspace) ?? 0));
  return new Map([...low.map(({ workspace, version }) => [workspace, version] as const), ...fences]);
}

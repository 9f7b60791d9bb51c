import { parseAllDocuments, stringify } from 'yaml';
import type { ClaudeBudget, ClaudeWorkspace } from '../../../../crds/types.gen.ts';
import type { CompileInput, UpstreamSecret } from '../../../../policy/compile/compile-input.ts';
import type { CompileOutput } from '../../../../policy/compile/compile-output.ts';
import { compile } from '../../../../policy/compile/compile.ts';
import { parseSettings } from '../../../../policy/config/settings.ts';
import { carriedOut, EMPTY, namespacesOf, NOTHING, sha256, stored } from './stored.ts';

/**
 * One step of a golden file: what is applied, in full. Each YAML document of the file is compiled over what the one
 * before wrote. A workspace's caller keys exist, made up from their names, unless `callerKeys` says otherwise.
 */
interface Step {
  readonly step: string;
  readonly now?: string;
  readonly settings?: object;
  readonly epoch?: string | null;
  readonly namespaces?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly secrets?: Readonly<Record<string, UpstreamSecret>>;
  readonly callerKeys?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly secretConflicts?: Readonly<Record<string, readonly string[]>>;
  readonly prices?: Partial<CompileInput['prices']>;
  readonly resources?: readonly { readonly kind: 'ClaudeWorkspace' | 'ClaudeBudget' }[];
}

/** Compiles the steps of a golden file's input, one after the other, into the text of its output. */
export function goldenOutput(text: string): string {
  let before: Pick<CompileInput, 'previous' | 'fences'> = { previous: NOTHING, fences: new Map() };
  const answers = parseAllDocuments(text, { merge: true }).map((document) => {
    if (document.errors.length > 0) throw document.errors[0]!;
    const step = document.toJS() as Step;
    const input = { ...inputOf(step), ...before };
    const output = compile(input);
    before = carriedOut(output, before);
    return stringify({ step: step.step, ...shown(output) }, { lineWidth: 0, aliasDuplicateObjects: false });
  });
  return answers.join('---\n');
}

function inputOf(step: Step): CompileInput {
  const objects = (step.resources ?? []).map((resource) => stored(resource as { kind: 'ClaudeWorkspace' }) as unknown);
  const workspaces = objects.filter(
    (one): one is ClaudeWorkspace => (one as ClaudeWorkspace).kind === 'ClaudeWorkspace',
  );
  const budgets = objects.filter((one): one is ClaudeBudget => (one as ClaudeBudget).kind === 'ClaudeBudget');
  const made = workspaces.map(({ metadata, spec }) => [
    `${metadata.namespace}/${metadata.name}`,
    Object.fromEntries(spec.keys.map(({ name }) => [name, sha256(`${metadata.namespace}/${metadata.name}/${name}`)])),
  ]);
  const inUse = workspaces.map(({ metadata }) => [metadata.namespace, {}]);
  return {
    ...EMPTY,
    settings: parseSettings({ shards: 1, ...step.settings }),
    now: Date.parse(step.now ?? '2026-11-23T14:00:00Z'),
    epoch: step.epoch === undefined ? 'e1' : step.epoch,
    workspaces,
    budgets,
    namespaces: namespacesOf({ ...Object.fromEntries(inUse), ...step.namespaces }),
    upstreamSecrets: new Map(Object.entries(step.secrets ?? {})),
    callerKeys: new Map(Object.entries({ ...Object.fromEntries(made), ...step.callerKeys })),
    secretConflicts: new Map(Object.entries(step.secretConflicts ?? {})),
    prices: { ...EMPTY.prices, ...step.prices },
  };
}

function shown({ shards, fences, gone, workspaces, budgets, problems }: CompileOutput): object {
  return {
    shards: Object.fromEntries(
      shards.map(({ kind, name, revision, data }) => [
        name,
        {
          kind,
          revision,
          entries: Object.fromEntries(
            Object.entries(data)
              .filter(([entry]) => entry !== 'index')
              .map(([entry, text]) => [entry, entry.startsWith('prices.') ? '(a price book)' : JSON.parse(text)]),
          ),
        },
      ]),
    ),
    fences: Object.fromEntries(fences),
    ...(gone.size === 0 ? {} : { gone: Object.fromEntries(gone) }),
    workspaces: Object.fromEntries(
      [...workspaces].map(([ref, { inForce, budgets: applied, ...outcome }]) => [
        ref,
        {
          ...outcome,
          inForce: inForce?.generation ?? null,
          budgets: applied.map(({ namespace, name }) => `${namespace}/${name}`),
        },
      ]),
    ),
    budgets: Object.fromEntries(
      [...budgets].map(([ref, { inForce, ...outcome }]) => [ref, { ...outcome, inForce: inForce?.generation ?? null }]),
    ),
    problems,
  };
}

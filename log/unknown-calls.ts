import type { StreamEntry } from '../ledger/streams.ts';

/** A call that was forwarded with names that were neither known nor harmless. */
export interface UnknownCall {
  /** `namespace/name` of its workspace. */
  readonly workspace: string;
  readonly names: readonly string[];
  /** It cost more than the highest bound, which was set aside for it. */
  readonly hasExceeded: boolean;
}

/** Those among the entries of the usage stream. */
export function unknownCalls(entries: readonly StreamEntry[]): readonly UnknownCall[] {
  return entries.flatMap(({ record: { workspace, unknown } }) => {
    if (typeof unknown !== 'string' || typeof workspace !== 'string') return [];
    const { names, exceeded } = parsed(unknown);
    if (!Array.isArray(names)) return [];
    const texts = names.filter((name) => typeof name === 'string');
    return [{ workspace, names: texts, hasExceeded: exceeded === true }];
  });
}

function parsed(text: string): { readonly names?: unknown; readonly exceeded?: unknown } {
  try {
    return (JSON.parse(text) ?? {}) as object;
  } catch {
    return {};
  }
}

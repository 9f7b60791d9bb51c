import type { RequestFacts } from '../../policy/request/request.ts';
import type { ServerTool } from '../../policy/request/server-tools.ts';

/** The facts of a small, plain request for Opus 5.5, with a test's changes. */
export function factsOf(changes: Partial<RequestFacts> = {}): RequestFacts {
  return {
    model: 'claude-opus-5-5',
    maxTokens: 1_000,
    stream: false,
    inputTokens: 1_000,
    fillsContext: false,
    compacts: false,
    serverTools: [],
    codeExecution: 'None',
    fallbacks: [],
    unbounded: [],
    unknown: [],
    betas: [],
    files: [],
    countable: true,
    cacheWrite: 'None',
    fast: false,
    regional: false,
    thinkingBudget: null,
    session: null,
    metadataUser: null,
    maxTokensSpan: { start: 0, end: 0 },
    ...changes,
  };
}

/** A tool that Anthropic runs at most `maxUses` times, with a test's changes. */
export function serverToolOf(
  kind: ServerTool['kind'],
  maxUses: number | null,
  changes: Partial<ServerTool> = {},
): ServerTool {
  return { kind, index: 0, maxUses, inferencesPerUse: 1, advisor: null, maxUsesSpan: null, ...changes };
}

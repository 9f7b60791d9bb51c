import type { RequestFacts } from '../../policy/request/request.ts';

/** What a small, plain request for Opus 5.5 asks for; with what a test changes of it. */
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
    countable: true,
    cacheWrite: 'None',
    fast: false,
    geoUs: false,
    thinkingBudget: null,
    session: null,
    maxTokensSpan: { start: 0, end: 0 },
    ...changes,
  };
}

import { readRequest, type RequestFacts } from '../../policy/request/request.ts';

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
    countable: true,
    cacheWrite: 'None',
    fast: false,
    regional: false,
    thinkingBudget: null,
    session: null,
    maxTokensSpan: { start: 0, end: 0 },
    ...changes,
  };
}

/** The facts of a request body; throws for a refused one. */
export function readFacts(body: object | string): RequestFacts {
  const read = readRequest(new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body)));
  if (!read.ok) throw new Error(`${read.error.reason}: ${read.error.message}`);
  return read.value;
}

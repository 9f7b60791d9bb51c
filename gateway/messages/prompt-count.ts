import type { ValueSpans } from '../../policy/request/value-spans.ts';
import { sent } from '../forward/forward.ts';
import type { AuthenticatedCall } from '../http/call.ts';
import { headersUp } from '../http/headers.ts';
import { pathUp, type Upstream } from '../http/upstreams.ts';

/** A later answer would be no help. Milliseconds. */
const TIMEOUT_MS = 5_000;

/** The fields of a request that belong to its prompt; the upstream refuses to count others. */
const PROMPT_FIELDS = [
  'model',
  'messages',
  'system',
  'tools',
  'tool_choice',
  'thinking',
  'output_config',
  'cache_control',
  'context_management',
  'speed',
];

/** A call whose body was already read as a Messages request. */
type CountedCall = Pick<AuthenticatedCall, 'req' | 'route' | 'caller'> & {
  readonly body: Buffer;
  readonly spans: ValueSpans;
};

/** Asks the upstream how many tokens a prompt has, which is free. Null if it does not say. Never rejects. */
export async function countPromptTokens(call: CountedCall, upstream: Upstream): Promise<number | null> {
  const { req, route, caller, body, spans } = call;
  try {
    const answer = await upstream.pool.request({
      path: pathUp(upstream, { ...route, path: `${route.path}/count_tokens` }),
      method: 'POST',
      ...sent(headersUp(req, caller.workspace), promptOf(body, spans)),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const { input_tokens: tokens } = (await answer.body.json()) as { input_tokens?: unknown };
    return answer.statusCode === 200 && isCount(tokens) ? tokens : null;
  } catch {
    return null;
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** The bytes of the prompt's fields, in parts of the body. */
function promptOf(body: Buffer, spans: ValueSpans): readonly Buffer[] {
  const parts: Buffer[] = [];
  for (const name of PROMPT_FIELDS) {
    const span = spans.top(name);
    if (span === undefined) continue;
    parts.push(Buffer.from(`${parts.length === 0 ? '{' : ','}"${name}":`), body.subarray(span.start, span.end));
  }
  return [...parts, Buffer.from('}')];
}

import type { FieldSpan } from '../../policy/request/prompt-fields.ts';
import { sent } from '../forward/forward.ts';
import type { AuthenticatedCall } from '../http/call.ts';
import type { FreeCalls } from '../http/free-calls.ts';
import { jsonHeadersUp } from '../upstream/headers-up.ts';
import { MAX_ANSWER_BYTES, readAnswer } from '../upstream/read-answer.ts';
import { pathUp, type Upstream } from '../upstream/upstreams.ts';

/** A later answer would be no help, nor a later turn. Milliseconds. */
const TIMEOUT_MS = 5_000;

/** A call whose body was already read as a Messages request. */
type CountedCall = Pick<AuthenticatedCall, 'req' | 'route' | 'caller' | 'keyHash'> & {
  readonly body: Buffer;
  /** Where its prompt is. */
  readonly prompt: readonly FieldSpan[];
};

/**
 * Asks the upstream how many tokens a prompt has, which is free. Null if it does not say in time, or if too many calls of
 * the key ask. Never rejects.
 */
export function countPromptTokens(call: CountedCall, upstream: Upstream, freeCalls: FreeCalls): Promise<number | null> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  // Not in turn with the key's other free calls, which have no time limit.
  return freeCalls.run(`${call.keyHash} prompt`, () => count(call, upstream, signal));
}

async function count(call: CountedCall, upstream: Upstream, signal: AbortSignal): Promise<number | null> {
  const { req, route, caller, body, prompt } = call;
  try {
    const answer = await upstream.pool.request({
      path: pathUp(upstream, { ...route, path: `${route.path}/count_tokens` }),
      method: 'POST',
      ...sent(jsonHeadersUp(req, caller.workspace), promptOf(body, prompt)),
      signal,
    });
    const text = await readAnswer(answer, MAX_ANSWER_BYTES);
    const { input_tokens: tokens } = JSON.parse(text ?? '{}') as { input_tokens?: unknown };
    return answer.statusCode === 200 && isCount(tokens) ? tokens : null;
  } catch {
    return null;
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** A body of the prompt's fields alone, in parts of the whole. */
function promptOf(body: Buffer, prompt: readonly FieldSpan[]): readonly Buffer[] {
  const fields = prompt.flatMap(({ name, start, end }, index) => [
    Buffer.from(`${index === 0 ? '{' : ','}"${name}":`),
    body.subarray(start, end),
  ]);
  return [...fields, Buffer.from('}')];
}

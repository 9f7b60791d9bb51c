import type { Result } from '../../policy/core/result.ts';
import { unboundedPaths } from '../../policy/cost/worst-cost.ts';
import type { Refusal } from '../../policy/refusals/refusals.ts';
import { readRequest } from '../../policy/request/request.ts';
import type { RequestFacts } from '../../policy/request/request.ts';

export const bytes = (body: unknown): Uint8Array =>
  new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body));
const read = (body: unknown): Result<RequestFacts, Refusal> =>
  readRequest(body instanceof Uint8Array ? body : bytes(body));
/** The facts of a request body; throws for a refused one. */
export const facts = (body: unknown): RequestFacts => {
  const answer = read(body);
  if (!answer.ok) throw new Error(`${answer.error.reason}: ${answer.error.message}`);
  return answer.value;
};
export const refusal = (body: unknown): string => {
  const answer = read(body);
  return answer.ok ? 'read' : `${answer.error.reason}: ${answer.error.message}`;
};

export const plain = { model: 'claude-opus-5-5', max_tokens: 100, messages: [{ role: 'user', content: 'Hello' }] };
/** The params of one request of a batch, with a test's changes. */
export const batchParams = (changes: Record<string, unknown> = {}) => ({
  model: 'claude-haiku-5-5',
  max_tokens: 3_400,
  messages: [{ role: 'user', content: 'Hello' }],
  ...changes,
});
export const withContent = (...content: unknown[]): unknown => ({ ...plain, messages: [{ role: 'user', content }] });
export const withTool = (tool: object): unknown => ({
  ...plain,
  tools: [{ name: 't', input_schema: { type: 'object' }, ...tool }],
});
export const plainFacts = {
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
};
export const NEVER_UNMETERED = 'is not supported by Tollgate, which cannot bound its cost yet. Leave it out.';

/**
 * What becomes of a part of a request: the tokens that are set aside beyond its bytes, a full window of them, a use that
 * nothing bounds, a name that nobody knows, or a refusal, also of such a name.
 */
export type Outcome = number | 'a window' | `no bound: ${string}` | `unknown: ${string}` | `refused: ${string}`;

export function outcomeOf(body: object): Outcome {
  const answer = read(body);
  if (!answer.ok) return `refused: ${answer.error.message.replace(` ${NEVER_UNMETERED}`, '')}`;
  const { unknown } = answer.value;
  const choosing = unknown.filter(({ risk }) => risk === 'Chooses').map(({ path }) => path);
  if (choosing.length > 0) return `refused: ${choosing.join(' ')}`;
  const paths = unboundedPaths(answer.value);
  if (paths.length > 0) return `no bound: ${paths.join(' ')}`;
  if (unknown.length > 0) return `unknown: ${unknown.map(({ path }) => path).join(' ')}`;
  return answer.value.fillsContext ? 'a window' : answer.value.inputTokens - bytes(body).length;
}

export const text = { type: 'text', text: 'x' };
export const ascii = (...parts: (string | number[])[]): string =>
  Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))),
  ).toString('base64');
export const big = (...numbers: number[]): number[] => numbers.flatMap((n) => [(n >> 8) & 0xff, n & 0xff]);
export const little = (...numbers: number[]): number[] => numbers.flatMap((n) => [n & 0xff, (n >> 8) & 0xff]);
export const image = (data: string, media_type = 'image/png') => ({
  type: 'image',
  source: { type: 'base64', media_type, data },
});
export const document = (data: string) => ({
  type: 'document',
  source: { type: 'base64', media_type: 'application/pdf', data },
});

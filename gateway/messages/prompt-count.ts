import type { IncomingMessage } from 'node:http';
import type { ResolvedWorkspace } from '../../policy/compile/resolved-workspace.ts';
import { headersUp } from '../http/headers.ts';
import type { Route } from '../http/route.ts';
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

/** A call whose prompt is counted. */
export interface PromptCountRequest {
  readonly req: IncomingMessage;
  readonly route: Route;
  /** Already read as a Messages request. */
  readonly body: Buffer;
  readonly workspace: ResolvedWorkspace;
  readonly upstream: Upstream;
}

/** Asks the upstream how many tokens a prompt has, which is free. Null if it does not say. Never rejects. */
export async function countPromptTokens({
  req,
  route,
  body,
  workspace,
  upstream,
}: PromptCountRequest): Promise<number | null> {
  try {
    const answer = await upstream.pool.request({
      path: pathUp(upstream, { ...route, path: `${route.path}/count_tokens` }),
      method: 'POST',
      headers: headersUp(req, workspace),
      body: promptOf(body),
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

function promptOf(body: Buffer): string {
  const fields = Object.entries(JSON.parse(body.toString('utf8')) as object);
  return JSON.stringify(Object.fromEntries(fields.filter(([name]) => PROMPT_FIELDS.includes(name))));
}

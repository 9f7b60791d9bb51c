import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const claude = join(import.meta.dirname, '../../../node_modules/.bin/claude');

/** Where a client finds the API, as every Anthropic SDK reads it. */
export interface Endpoint {
  baseURL: string;
  /** Empty: none is given to the client. */
  apiKey: string;
}

/** What `claude -p --output-format json` said. */
export interface ClaudeAnswer {
  exitCode: number | null;
  isError: boolean;
  result: string;
  costUsd: number;
  apiErrorStatus: number | null;
}

/** Runs Claude Code once, with a new home and working directory, and with further variables and flags if there are any. */
export async function claudeCode(
  { baseURL, apiKey }: Endpoint,
  prompt: string,
  variables: Readonly<Record<string, string>> = {},
  flags: readonly string[] = ['--allowedTools', 'Bash(echo:*)'],
): Promise<ClaudeAnswer> {
  const home = mkdtempSync(join(tmpdir(), 'tollgate-claude-'));
  const args = ['-p', prompt, '--output-format', 'json', ...flags];
  const env = {
    PATH: process.env['PATH'],
    HOME: home,
    ANTHROPIC_BASE_URL: baseURL,
    ...(apiKey === '' ? {} : { ANTHROPIC_API_KEY: apiKey }),
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    ...variables,
  };
  const child = spawn(claude, args, { cwd: home, env, stdio: ['ignore', 'pipe', 'inherit'], timeout: 100_000 });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject).on('close', resolve);
  });
  rmSync(home, { recursive: true, force: true, maxRetries: 3 });
  const said = JSON.parse(output) as Record<string, unknown>;
  return {
    exitCode,
    isError: said['is_error'] === true,
    result: String(said['result']),
    costUsd: Number(said['total_cost_usd']),
    apiErrorStatus: (said['api_error_status'] ?? null) as number | null,
  };
}

/** The shape of a Messages request: every field, with its prose and what is peculiar to a run left out. */
export function shapeOf(body: unknown): unknown {
  if (Array.isArray(body)) return body.map(shapeOf);
  if (typeof body !== 'object' || body === null) return body;
  const fields = Object.entries(body).map(([name, value]) => [name, PROSE.has(name) ? '…' : shapeOf(value)]);
  return Object.fromEntries(fields);
}

const PROSE = new Set(['text', 'description', 'user_id', 'input_schema']);

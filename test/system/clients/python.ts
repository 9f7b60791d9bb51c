import { execFile, execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Endpoint } from './claude-code.ts';

/** The interpreter of a Python that has the Anthropic SDK; makes the environment where it is missing. */
function pythonWithSdk(): string {
  const script = join(import.meta.dirname, '../../../hack/assets/python.sh');
  return execFileSync(script, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim();
}

/** Runs a Python program that finds the API by its environment, and returns what it printed. */
export async function python({ baseURL, apiKey }: Endpoint, ...args: string[]): Promise<string> {
  const env = { PATH: process.env['PATH'], ANTHROPIC_BASE_URL: baseURL, ANTHROPIC_API_KEY: apiKey };
  const { stdout } = await promisify(execFile)(pythonWithSdk(), args, { env, timeout: 100_000 });
  return stdout;
}

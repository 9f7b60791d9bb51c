import { spawn } from 'node:child_process';

/** How a command is run. */
interface CommandOptions {
  /** Its standard input. */
  readonly input?: string;
  /** Default: that of this process. */
  readonly env?: NodeJS.ProcessEnv;
  /** After which it is killed. Milliseconds, default never. */
  readonly timeoutMs?: number;
  /** What it is called in an error. Default: the command with its arguments. */
  readonly name?: string;
}

/**
 * Runs a command and returns what it printed.
 * @throws Error with its name and what it said where it fails.
 */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const { input = '', env, timeoutMs, name = `${command} ${args.join(' ')}` } = options;
  const child = spawn(command, args, { env, timeout: timeoutMs, killSignal: 'SIGKILL' });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  child.stdin.on('error', () => undefined); // it may end without reading
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`${name}: ${errors.trim() || output.trim() || `status ${code}`}`);
  return output;
}

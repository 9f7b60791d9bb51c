import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';

/** An option or an argument is unknown, or a value is invalid. The message says what to write. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Reads the options and arguments of a command. Throws `UsageError`, which lists the options. */
export function parseOptions<const Options extends ParseArgsOptionsConfig>(args: readonly string[], options: Options) {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options });
  } catch (error) {
    throw new UsageError(`${problemOf(error as Error)}. The options are ${names(options)}.`);
  }
}

/** What Node says, without its advice on arguments that begin with a dash. */
function problemOf({ message }: Error): string {
  const [first = ''] = message.split(/\.?\n|\. |$/);
  return first
    .replace(/^Option '(.+?)(?: <\w+>)?' argument .*$/, "Option '$1' needs a value")
    .replace(/take an argument$/, 'take a value');
}

function names(options: ParseArgsOptionsConfig): string {
  return Object.entries(options)
    .map(([name, { short }]) => (short === undefined ? `--${name}` : `--${name} (-${short})`))
    .join(', ');
}

import { parseArgs } from 'node:util';
import { questions } from '../../log/questions.ts';

/** A flag or a question is unknown, or a value is invalid. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const names = Object.keys(questions) as (keyof typeof questions)[];

export const HELP = `Usage: tollgate query [question | SQL] [flags]

Reads the usage log: what calls cost, and which were refused. It changes nothing.

Questions; the default is workspaces:
${names.map((name) => `  ${name.padEnd(12)} ${questions[name].summary}`).join('\n')}

SQL is one SELECT in quotes: tollgate query "select count(*) from calls"
(tables and columns: docs/reference/usage-log.md).

  --since <duration>       how far back questions look, such as 90m, 24h or 7d; default 30d
  --limit <rows>           how many rows questions show; default 20
  -o, --output table|json  default table
  --help                   print this text

The log is found as the operator finds it, by TOLLGATE_DATABASE_URL or TOLLGATE_USAGE_LOG_FOLDER. After make up:

  . .run/env && npx tollgate query

Exit code: 0 the log answered, 2 it did not.
`;

/** Parses the arguments. Throws `UsageError` with a sentence that says what to write. */
export function parseOptions(args: readonly string[]) {
  const { values, positionals } = read(args);
  const { output = 'table', help: isHelp = false, since = '30d', limit = '20' } = values;
  if (output !== 'table' && output !== 'json') throw new UsageError(`--output must be table or json, not "${output}".`);
  if (positionals.length > 1) throw new UsageError('Ask one question; put SQL in quotes.');
  return { output, isHelp, sql: statement(positionals[0] ?? 'workspaces', secondsOf(since), rowsOf(limit)) } as const;
}

function statement(asked: string, seconds: number, rows: number): string {
  const name = names.find((each) => each === asked);
  if (name !== undefined) return questions[name].sql(seconds, rows);
  if (/\s/.test(asked.trim())) return asked;
  throw new UsageError(`There is no question "${asked}": ask ${names.join(', ')}, or write a SELECT in quotes.`);
}

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

function secondsOf(text: string): number {
  const [, number = '', unit = ''] = /^([1-9]\d{0,5})([smhd])$/.exec(text) ?? [];
  if (unit === '') throw new UsageError(`--since must be a number with s, m, h or d, such as 7d, not "${text}".`);
  return Number(number) * SECONDS[unit]!;
}

function rowsOf(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new UsageError(`--limit must be a whole number from 1, not "${text}".`);
  return Number(text);
}

function read(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        since: { type: 'string' },
        limit: { type: 'string' },
        output: { type: 'string', short: 'o' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

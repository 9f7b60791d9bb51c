import { parseOptions, UsageError } from '../../config/parse-options.ts';
import { questions, type Scope } from '../../log/questions.ts';

const names = Object.keys(questions) as (keyof typeof questions)[];

export const HELP = `Usage: tollgate query [question | SQL] [options]

Reads the usage log: what calls cost, and which were refused. It changes nothing.

Questions; the default is workspaces:
${names.map((name) => `  ${name.padEnd(12)} ${questions[name].summary}`).join('\n')}

SQL is one SELECT in quotes: tollgate query "select count(*) from calls"
(tables and columns: docs/reference/usage-log.md).

  -n, --namespace <name>   only what workspaces of this namespace did
  --workspace <name>       only what this workspace did: a name, or namespace/name
  --since <duration>       how far back questions look, such as 90m, 24h or 7d; default 30d
  --limit <rows>           how many rows questions show; default 20
  -o, --output table|json  default table
  -h, --help               print this text

SQL takes no options but --output: write the others into the SELECT.

The log is found as the operator finds it, by TOLLGATE_DATABASE_URL or TOLLGATE_USAGE_LOG_FOLDER. After make up:

  . .run/env && npx tollgate query

Exit code: 0 the log answered, 2 it did not.
`;

/** Reads the arguments. Throws `UsageError`. */
export function readOptions(args: readonly string[]) {
  const { values, positionals } = parseOptions(args, {
    namespace: { type: 'string', short: 'n' },
    workspace: { type: 'string' },
    since: { type: 'string' },
    limit: { type: 'string' },
    output: { type: 'string', short: 'o' },
    help: { type: 'boolean', short: 'h' },
  });
  const { output = 'table', help: isHelp = false, ...narrowing } = values;
  if (output !== 'table' && output !== 'json') throw new UsageError(`--output must be table or json, not "${output}".`);
  if (positionals.length > 1) throw new UsageError('Ask one question; put SQL in quotes.');
  return { output, isHelp, sql: statement(positionals[0] ?? 'workspaces', narrowing) } as const;
}

/** What narrows a question, as it was written. */
interface Narrowing {
  readonly namespace?: string;
  readonly workspace?: string;
  readonly since?: string;
  readonly limit?: string;
}

function statement(asked: string, narrowing: Narrowing): string {
  const name = names.find((each) => each === asked);
  if (name !== undefined) return questions[name].sql(scopeOf(narrowing), rowsOf(narrowing.limit ?? '20'));
  if (/\s/.test(asked.trim())) {
    const [option] = Object.keys(narrowing);
    if (option === undefined) return asked;
    throw new UsageError(`--${option} is for questions; write it into the SELECT.`);
  }
  throw new UsageError(`There is no question "${asked}": ask ${names.join(', ')}, or write a SELECT in quotes.`);
}

function scopeOf({ namespace, workspace, since = '30d' }: Narrowing): Scope {
  const parts = workspace?.split('/') ?? [];
  const name = parts.pop();
  const [within = namespace, ...rest] = parts;
  if (rest.length > 0) throw new UsageError(`--workspace must be a name or namespace/name, not "${workspace}".`);
  if (namespace !== undefined && within !== namespace)
    throw new UsageError(`--workspace ${workspace} is not in --namespace ${namespace}.`);
  const [namespaceName, workspaceName] = [nameOf('namespace', within), nameOf('workspace', name)];
  return { seconds: secondsOf(since), namespace: namespaceName, workspace: workspaceName };
}

/** A name as Kubernetes allows it, so that it can stand in a statement. */
function nameOf(option: string, text: string | undefined): string | undefined {
  if (text === undefined || /^[a-z0-9](?:[-.a-z0-9]{0,251}[a-z0-9])?$/.test(text)) return text;
  throw new UsageError(`--${option} must be a name of Kubernetes, such as payments, not "${text}".`);
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

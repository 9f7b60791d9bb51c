import { parseArgs } from 'node:util';

/** What the doctor is asked. */
export interface Options {
  /** Undefined: where the Pod runs, or `tollgate-system`. */
  readonly namespace: string | undefined;
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  readonly output: 'text' | 'json';
  readonly isHelp: boolean;
}

/** Somebody wrote a flag that is not known, or left out its value. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The page that `--help` prints. */
export const HELP = `Usage: tollgate doctor [flags]

Looks at an installation and says what is wrong with it and what to do. It changes nothing.

  -n, --namespace <name>   where Tollgate is installed; default tollgate-system, in a Pod its own
  --kubeconfig <file>      default KUBECONFIG, then ~/.kube/config; in a Pod its ServiceAccount
  --context <name>         a context of the kubeconfig; default the current one
  -o, --output text|json   default text
  --help                   this page

Redis and the database of the usage log are looked at where REDIS_URL (with REDIS_CA_FILE) and TOLLGATE_DATABASE_URL
are set, as they are in the cluster: helm test --logs runs it there. The settings are those of TOLLGATE_SETTINGS, or
of the ConfigMap tollgate-settings.

Exit code: 0 nothing must be done, 1 there are problems, 2 it could not look.
`;

/** Reads the flags behind the command. Throws `UsageError` with a sentence that says what to write. */
export function parseOptions(args: readonly string[]): Options {
  const { values } = read(args);
  const { output = 'text' } = values;
  if (output !== 'text' && output !== 'json') throw new UsageError(`--output must be text or json, not "${output}".`);
  return {
    namespace: values.namespace,
    kubeconfig: values.kubeconfig,
    context: values.context,
    output,
    isHelp: values.help ?? false,
  };
}

function read(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        namespace: { type: 'string', short: 'n' },
        kubeconfig: { type: 'string' },
        context: { type: 'string' },
        output: { type: 'string', short: 'o' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

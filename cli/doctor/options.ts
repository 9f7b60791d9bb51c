import { parseOptions, UsageError } from '../../config/parse-options.ts';

export const HELP = `Usage: tollgate doctor [options]

Checks an installation, and says what is wrong and what to do. It changes nothing.

  -n, --namespace <name>   the namespace of Tollgate; default tollgate-system, in a Pod its own
  --kubeconfig <file>      default KUBECONFIG, then ~/.kube/config; in a Pod its ServiceAccount
  --context <name>         a context of the kubeconfig; default the current one
  -o, --output text|json   default text
  -h, --help               print this text

Redis and the usage log are checked if REDIS_URL (with REDIS_CA_FILE) and TOLLGATE_DATABASE_URL are set, as they are in
the cluster: helm test --logs runs the doctor there. A log in a folder is found by TOLLGATE_USAGE_LOG_FOLDER. Upstreams are
tried by the proxy and the CAs of HTTPS_PROXY, NO_PROXY and NODE_EXTRA_CA_CERTS. The settings come from the file in
TOLLGATE_SETTINGS, or from the ConfigMap tollgate-settings. After make up:

  . .run/env && npx tollgate doctor

Exit code: 0 no problem was found, 1 there are problems, 2 the installation could not be checked.
`;

export type Options = Readonly<ReturnType<typeof readOptions>>;

/** Reads the arguments. Throws `UsageError`. */
export function readOptions(args: readonly string[]) {
  const { values, positionals } = parseOptions(args, {
    namespace: { type: 'string', short: 'n' },
    kubeconfig: { type: 'string' },
    context: { type: 'string' },
    output: { type: 'string', short: 'o' },
    help: { type: 'boolean', short: 'h' },
  });
  const { output = 'text', help: isHelp = false, namespace, kubeconfig, context } = values;
  if (positionals.length > 0) throw new UsageError(`tollgate doctor takes only options, not "${positionals[0]}".`);
  if (output !== 'text' && output !== 'json') throw new UsageError(`--output must be text or json, not "${output}".`);
  return { output, isHelp, namespace, kubeconfig, context } as const;
}

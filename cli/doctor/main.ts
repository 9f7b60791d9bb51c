import { UsageError } from '../../config/parse-options.ts';
import { RedisUrlInvalid } from '../../config/redis-address.ts';
import { KubeError } from '../../kube/kube-error.ts';
import manifest from '../../package.json' with { type: 'json' };
import { SettingsInvalid } from '../../policy/config/settings.ts';
import { ProxyInvalid } from '../../proxy/proxy-environment.ts';
import { readConfig } from './config.ts';
import { HELP, type Options, readOptions } from './options.ts';
import { exitCode, jsonReport, textReport } from './output.ts';

/** A file is also missing if the Secret behind it does not exist. */
const NAME_ANOTHER =
  'name another one (--kubeconfig, REDIS_CA_FILE, TOLLGATE_SETTINGS), or create the Secret that holds it.';

try {
  const options = readOptions(process.argv.slice(3)); // after `doctor`
  if (options.isHelp) process.stdout.write(HELP);
  else process.exitCode = await run(options);
} catch (error) {
  process.stderr.write(`tollgate doctor: ${describe(error)}\n`);
  process.exitCode = 2;
}
// Exit once everything is written: a Redis Cluster client that is closed while it reads the slots keeps a timer, so the
// process might not end by itself.
process.stderr.write('', () => process.stdout.write('', () => process.exit()));

async function run(options: Options): Promise<number> {
  // Loaded late: it is slow, and a mistake in an option does not need it.
  const { diagnose } = await import('./diagnose.ts');
  const config = readConfig(process.env, options);
  const showsProgress = process.stderr.isTTY && options.output === 'text';
  const onStep = (check: string) => showsProgress && process.stderr.write(`\r\x1b[Kchecking: ${check}`);
  const diagnoses = await diagnose(config, { now: Date.now, random: Math.random, onStep });
  if (showsProgress) process.stderr.write('\r\x1b[K');
  const json = () => jsonReport(diagnoses, config.namespace, manifest.version);
  process.stdout.write(options.output === 'json' ? json() : textReport(diagnoses));
  return exitCode(diagnoses);
}

/** A sentence for an error of input or environment, the stack for a bug. */
function describe(error: unknown): string {
  if (error instanceof UsageError) return `${error.message}\nRun tollgate doctor --help for the options.`;
  if (error instanceof RedisUrlInvalid) return `REDIS_URL ${error.message}`;
  if ([KubeError, SettingsInvalid, ProxyInvalid].some((kind) => error instanceof kind)) return (error as Error).message;
  const { code, path } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return `${path ?? 'a file'} does not exist; ${NAME_ANOTHER}`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

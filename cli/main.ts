import { RedisUrlInvalid } from '../config/redis-address.ts';
import { KubeError } from '../kube/kube-error.ts';
import manifest from '../package.json' with { type: 'json' };
import { SettingsInvalid } from '../policy/config/settings.ts';
import { readConfig } from './doctor/config.ts';
import { HELP, type Options, parseOptions, UsageError } from './doctor/options.ts';
import { exitCode, jsonReport, textReport } from './doctor/output.ts';

/** A file is also missing where a Pod starts without the Secret that it is of. */
const NAME_ANOTHER =
  'name another one (--kubeconfig, REDIS_CA_FILE, TOLLGATE_SETTINGS), or make the Secret that holds it.';

try {
  const options = parseOptions(process.argv.slice(3)); // behind `doctor`
  if (options.isHelp) process.stdout.write(HELP);
  else process.exitCode = await run(options);
} catch (error) {
  process.stderr.write(`tollgate doctor: ${explained(error)}\n`);
  process.exitCode = 2;
}
// All is said once these are written. By itself the process may stay: a client of a cluster that is closed while it asks
// for the slots keeps a timer for ever.
process.stderr.write('', () => process.stdout.write('', () => process.exit()));

async function run(options: Options): Promise<number> {
  // Not needed for a mistake in a flag, and slow to load.
  const { runDoctor } = await import('./doctor/run-doctor.ts');
  const config = readConfig(process.env, options);
  const isWatched = process.stderr.isTTY && options.output === 'text';
  const onStep = (check: string) => isWatched && process.stderr.write(`\r\x1b[Klooking at: ${check}`);
  const diagnoses = await runDoctor(config, { now: Date.now, random: Math.random, onStep });
  if (isWatched) process.stderr.write('\r\x1b[K');
  const json = () => jsonReport(diagnoses, config.namespace, manifest.version);
  process.stdout.write(options.output === 'json' ? json() : textReport(diagnoses));
  return exitCode(diagnoses);
}

/** A sentence where the world is at fault, the stack where it is a fault of ours. */
function explained(error: unknown): string {
  if (error instanceof UsageError) return `${error.message}\nWrite tollgate doctor --help for the flags.`;
  if (error instanceof RedisUrlInvalid) return `REDIS_URL ${error.message}`;
  if (error instanceof KubeError || error instanceof SettingsInvalid) return error.message;
  const { code, path } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return `there is no ${path ?? 'file'}; ${NAME_ANOTHER}`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

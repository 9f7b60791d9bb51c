import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { type Environment, parseEnvironment } from '../config/environment.ts';
import { parseSettings, type Settings } from '../policy/config/settings.ts';

/** What a gateway is told when it starts. */
export interface Config extends Environment {
  readonly settings: Settings;
  /** The certificates that Redis is trusted by, in PEM. */
  readonly redisCa: string | undefined;
  /** Where the daybook lies; always said under `ledgerLoss: Open`. */
  readonly daybookFolder: string | undefined;
  /** How long a gateway that is asked to leave goes on serving. Milliseconds. */
  readonly lingerMs: number;
  /** How much memory the bodies of all calls under way may take. Bytes. */
  readonly bodyBytes: number;
  /** How much room the bodies of all batches under way may take on disk. Bytes. */
  readonly spoolBytes: number;
  /** Where tls.crt and tls.key lie; undefined where callers come without TLS. */
  readonly tlsFolder: string | undefined;
}

/**
 * Reads environment and settings file, once.
 * @throws Error that names every variable that is wrong, SettingsInvalid for mistakes in the file.
 */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const environment = parseEnvironment(env, '8080');
  const settings = readSettings(environment.settingsFile);
  return {
    ...environment,
    settings,
    redisCa: readCa(environment.redisCaFile),
    daybookFolder: readDaybookFolder(env['TOLLGATE_WRITE_AHEAD_LOG_FOLDER'], settings),
    lingerMs: readLinger(env['TOLLGATE_SHUTDOWN_DELAY_SECONDS'] ?? '15') * 1000,
    bodyBytes: readBytes(env, 'TOLLGATE_BODY_MEMORY', '192Mi'),
    spoolBytes: readBytes(env, 'TOLLGATE_BATCH_STORAGE', '1Gi'),
    tlsFolder: env['TOLLGATE_TLS_FOLDER'] || undefined,
  };
}

const UNITS: Readonly<Record<string, number>> = { '': 1, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 };

/** A size as Kubernetes writes it. */
function readBytes(env: NodeJS.ProcessEnv, name: string, byDefault: string): number {
  const text = env[name] || byDefault;
  const [, count, unit = ''] = /^(\d{1,12})(|Ki|Mi|Gi|Ti)$/.exec(text) ?? [];
  if (count !== undefined) return Number(count) * UNITS[unit]!;
  throw new Error(`${name} must be a size such as 192Mi or 1Gi, not "${text}"`);
}

/** Longer than a cluster takes to tell all its nodes that a Pod goes, and its load balancers. Seconds. */
function readLinger(text: string): number {
  if (/^\d{1,4}$/.test(text)) return Number(text);
  throw new Error(`TOLLGATE_SHUTDOWN_DELAY_SECONDS must be a whole number of seconds, not "${text}"`);
}

/** A folder that everybody can guess would let others write what is booked, and a temporary one may not outlive a crash. */
function readDaybookFolder(folder: string | undefined, { ledgerLoss }: Settings): string | undefined {
  if (folder !== undefined && folder !== '') return folder;
  if (ledgerLoss === 'Closed') return undefined;
  throw new Error(
    'Set TOLLGATE_WRITE_AHEAD_LOG_FOLDER: under ledgerLoss Open calls are kept there until Redis is back.',
  );
}

/** Without a file all settings have their defaults. Throws `SettingsInvalid`, or an Error where the file is no YAML. */
function readSettings(path: string | undefined): Settings {
  if (path === undefined) return parseSettings(null);
  return parseSettings(parse(readFileSync(path, 'utf8'), { strict: true, uniqueKeys: true }));
}

function readCa(path: string | undefined): string | undefined {
  return path === undefined ? undefined : readFileSync(path, 'utf8');
}

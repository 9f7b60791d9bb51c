import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { parseSettings, type Settings } from '../policy/settings.ts';

/** What the environment decides about this process. Read once and frozen. */
export interface Config {
  readonly settings: Settings;
  /** Holds a password: never log it. */
  readonly redisUrl: string;
  readonly podName: string;
  /** For health and metrics; 0 takes any free one. */
  readonly port: number;
  readonly logLevel: string;
  /** Undefined in a pod, which has a service account. */
  readonly kubeconfig: string | undefined;
  /** The text of the price book that Tollgate is shipped with. */
  readonly shippedPrices: string;
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/**
 * Reads environment and settings file.
 * @throws Error that names every variable that is wrong, SettingsInvalid for mistakes in the file.
 */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const { PORT = '8081', LOG_LEVEL = 'info', REDIS_URL = '', POD_NAME = '' } = env;
  const problems: string[] = [];
  if (REDIS_URL === '') problems.push('REDIS_URL is not set');
  if (POD_NAME === '') problems.push('POD_NAME is not set');
  if (!/^\d+$/.test(PORT) || Number(PORT) > 65_535) problems.push(`PORT must be a port, not "${PORT}"`);
  if (!LOG_LEVELS.includes(LOG_LEVEL)) problems.push(`LOG_LEVEL must be one of ${LOG_LEVELS.join(', ')}`);
  if (problems.length > 0) throw new Error(problems.join('; '));
  return Object.freeze({
    settings: readSettings(env['TOLLGATE_SETTINGS']),
    redisUrl: REDIS_URL,
    podName: POD_NAME,
    port: Number(PORT),
    logLevel: LOG_LEVEL,
    kubeconfig: env['KUBECONFIG'],
    shippedPrices: readFileSync(new URL('../policy/prices.json', import.meta.url), 'utf8'),
  });
}

/** Without a file all settings have their defaults. */
function readSettings(path: string | undefined): Settings {
  if (path === undefined) return parseSettings(null);
  return parseSettings(parse(readFileSync(path, 'utf8'), { strict: true, uniqueKeys: true }));
}

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

/**
 * Reads environment and settings file.
 * @throws Error that says what to set, SettingsInvalid for mistakes in the file.
 */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const port = Number(env['PORT'] ?? 8081);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new Error('PORT must be a number from 0 to 65535');
  return Object.freeze({
    settings: readSettings(env['TOLLGATE_SETTINGS']),
    redisUrl: required(env, 'REDIS_URL'),
    podName: required(env, 'POD_NAME'),
    port,
    logLevel: env['LOG_LEVEL'] ?? 'info',
    kubeconfig: env['KUBECONFIG'],
    shippedPrices: readFileSync(new URL('../policy/prices.json', import.meta.url), 'utf8'),
  });
}

/** Without a file all settings have their defaults. */
function readSettings(path: string | undefined): Settings {
  if (path === undefined) return parseSettings(null);
  return parseSettings(parse(readFileSync(path, 'utf8'), { strict: true, uniqueKeys: true }));
}

function required(env: NodeJS.ProcessEnv, name: string): string {
  const value = env[name];
  if (value === undefined || value === '') throw new Error(`${name} must be set`);
  return value;
}

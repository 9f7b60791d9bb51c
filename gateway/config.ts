import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { parseSettings, type Settings } from '../policy/settings.ts';

/** What a gateway is told when it starts. */
export interface Config {
  readonly settings: Settings;
  /** With the password in it: never print it. */
  readonly redisUrl: string;
  /** The Pod's name. */
  readonly pod: string;
  readonly port: number;
  /** Where /metrics, /healthz and /readyz are, if not on `port`. */
  readonly adminPort: number | null;
  readonly logLevel: string;
  /** Undefined in a Pod, where its ServiceAccount is used. */
  readonly kubeconfig: string | undefined;
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/** Reads the environment once. Throws an Error that names every variable that is wrong. */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const problems: string[] = [];
  const required = (name: string): string => {
    const value = env[name] ?? '';
    if (value === '') problems.push(`${name} is not set`);
    return value;
  };
  const port = (name: string, value: string): number => {
    const number = Number(value);
    if (!/^\d+$/.test(value) || number > 65_535) problems.push(`${name} must be a port, not "${value}"`);
    return number;
  };
  const logLevel = env['LOG_LEVEL'] ?? 'info';
  if (!LOG_LEVELS.includes(logLevel)) problems.push(`LOG_LEVEL must be one of ${LOG_LEVELS.join(', ')}`);
  const config = {
    redisUrl: required('REDIS_URL'),
    pod: required('POD_NAME'),
    port: port('PORT', env['PORT'] ?? '8080'),
    adminPort: env['ADMIN_PORT'] === undefined ? null : port('ADMIN_PORT', env['ADMIN_PORT']),
    logLevel,
    kubeconfig: env['KUBECONFIG'],
  };
  if (problems.length > 0) throw new Error(problems.join('; '));
  return { ...config, settings: readSettings(env['TOLLGATE_SETTINGS']) };
}

/** Without a file all settings have their defaults. Throws `SettingsInvalid`, or an Error where the file is no YAML. */
function readSettings(path: string | undefined): Settings {
  if (path === undefined) return parseSettings(null);
  return parseSettings(parse(readFileSync(path, 'utf8'), { strict: true, uniqueKeys: true }));
}

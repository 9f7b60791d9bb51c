import { parseRedisUrl, RedisUrlInvalid, withPassword } from './redis-address.ts';

/** What both entries are told by their environment. */
export interface Environment {
  /** The settings file; undefined for the defaults. */
  readonly settingsFile: string | undefined;
  /** With the password in it: never print it. */
  readonly redisUrl: string;
  /** The file with the certificates that Redis is trusted by; undefined for those of the system. */
  readonly redisCaFile: string | undefined;
  /** The Pod's name. */
  readonly pod: string;
  /** 0 takes any free one. */
  readonly port: number;
  readonly logLevel: string;
  /** Undefined in a Pod, where its ServiceAccount is used. */
  readonly kubeconfig: string | undefined;
  /** A port of its own for health and metrics, if it was asked for. */
  readonly adminPort: number | null;
}

/** Where the usage log is kept: a Postgres (with the password in the URL: never print it), or a folder of the operator's. */
export type LogPlace = { readonly url: string } | { readonly folder: string };

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];
const MAX_PORT = 65_535;

/** Checks an environment. Throws an Error that names every variable that is wrong. */
export function parseEnvironment(env: Readonly<Record<string, string | undefined>>, defaultPort: string): Environment {
  const { PORT = defaultPort, LOG_LEVEL = 'info', ADMIN_PORT } = env;
  const problems = [
    ...['REDIS_URL', 'POD_NAME'].filter((name) => !env[name]).map((name) => `${name} is not set`),
    ...redisProblems(env['REDIS_URL']),
    ...Object.entries({ PORT, ADMIN_PORT })
      .filter(([, value]) => value !== undefined && !isPort(value))
      .map(([name, value]) => `${name} must be a port, not "${value}"`),
    ...(LOG_LEVELS.includes(LOG_LEVEL) ? [] : [`LOG_LEVEL must be one of ${LOG_LEVELS.join(', ')}`]),
  ];
  if (problems.length > 0) throw new Error(problems.join('; '));
  return {
    settingsFile: env['TOLLGATE_SETTINGS'],
    redisUrl: withPassword(env['REDIS_URL']!, env['REDIS_PASSWORD']),
    redisCaFile: env['REDIS_CA_FILE'],
    pod: env['POD_NAME']!,
    port: Number(PORT),
    logLevel: LOG_LEVEL,
    kubeconfig: env['KUBECONFIG'],
    adminPort: ADMIN_PORT === undefined ? null : Number(ADMIN_PORT),
  };
}

/** Reads where the operator keeps the usage log. Throws an Error that says what is wrong; no part of a URL is in it. */
export function parseLogPlace(env: Readonly<Record<string, string | undefined>>): LogPlace {
  const { TOLLGATE_DATABASE_URL: url, TOLLGATE_USAGE_LOG_FOLDER: folder } = env;
  if (url && folder) throw new Error('set only one of TOLLGATE_DATABASE_URL and TOLLGATE_USAGE_LOG_FOLDER, not both');
  if (folder) return { folder };
  if (!url) throw new Error('set TOLLGATE_DATABASE_URL or TOLLGATE_USAGE_LOG_FOLDER: the usage log needs a place');
  const isPostgres = ['postgres:', 'postgresql:'].includes(URL.parse(url)?.protocol ?? '');
  if (!isPostgres) throw new Error('TOLLGATE_DATABASE_URL must be postgres://user:password@host:port/database');
  return { url };
}

function isPort(text: string): boolean {
  return /^\d+$/.test(text) && Number(text) <= MAX_PORT;
}

function redisProblems(url: string | undefined): string[] {
  try {
    if (url) parseRedisUrl(url);
    return [];
  } catch (error) {
    if (error instanceof RedisUrlInvalid) return [`REDIS_URL ${error.message}`];
    throw error;
  }
}

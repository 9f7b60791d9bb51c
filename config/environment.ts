import { readFileSync } from 'node:fs';
import * as v from 'valibot';
import type { Settings } from '../policy/config/settings.ts';
import { oneOf, text } from '../policy/core/schema-fields.ts';
import { redisUrl, withPassword } from './redis-address.ts';
import { readSettingsFile } from './settings-file.ts';
import { readTelemetry, type TelemetryConfig } from './telemetry.ts';
import { type Environment, port, type variables } from './variables.ts';

/** What operator and gateway are told in common. */
export interface CommonConfig {
  readonly settings: Settings;
  /** With the password in it: never print it. */
  readonly redisUrl: string;
  /** The certificates that Redis is trusted by, in PEM; undefined for those of the system. */
  readonly redisCa: string | undefined;
  /** The Pod's name. */
  readonly pod: string;
  /** 0 takes any free one. */
  readonly port: number;
  readonly logLevel: string;
  /** Undefined in a Pod, where its ServiceAccount is used. */
  readonly kubeconfig: string | undefined;
  /** Null where no telemetry is sent. */
  readonly telemetry: TelemetryConfig | null;
}

/** The variables of both entries; `ADMIN_PORT` is the gateway's, and is checked for both. */
export const COMMON = {
  TOLLGATE_SETTINGS: v.optional(v.string()),
  REDIS_URL: redisUrl,
  REDIS_PASSWORD: v.optional(v.string()),
  REDIS_CA_FILE: v.optional(v.string()),
  POD_NAME: text('the name of this replica'),
  PORT: v.optional(port),
  ADMIN_PORT: v.optional(port),
  LOG_LEVEL: v.optional(oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'), 'info'),
  KUBECONFIG: v.optional(v.string()),
};

/** Makes of the variables what operator and gateway are told, and reads the files that they name. */
export function commonConfig(
  read: v.InferOutput<ReturnType<typeof variables<typeof COMMON>>>,
  env: Environment,
  defaultPort: number,
): CommonConfig {
  return {
    settings: readSettingsFile(read.TOLLGATE_SETTINGS),
    redisUrl: withPassword(read.REDIS_URL, read.REDIS_PASSWORD),
    redisCa: read.REDIS_CA_FILE === undefined ? undefined : readFileSync(read.REDIS_CA_FILE, 'utf8'),
    pod: read.POD_NAME,
    port: read.PORT ?? defaultPort,
    logLevel: read.LOG_LEVEL,
    kubeconfig: read.KUBECONFIG,
    telemetry: readTelemetry(env),
  };
}

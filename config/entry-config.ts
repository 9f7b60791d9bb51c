import { readFileSync } from 'node:fs';
import * as v from 'valibot';
import { oneOf, text, textLike } from '../policy/schema/schema-parts.ts';
import { proxiesOf } from '../proxy/proxy-environment.ts';
import { redisUrl, withPassword } from './redis-address.ts';
import { settingsOf } from './settings-file.ts';
import { type Environment, port, readVariables, variables } from './variables.ts';

/** The variables of both. Only the gateway uses `ADMIN_PORT`, but the operator refuses a wrong one too. */
export const ENTRY_VARIABLES = {
  TOLLGATE_SETTINGS: v.optional(v.string()),
  REDIS_URL: redisUrl,
  REDIS_PASSWORD: v.optional(v.string()),
  REDIS_CA_FILE: v.optional(v.string()),
  POD_NAME: text('the name of this replica'),
  PORT: v.optional(port),
  ADMIN_PORT: v.optional(port),
  TOLLGATE_METRICS_TOKEN: v.optional(
    textLike(/^[\x21-\x7e]{16,256}$/, 'a token of 16 to 256 characters without blanks'),
  ),
  LOG_LEVEL: v.optional(oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'), 'info'),
  KUBECONFIG: v.optional(v.string()),
};

/** The part of the configuration that operator and gateway share. */
export type EntryConfig = Readonly<ReturnType<typeof entryConfig>>;

/** Makes the configuration from the variables, and reads the files that they name. `defaultPort`: 0 for any free port. */
export function entryConfig(
  read: v.InferOutput<ReturnType<typeof variables<typeof ENTRY_VARIABLES>>>,
  env: Environment,
  defaultPort: number,
) {
  const file = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path, 'utf8'));
  return {
    settings: settingsOf(file(read.TOLLGATE_SETTINGS)),
    /** Contains the password: never print it. */
    redisUrl: withPassword(read.REDIS_URL, read.REDIS_PASSWORD),
    /** The CA certificates for the connection to Redis, in PEM; undefined for those of the system. */
    redisCa: file(read.REDIS_CA_FILE),
    /** The way to upstreams; not to Redis, Postgres or the API server. */
    proxyFor: proxiesOf(env),
    pod: read.POD_NAME,
    port: read.PORT ?? defaultPort,
    /** What a scraper of metrics must show, null if there is none. Never print it. */
    metricsToken: read.TOLLGATE_METRICS_TOKEN ?? null,
    logLevel: read.LOG_LEVEL,
    /** Undefined in a Pod, where its ServiceAccount is used. */
    kubeconfig: read.KUBECONFIG,
    /** Null if no telemetry is sent. */
    telemetry: readTelemetry(env),
  };
}

const VARIABLES = variables({
  OTEL_EXPORTER_OTLP_PROTOCOL: v.optional(
    v.picklist(['', 'http/protobuf'], 'http/protobuf, and port 4318 of the collector'),
  ),
  OTEL_METRIC_EXPORT_INTERVAL: v.optional(textLike(/^([1-9]\d{2,7})?$/, 'milliseconds, at least 100')),
});

/**
 * Reads how often metrics are sent, in milliseconds; null if `OTEL_EXPORTER_OTLP_ENDPOINT` is not set. The exporters of
 * OpenTelemetry read their other variables themselves. Throws an Error that names every wrong variable.
 */
export function readTelemetry(env: Environment): { readonly intervalMs: number } | null {
  if (!env['OTEL_EXPORTER_OTLP_ENDPOINT']) return null;
  const { OTEL_METRIC_EXPORT_INTERVAL: interval } = readVariables(VARIABLES, env);
  return { intervalMs: Number(interval || 60_000) };
}

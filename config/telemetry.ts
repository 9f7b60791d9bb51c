import * as v from 'valibot';
import { textLike } from '../policy/schema/schema-parts.ts';
import { type Environment, readVariables, variables } from './variables.ts';

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

import { describe, expect, test } from '@jest/globals';
import { readTelemetry } from '../../../config/entry-config.ts';

const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' };

describe('telemetry', () => {
  test('is sent where an endpoint is set, by default each minute', () => {
    expect(readTelemetry(endpoint)).toEqual({ intervalMs: 60_000 });
    const set = { OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf', OTEL_METRIC_EXPORT_INTERVAL: '500' };
    expect(readTelemetry({ ...endpoint, ...set })).toEqual({ intervalMs: 500 });
  });

  test('is not sent without an endpoint, whatever the other variables say', () => {
    expect(readTelemetry({})).toBeNull();
    expect(readTelemetry({ OTEL_EXPORTER_OTLP_ENDPOINT: '', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' })).toBeNull();
  });

  test('is refused with every variable that is wrong', () => {
    const wrong = { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', OTEL_METRIC_EXPORT_INTERVAL: '1s' };
    expect(() => readTelemetry({ ...endpoint, ...wrong })).toThrow(
      new Error(
        'OTEL_EXPORTER_OTLP_PROTOCOL is "grpc": write http/protobuf, and port 4318 of the collector; OTEL_METRIC_EXPORT_INTERVAL is "1s": write milliseconds, at least 100',
      ),
    );
  });
});

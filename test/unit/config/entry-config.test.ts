import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { readTelemetry } from '../../../config/entry-config.ts';
import { readConfig as readGateway } from '../../../gateway/config.ts';
import { readConfig as readOperator } from '../../../operator/config.ts';
import { parseSettings } from '../../../policy/config/settings.ts';

const enough = { REDIS_URL: 'redis://:secret@127.0.0.1:6379', POD_NAME: 'gateway-1' };
const operator = { ...enough, TOLLGATE_USAGE_LOG_FOLDER: '/data' };

function settingsFile(text: string): string {
  const file = join(mkdtempSync(join(tmpdir(), 'tollgate-settings-')), 'settings.yaml');
  writeFileSync(file, text);
  return file;
}

describe('the environment of a gateway', () => {
  test('never shows the token for metrics', () => {
    for (const token of ['', 'hunter2', `hunter2${' '.repeat(16)}`]) {
      const read = () => readGateway({ ...enough, TOLLGATE_METRICS_TOKEN: token });
      expect(read).toThrow(/^TOLLGATE_METRICS_TOKEN is (empty|not valid): write a token of 16 to 256 characters/);
    }
  });

  test('has defaults', () => {
    expect(readGateway(enough)).toEqual({
      settings: parseSettings(null),
      redisUrl: enough.REDIS_URL,
      redisCa: undefined,
      proxyFor: expect.any(Function),
      metricsToken: null,
      pod: 'gateway-1',
      port: 8080,
      logLevel: 'info',
      kubeconfig: undefined,
      telemetry: null,
      adminPort: null,
      writeAheadLogFolder: undefined,
      shutdownDelayMs: 15_000,
      bodyMemoryBytes: 192 * 2 ** 20,
      bodyFileBytes: 2 ** 30,
      tlsFolder: undefined,
    });
    expect(readGateway({ ...enough, PORT: '0', ADMIN_PORT: '9464' })).toMatchObject({ port: 0, adminPort: 9464 });
    const empty = { TOLLGATE_BODY_MEMORY: '', TOLLGATE_BATCH_STORAGE: '', TOLLGATE_TLS_FOLDER: '' };
    const { proxyFor: _, ...defaults } = readGateway(enough);
    expect(readGateway({ ...enough, ...empty })).toMatchObject(defaults);
  });

  test('is refused with every variable that is wrong', () => {
    const wrong = {
      REDIS_URL: enough.REDIS_URL,
      PORT: '',
      ADMIN_PORT: '65536',
      LOG_LEVEL: 'loud',
      TOLLGATE_SHUTDOWN_DELAY_SECONDS: '1m',
      TOLLGATE_BODY_MEMORY: '4G',
    };
    expect(() => readGateway(wrong)).toThrow(
      new Error(
        [
          'POD_NAME is not set: write the name of this replica',
          'PORT is "": write a port from 0 (any free one) to 65535',
          'ADMIN_PORT is "65536": write a port from 0 (any free one) to 65535',
          'LOG_LEVEL is "loud": write trace, debug, info, warn, error, fatal or silent',
          'TOLLGATE_SHUTDOWN_DELAY_SECONDS is "1m": write a whole number of seconds from 0 to 9999',
          'TOLLGATE_BODY_MEMORY is "4G": write a size such as 192Mi or 1Gi',
        ].join('; '),
      ),
    );
    expect(() => readGateway({})).toThrow(/^REDIS_URL is not set: write redis:.*; POD_NAME is not set/);
    expect(() => readGateway({ REDIS_URL: '', POD_NAME: '' })).toThrow(
      /^REDIS_URL is empty: .*; POD_NAME is "": write/,
    );
  });

  test('shows nothing of the address of Redis', () => {
    const wrong = { ...enough, REDIS_URL: 'redis://:hunter2@10.0.0.1,10.0.0.2' };
    const problem = 'REDIS_URL names several hosts: write redis+sentinel:// or redis+cluster:// before them';
    expect(() => readGateway(wrong)).toThrow(new Error(problem));
  });

  test('puts the password into the address of Redis', () => {
    const { redisUrl } = readGateway({ POD_NAME: 'a', REDIS_URL: 'redis://redis', REDIS_PASSWORD: 'p@ss' });
    expect(redisUrl).toBe('redis://:p%40ss@redis');
  });

  test('names a settings file', () => {
    expect(readGateway({ ...enough, TOLLGATE_SETTINGS: settingsFile('shards: 2') }).settings.shards).toBe(2);
    const wrong = { ...enough, TOLLGATE_SETTINGS: settingsFile('shards: 0') };
    expect(() => readGateway(wrong)).toThrow('shards is 0: write a whole number from 1 to 64.');
  });
});

describe('the environment of an operator', () => {
  test('has defaults', () => {
    expect(readOperator(operator)).toMatchObject({
      port: 8081,
      logPlace: { folder: '/data' },
      smtpPassword: undefined,
    });
  });

  test('has the password of a mail server that asks for one', () => {
    const smtp = 'smtp: {host: smtp.example.com, from: tollgate@example.com, username: tollgate}';
    const env = { ...operator, TOLLGATE_SETTINGS: settingsFile(smtp) };
    expect(readOperator({ ...env, TOLLGATE_SMTP_PASSWORD: 'hunter2' }).smtpPassword).toBe('hunter2');
    expect(() => readOperator(env)).toThrow('TOLLGATE_SMTP_PASSWORD is not set: write the password of smtp.username');
  });
});

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

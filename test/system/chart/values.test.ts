/** What values the chart takes, and what it says to others. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { chart } from '../../../hack/generate/helm.ts';
import { parseSettings, SettingsInvalid } from '../../../policy/config/settings.ts';
import { manifests } from './render.ts';

interface Schema {
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean;
  readonly $defs?: Readonly<Record<string, Schema>>;
}

const schema = JSON.parse(readFileSync(join(chart, 'values.schema.json'), 'utf8')) as Schema;
const settingsSchema = schema.properties!['settings']!.properties!;

describe('the values', () => {
  test('are all described by the schema, and nothing else is', () => {
    const values: unknown = parse(readFileSync(join(chart, 'values.yaml'), 'utf8'));
    const described = paths(schema).filter((path) => path !== 'global' && !path.startsWith('settings.'));
    expect(written(values, schema).toSorted()).toEqual(described.toSorted());
  });

  test('have the settings that operator and gateway know', () => {
    const unknown = problems(() => parseSettings({ nothing: true })).join();
    const known = /write only (.*)/.exec(unknown)![1]!.split(', ');
    expect(Object.keys(settingsSchema).toSorted()).toEqual(known.toSorted());
  });

  test.each([
    [{ replica: 3 }, "additional properties 'replica' not allowed"],
    [{ gateway: { replicas: '3' } }, "'/gateway/replicas'"],
    [{ settings: null }, "missing property 'settings'"],
    [{ settings: { shards: 65 } }, "'/settings/shards'"],
    [{ settings: { ledgerLoss: 'open' } }, "'/settings/ledgerLoss'"],
    [{ settings: { ledgerLos: 'Open' } }, "additional properties 'ledgerLos' not allowed"],
    [{ redis: { maxMemory: '512 MB' } }, "'/redis/maxMemory'"],
    [{ settings: { namespace: 'elsewhere' } }, 'settings.namespace: leave it out'],
    [{ redis: { bundled: false } }, 'name a Redis in redis.external.urlSecret.name or redis.external.url'],
    [{ redis: { external: { url: 'redis://r:6379' } } }, 'set redis.bundled to false'],
    [{ redis: { bundled: false, external: { url: 'redis://:secret@r' } } }, 'do not write a password here'],
    [{ redis: { bundled: false, external: { url: 'redis://r:6380/0' } } }, 'redis.external.ports: add 6380'],
    [{ postgres: { bundled: false } }, 'the usage log needs exactly one place'],
    [{ usageLogFolder: { enabled: true } }, '(now: usageLogFolder.enabled, postgres.bundled)'],
    [{ gateway: { ingress: { enabled: true } } }, 'gateway.ingress.host: name the host'],
    [
      { gateway: { shutdownDelaySeconds: 60, terminationGracePeriodSeconds: 60 } },
      'more than gateway.shutdownDelaySeconds (60)',
    ],
    [{ proxy: { url: 'http://user:secret@proxy:3128' } }, 'do not write a password here'],
    [{ proxy: { url: 'http://proxy:8080' } }, 'proxy.ports: add 8080'],
    [
      { operator: { extraEnv: [{ name: 'A' }, { name: 'A' }] } },
      'operator.extraEnv: A stands there twice; write it once',
    ],
    [{ gateway: { httpRoute: { enabled: true } } }, 'gateway.httpRoute.parentRefs: name the Gateway'],
  ])('%j are refused with what to do', (values, message) => {
    expect(() => manifests(values)).toThrow(message);
  });
});

/** Every value that a schema describes in detail. */
function paths(node: Schema, prefix = ''): string[] {
  return Object.entries(resolve(node).properties ?? {}).flatMap(([name, field]) => {
    const path = `${prefix}${name}`;
    return isClosed(resolve(field)) && name !== 'settings' && name !== 'resources' ? paths(field, `${path}.`) : [path];
  });
}

/** Every value that values.yaml has, down to those that the schema describes in detail. */
function written(value: unknown, node: Schema, prefix = ''): string[] {
  return Object.entries(value as object).flatMap(([name, inner]) => {
    const field = resolve(node).properties?.[name];
    const path = `${prefix}${name}`;
    if (field === undefined || !isClosed(resolve(field)) || name === 'settings' || name === 'resources') return [path];
    return written(inner, field, `${path}.`);
  });
}

function isClosed({ properties, additionalProperties }: Schema): boolean {
  return properties !== undefined && additionalProperties === false;
}

function resolve(node: Schema): Schema {
  return node.$ref === undefined ? node : schema.$defs![node.$ref.slice('#/$defs/'.length)]!;
}

function problems(parsing: () => unknown): readonly string[] {
  try {
    parsing();
    return [];
  } catch (error) {
    if (error instanceof SettingsInvalid) return error.problems;
    throw error;
  }
}

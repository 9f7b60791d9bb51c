import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { ClaudeBudget, ClaudeWorkspace } from '../../../../crds/types.gen.ts';
import type { CompileInput } from '../../../../policy/compile/compile-input.ts';
import type { CompileOutput } from '../../../../policy/compile/compile-output.ts';
import { parseSettings } from '../../../../policy/config/settings.ts';
import type { Result } from '../../../../policy/core/result.ts';
import { decodeKeysShard, decodePolicyShard, decodeSharedShard } from '../../../../policy/shards/shard-contents.ts';
import { SHARED_SHARD, type ShardData } from '../../../../policy/shards/shard-format.ts';
import type { PreviousShards } from '../../../../policy/shards/shard-set.ts';

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Monday, 9 in the morning in New York. */
export const NOW = Date.parse('2026-11-23T14:00:00Z');

/** A book of one model: a million tokens cost $1 to read and $5 to write. */
/** A list of one name. */
const NAMES = JSON.stringify({ version: 'test', harmless: ['safeguards'] });

export const BOOK = JSON.stringify({
  version: 'test',
  tools: { webSearch: '0.01' },
  models: [
    {
      id: 'claude-haiku-5-5',
      contextWindow: 1_000_000,
      maxOutputTokens: 64_000,
      rates: [{ input: '1', cacheWrite5m: '1.25', cacheWrite1h: '2', cacheRead: '0.1', output: '5' }],
    },
  ],
});

interface Schema {
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema;
}

function schemaOf(file: string): Schema {
  const crd = parse(readFileSync(new URL(`../../../../crds/${file}`, import.meta.url), 'utf8'), { merge: true });
  return crd.spec.versions[0].schema.openAPIV3Schema;
}

const SCHEMAS = {
  ClaudeWorkspace: schemaOf('claudeworkspaces.yaml'),
  ClaudeBudget: schemaOf('claudebudgets.yaml'),
} as const;

/** An object as the API server stores it: with the defaults of its schema. */
export function stored(applied: { readonly kind: 'ClaudeWorkspace' }): ClaudeWorkspace;
export function stored(applied: { readonly kind: 'ClaudeBudget' }): ClaudeBudget;
export function stored(applied: { readonly kind: keyof typeof SCHEMAS }): ClaudeWorkspace | ClaudeBudget {
  const object = withDefaults(applied, SCHEMAS[applied.kind]) as ClaudeWorkspace | ClaudeBudget;
  const { metadata } = object;
  return { ...object, metadata: { uid: `uid-of-${metadata.name}`, ...metadata } };
}

function withDefaults(value: unknown, schema: Schema): unknown {
  if (Array.isArray(value)) return value.map((item) => withDefaults(item, schema.items ?? {}));
  if (typeof value !== 'object' || value === null) return value;
  const given = Object.entries(value).map(([name, member]) => [
    name,
    withDefaults(member, schema.properties?.[name] ?? schema.additionalProperties ?? {}),
  ]);
  const absent = Object.entries(schema.properties ?? {})
    .filter(([name, property]) => property.default !== undefined && !Object.hasOwn(value, name))
    .map(([name, property]) => [name, withDefaults(property.default, property)]);
  return Object.fromEntries([...given, ...absent]);
}

/** Namespaces by name, with their labels. */
export function namespacesOf(labels: Readonly<Record<string, Readonly<Record<string, string>>>>) {
  return new Map(Object.entries(labels).map(([name, one]) => [name, { uid: `uid-of-${name}`, labels: one }]));
}

export const NOTHING: PreviousShards = { policy: new Map(), keys: new Map(), shared: null };

/** An installation in which nothing was applied yet. */
export const EMPTY: CompileInput = {
  settings: parseSettings({ shards: 2 }),
  now: NOW,
  hash: sha256,
  epoch: 'e1',
  workspaces: [],
  budgets: [],
  namespaces: namespacesOf({ payments: {} }),
  upstreamSecrets: new Map(),
  callerKeys: new Map(),
  secretConflicts: new Map(),
  prices: { text: BOOK, fallback: false },
  names: { text: NAMES, fallback: false },
  exceeded: [],
  previous: NOTHING,
  fences: new Map(),
};

/** What the next compile finds after the writes of this one: what the cluster and the ledger hold then. */
export function carriedOut(
  output: CompileOutput,
  before: Pick<CompileInput, 'previous' | 'fences'> = EMPTY,
): Pick<CompileInput, 'previous' | 'fences'> {
  const data = (name: string): ShardData | undefined => output.shards.find((shard) => shard.name === name)?.data;
  const names = output.shards.map(({ name }) => name);
  const policy = names.filter((name) => /^tollgate-policy-\d/.test(name));
  const keys = names.filter((name) => name.startsWith('tollgate-keys-'));
  const { previous } = before;
  return {
    previous: {
      policy: new Map([
        ...previous.policy,
        ...policy.map((name) => [name, right(decodePolicyShard(data(name), sha256))] as const),
      ]),
      keys: new Map([
        ...previous.keys,
        ...keys.map((name) => [name, right(decodeKeysShard(data(name), sha256))] as const),
      ]),
      shared: names.includes(SHARED_SHARD) ? right(decodeSharedShard(data(SHARED_SHARD), sha256)) : previous.shared,
    },
    fences: new Map([...before.fences, ...output.fences].filter(([ref]) => !output.gone.has(ref))),
  };
}

/** The value of a result; throws if there is none. */
export function right<T>(result: Result<T, unknown>): T {
  if (!result.ok) throw new Error(String(result.error));
  return result.value;
}

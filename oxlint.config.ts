import { defineConfig, type OxlintOverride } from 'oxlint';

/**
 * The rooms of the house, and which others each one may import (docs/explanation/architecture.md says what lives in them).
 * `packages` are the npm packages and `node:` modules that a room must leave alone.
 */
interface Room {
  readonly imports: readonly string[];
  /** Modules that only the named rooms reach for; everything else is free. */
  readonly without: readonly string[];
  /** Packages of which types alone may be imported. */
  readonly typesOnly?: readonly string[];
}

const KUBERNETES = '@kubernetes/**';
const REDIS = 'ioredis';
const DATABASES = ['pg', '@electric-sql/**'];
const TELEMETRY = '@opentelemetry/**';
const HTTP = ['express', 'undici'];
const METRICS = 'prom-client';
/** What a room without input and output leaves alone. */
const EVERYTHING = ['node:*', KUBERNETES, REDIS, ...DATABASES, TELEMETRY, ...HTTP, METRICS, 'pino', 'yaml'];

const policy = (...imports: string[]): Room => ({ imports, without: EVERYTHING });
const ledger = (...imports: string[]): Room => ({
  imports,
  without: [KUBERNETES, ...DATABASES, TELEMETRY, ...HTTP, METRICS],
});
const log = (...imports: string[]): Room => ({ imports, without: [KUBERNETES, REDIS, TELEMETRY, ...HTTP, METRICS] });
const gateway = (...imports: string[]): Room => ({ imports, without: [KUBERNETES, REDIS, ...DATABASES, TELEMETRY] });
const operator = (...imports: string[]): Room => ({
  imports,
  without: [REDIS, ...DATABASES, TELEMETRY],
  typesOnly: ['@kubernetes/client-node'],
});
const cli = (...imports: string[]): Room => ({ imports, without: [KUBERNETES, REDIS, ...DATABASES, TELEMETRY] });

const CORE = 'policy/core';
/** All of policy/ that an entry may ask. */
const POLICY = [
  'admit',
  'compile',
  'config',
  'core',
  'cost',
  'effect',
  'json',
  'names',
  'prices',
  'refusals',
  'request',
  'schema',
  'shards',
  'status',
].map((room) => `policy/${room}`);

/** Every room and its arrows; docs/explanation/architecture.md lists them too. */
export const rooms: Readonly<Record<string, Room>> = {
  config: {
    imports: [CORE, 'policy/config', 'policy/schema', 'proxy'],
    without: EVERYTHING.filter((name) => name !== 'node:*' && name !== 'yaml'),
  },
  proxy: { imports: [], without: EVERYTHING.filter((name) => name !== 'node:*' && name !== 'undici') },

  'policy/core': policy('crds'),
  'policy/refusals': policy(CORE),
  'policy/schema': policy(CORE),
  'policy/prices': policy(CORE, 'policy/schema'),
  'policy/json': policy(CORE),
  'policy/names': policy(CORE, 'policy/schema'),
  'policy/request': policy(CORE, 'policy/json', 'policy/refusals'),
  'policy/config': policy('crds', CORE, 'policy/prices', 'policy/schema'),
  'policy/cost': policy(CORE, 'policy/prices', 'policy/request'),
  'policy/shards': policy(CORE, 'policy/names', 'policy/prices'),
  'policy/compile': policy('crds', CORE, 'policy/config', 'policy/names', 'policy/prices', 'policy/shards'),
  'policy/admit': policy(
    CORE,
    'policy/config',
    'policy/cost',
    'policy/json',
    'policy/names',
    'policy/prices',
    'policy/refusals',
    'policy/request',
    'policy/shards',
  ),
  'policy/status': policy(CORE, 'policy/compile', 'policy/config', 'policy/refusals'),
  'policy/effect': policy(CORE, 'policy/config', 'policy/prices'),

  ledger: ledger(CORE),
  'ledger/session': ledger(CORE, 'ledger'),
  'ledger/redis': ledger(CORE, 'ledger', 'ledger/session', 'config'),
  'ledger/memory': ledger(CORE, 'ledger', 'ledger/session'),

  'log/database': log('config'),
  log: log(CORE, 'ledger', 'log/database'),

  kube: { imports: [], without: [REDIS, ...DATABASES, TELEMETRY, 'express', METRICS] },
  metrics: { imports: [CORE, 'policy/prices'], without: EVERYTHING.filter((name) => name !== METRICS) },
  telemetry: { imports: [], without: [KUBERNETES, REDIS, ...DATABASES, ...HTTP] },

  'gateway/policy': gateway(...POLICY, 'kube'),
  'gateway/http': gateway(...POLICY, 'gateway/policy'),
  'gateway/upstream': gateway(...POLICY, 'gateway/http'),
  'gateway/forward': gateway(...POLICY, 'gateway/http', 'gateway/upstream'),
  'gateway/admission': gateway(...POLICY, 'ledger', 'gateway/http', 'gateway/policy'),
  'gateway/record': gateway(...POLICY, 'ledger', 'metrics', 'telemetry', 'gateway/forward', 'gateway/http'),
  'gateway/pipeline': gateway(
    ...POLICY,
    'metrics',
    'gateway/admission',
    'gateway/http',
    'gateway/policy',
    'gateway/record',
  ),
  'gateway/messages': gateway(
    ...POLICY,
    'gateway/admission',
    'gateway/forward',
    'gateway/http',
    'gateway/pipeline',
    'gateway/record',
    'gateway/upstream',
  ),
  'gateway/batches': gateway(
    ...POLICY,
    'ledger',
    'gateway/admission',
    'gateway/http',
    'gateway/pipeline',
    'gateway/record',
    'gateway/upstream',
  ),
  'gateway/free': gateway(
    ...POLICY,
    'ledger',
    'gateway/admission',
    'gateway/forward',
    'gateway/http',
    'gateway/policy',
    'gateway/upstream',
  ),
  gateway: gateway(
    ...POLICY,
    'config',
    'kube',
    'ledger',
    'ledger/redis',
    'metrics',
    'telemetry',
    'gateway/admission',
    'gateway/batches',
    'gateway/forward',
    'gateway/free',
    'gateway/http',
    'gateway/messages',
    'gateway/pipeline',
    'gateway/policy',
    'gateway/record',
    'proxy',
    'gateway/upstream',
  ),

  'operator/cluster': operator(...POLICY, 'crds', 'kube'),
  'operator/events': operator('policy/core', 'crds', 'kube', 'ledger', 'log', 'operator/cluster'),
  'operator/keys': operator(...POLICY, 'crds', 'kube', 'operator/cluster', 'operator/events'),
  'operator/ledger': operator(...POLICY, 'crds', 'kube', 'ledger', 'log', 'operator/cluster', 'operator/events'),
  'operator/policy': operator(
    ...POLICY,
    'crds',
    'kube',
    'ledger',
    'operator/cluster',
    'operator/keys',
    'operator/ledger',
  ),
  'operator/status': operator(
    ...POLICY,
    'crds',
    'kube',
    'ledger',
    'operator/cluster',
    'operator/events',
    'operator/ledger',
    'operator/policy',
  ),
  'operator/log': operator(...POLICY, 'ledger', 'log', 'log/database'),
  'operator/batches': operator(...POLICY, 'ledger', 'operator/events', 'proxy'),
  'operator/metrics': operator(...POLICY, 'crds', 'kube', 'log', 'log/database', 'metrics'),
  operator: operator(
    ...POLICY,
    'config',
    'kube',
    'ledger',
    'ledger/redis',
    'log',
    'log/database',
    'metrics',
    'telemetry',
    'operator/batches',
    'operator/cluster',
    'operator/events',
    'operator/keys',
    'operator/ledger',
    'operator/log',
    'operator/metrics',
    'operator/policy',
    'operator/status',
    'proxy',
  ),

  'cli/doctor': cli(...POLICY, 'config', 'crds', 'kube', 'ledger', 'ledger/redis', 'log', 'log/database', 'proxy'),
  'cli/query': cli(CORE, 'config', 'log', 'log/database'),
};

requireNoCycle(Object.keys(rooms), []);

/** @throws Error that names the rooms of a cycle, so that the table cannot allow one. */
function requireNoCycle(from: readonly string[], path: readonly string[]): void {
  for (const room of from) {
    const trail = [...path, room];
    if (path.includes(room)) throw new Error(`rooms import each other: ${trail.join(' -> ')}`);
    requireNoCycle(rooms[room]?.imports ?? [], trail);
  }
}

/** Time, chance and the environment are arguments everywhere but where a process begins. */
const PURE_INPUTS = [
  { object: 'Date', property: 'now' },
  { object: 'Math', property: 'random' },
  { object: 'process', property: 'env' },
];

/** The modules that a file of this room may not import, as patterns of the import's own text. */
function restrictions(room: string, { imports, without, typesOnly = [] }: Room) {
  const up = room.split('/').map(() => '..');
  const allowed = imports.map((target) => `!${relative(room, target)}/*`);
  const list = imports.length === 0 ? 'nothing of ours' : imports.join(', ');
  return {
    patterns: [
      {
        group: [
          ...up.map((_, depth) => `${up.slice(depth).join('/')}/**`),
          './*/**',
          `!${relative(room, '.')}/package.json`,
          ...allowed,
        ],
        message: `${room}/ imports ${list} only (oxlint.config.ts).`,
      },
      { group: [...without], message: `${room}/ does without this package (oxlint.config.ts).` },
      ...typesOnly.map((name) => ({
        group: [name],
        allowTypeImports: true,
        message: 'Only kube/ imports it by value.',
      })),
    ],
  };
}

function rulesOf(name: string, room: Room): OxlintOverride {
  return {
    files: [`${name}/*.ts`],
    rules: {
      'no-restricted-imports': ['error', restrictions(name, room)],
      // The Kubernetes client's own back-off and leases live by the clock of the process.
      'no-restricted-properties': name === 'kube' ? 'off' : ['error', ...PURE_INPUTS],
    },
  };
}

/** The way from a room to another one, as an import writes it. */
function relative(from: string, to: string): string {
  const [here, there] = [from.split('/'), to === '.' ? [] : to.split('/')];
  let common = 0;
  while (common < here.length && here[common] === there[common]) common++;
  const path = [...here.slice(common).map(() => '..'), ...there.slice(common)].join('/');
  return path.startsWith('.') ? path : `./${path}`;
}

export default defineConfig({
  plugins: ['typescript', 'unicorn', 'oxc', 'import', 'promise', 'jest'],
  options: { typeAware: true },
  ignorePatterns: ['node_modules', 'dist', '.run', 'coverage', '**/*.gen.ts'],
  categories: { correctness: 'error', suspicious: 'error' },
  rules: {
    'import/no-cycle': 'error',
    'import/no-unassigned-import': 'off',
    'import/no-named-as-default-member': 'off',
    'jest/expect-expect': [
      'error',
      {
        assertFunctionNames: ['expect', 'fc.assert', 'expect*'],
      },
    ],
    'no-await-in-loop': 'off',
    'no-console': 'error',
    'no-shadow': 'off',
    'promise/always-return': 'off',
    complexity: ['error', 12],
    'max-lines': [
      'error',
      {
        max: 300,
        skipComments: true,
        skipBlankLines: true,
      },
    ],
    'typescript/no-explicit-any': 'error',
    'typescript/no-floating-promises': 'error',
    'typescript/no-misused-promises': 'error',
    'typescript/no-unsafe-type-assertion': 'off',
    'typescript/only-throw-error': 'error',
    'typescript/switch-exhaustiveness-check': 'error',
    'typescript/consistent-type-imports': 'error',
    'unicorn/consistent-function-scoping': 'off',
    'unicorn/require-post-message-target-origin': 'off',
  },
  overrides: [
    ...Object.entries(rooms).map(([name, room]) => rulesOf(name, room)),
    {
      files: ['policy/**/*.ts'],
      rules: { 'no-restricted-globals': ['error', 'process', 'fetch', 'setTimeout', 'setInterval'] },
    },
    { files: ['**/main.ts', '**/config.ts'], rules: { 'no-restricted-properties': 'off' } },
    {
      files: ['test/**', 'bench/**', 'hack/**'],
      rules: { 'no-console': 'off', 'max-lines': 'off', complexity: 'off' },
    },
  ],
});

/** No example names what no call can have. */

import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import type { ClaudeBudget, ClaudeWorkspace } from '../../../../crds/types.gen.ts';
import type { CompileInput } from '../../../../policy/compile/compile-input.ts';
import { compile } from '../../../../policy/compile/compile.ts';
import { parseSettings } from '../../../../policy/config/settings.ts';
import { budgetEffective, workspaceEffective } from '../../../../policy/effect/effective.ts';
import { parsePriceBook } from '../../../../policy/prices/price-book-file.ts';
import { EMPTY, stored } from '../compile/stored.ts';

interface Applied {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
}

const root = join(import.meta.dirname, '../../../..');
const prices = readFileSync(join(root, 'policy/prices/prices.json'), 'utf8');
/** The organisation's budgets span workspaces of others. */
const examples = globSync('examples/*.yaml', { cwd: root, exclude: ['**/organisation.yaml'] });

test.each(examples)('nothing that %s names is without effect, as long as its grants last', (file) => {
  const all = parseAllDocuments(readFileSync(join(root, file), 'utf8')).map((one) => one.toJS() as Applied);
  const kinds = all.filter(({ kind }) => kind.startsWith('Claude')).map((one) => stored(one as never) as unknown);
  const labels = new Map(
    all.flatMap(({ kind, metadata }) => (kind === 'Namespace' ? [[metadata.name, metadata.labels ?? {}]] : [])),
  );
  const namespaces = new Set((kinds as Applied[]).map(({ metadata }) => metadata.namespace));
  const now = Date.parse('2026-11-30T00:00:00Z');
  const input: CompileInput = {
    ...EMPTY,
    settings: parseSettings({
      upstreams: ['https://api.anthropic.com', 'http://127.0.0.1:8899'],
      namespaceAttributes: SETTING,
    }),
    now,
    workspaces: (kinds as ClaudeWorkspace[]).filter(({ kind }) => kind === 'ClaudeWorkspace'),
    budgets: (kinds as ClaudeBudget[]).filter(({ kind }) => kind === 'ClaudeBudget'),
    namespaces: new Map([...namespaces].map((name) => [name, { uid: name, labels: labels.get(name) ?? {} }])),
    upstreamSecrets: new Map([...namespaces].map((name) => [`${name}/anthropic`, SECRET])),
    prices: { text: prices, fallback: false },
  };
  const output = compile(input);
  const context = { book: parsePriceBook(JSON.parse(prices)), now };
  const inForce = (ref: string) => output.workspaces.get(ref)?.inForce ?? [];
  const findings = [
    ...[...output.workspaces].map(([ref, one]) => [
      ref,
      one.accepted.message,
      one.inForce && workspaceEffective(one.inForce, one.budgets, { ...context, requireBudget: 'Any' }).message,
    ]),
    ...[...output.budgets].map(([ref, one]) => [
      ref,
      one.accepted.message,
      one.inForce &&
        budgetEffective(
          one.inForce,
          one.required.flatMap(({ workspace }) => inForce(workspace)),
          context,
        ).message,
    ]),
  ];
  const said = findings.filter(([, accepted, effective]) => !(accepted === ACCEPTED && effective === EFFECTIVE));
  expect(findings.length).toBeGreaterThan(0);
  expect(said).toEqual([]);
});

const SETTING = { department: 'acme.example/department' };
const SECRET = { type: 'tollgate.dev/upstream-key', data: { 'api-key': 'sk-ant-not-a-real-key' } };
const ACCEPTED = 'The resource is valid.';
const EFFECTIVE = 'All that it names can be matched by a call.';

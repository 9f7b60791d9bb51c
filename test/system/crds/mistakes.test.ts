/**
 * Typical mistakes, one in each file of mistakes/: at `kubectl apply` each is refused with a sentence that says what to
 * write, or it is accepted and a condition says so. The last document of a file is the mistaken one.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { ClaudeBudget, ClaudeWorkspace, Condition } from '../../../crds/types.gen.ts';
import { kubectl } from '../../../hack/services/kubectl.ts';
import type { CompileInput } from '../../../policy/compile/compile-input.ts';
import type { BudgetOutcome } from '../../../policy/compile/compile-output.ts';
import { compile } from '../../../policy/compile/compile.ts';
import { parseSettings } from '../../../policy/config/settings.ts';
import { condition, type ConditionType, type Finding } from '../../../policy/core/conditions.ts';
import { budgetEffective, workspaceEffective } from '../../../policy/effect/effective.ts';
import { parsePriceBook } from '../../../policy/prices/price-book-file.ts';
import { cluster } from '../../support/cluster.ts';
import { EMPTY, namespacesOf } from '../../unit/policy/compile/stored.ts';

const folder = join(import.meta.dirname, 'mistakes');
const prices = readFileSync(join(import.meta.dirname, '../../../policy/prices/prices.json'), 'utf8');
const files = readdirSync(folder);

interface Mistake {
  readonly file: string;
  readonly what: string;
  /** `refused`, or `condition <type> <reason>`. */
  readonly answer: string;
  readonly says: string;
  /** YAML; `before` is applied first. */
  readonly before: readonly string[];
  readonly mistaken: string;
}

const mistakes = files.map((file): Mistake => {
  const [, what = '', answer = '', says = '', documents = ''] =
    /^# (.+)\n# (refused|condition \w+ \w+): (.+)\n([^]+)$/.exec(readFileSync(join(folder, file), 'utf8')) ?? [];
  const all = documents.split('---\n');
  return { file, what, answer, says, before: all.slice(0, -1), mistaken: all.at(-1)! };
});
const refused = mistakes.filter(({ answer }) => answer === 'refused');
const warned = mistakes.filter(({ answer }) => answer !== 'refused');
let namespace: string;

beforeAll(async () => {
  namespace = await cluster().namespace('mistakes');
});

/** Without `stored` nothing is kept. Returns the object as the API server has it. */
async function apply(yaml: string, { stored = false } = {}): Promise<ClaudeWorkspace | ClaudeBudget> {
  const dry = stored ? [] : ['--dry-run=server'];
  const args = ['apply', ...dry, '-n', namespace, '-o', 'json', '-f', '-'];
  return JSON.parse(await kubectl(cluster().kubeconfig, args, yaml)) as ClaudeWorkspace | ClaudeBudget;
}

test('there are at least 45, and each file is read', () => {
  expect(mistakes.filter(({ says }) => says === '').map(({ file }) => file)).toEqual([]);
  expect(mistakes.length).toBeGreaterThanOrEqual(45);
});

test.each(refused)('refused: $what', async ({ before, mistaken, says }) => {
  for (const yaml of before) await apply(yaml, { stored: true });
  const answer = await apply(mistaken).then(
    () => 'accepted',
    (error: Error) => error.message,
  );
  for (const yaml of before) await kubectl(cluster().kubeconfig, ['delete', '-n', namespace, '-f', '-'], yaml);
  expect(answer).toContain(says);
});

test.each(warned)('$answer: $what', async ({ before, mistaken, answer, says }) => {
  const [, type, reason] = answer.split(' ');
  const objects: (ClaudeWorkspace | ClaudeBudget)[] = [];
  for (const yaml of [...before, mistaken]) objects.push(await apply(yaml));
  const found = conditionsOf(objects).find((one) => one.type === type);
  expect(found).toMatchObject({ status: 'False', reason });
  expect(found!.message.replaceAll(namespace, 'NAMESPACE')).toContain(says);
});

describe('what the page on mistakes says of server-side apply', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/how-to/mistakes.md'), 'utf8');
  const budget = (lines: string) =>
    `apiVersion: tollgate.dev/v1alpha1\nkind: ClaudeBudget\nmetadata: { name: stored }\nspec:\n${lines}`;
  const good = "  workspaceRef: { name: checkout }\n  limit: { usd: '25.00' }\n  period: { every: Day }\n";
  const mistaken = budget(`${good}  perCustomer: true\n`);
  const said = (yaml: string, ...flags: string[]) =>
    kubectl(cluster().kubeconfig, ['apply', ...flags, '-n', namespace, '-f', '-'], yaml).catch(
      (error: Error) => error.message,
    );

  test('it names an unknown field of a stored object in one line, where plain apply prints the object', async () => {
    await apply(budget(good), { stored: true });
    const plain = await said(mistaken);
    expect(plain).toMatch(/strict decoding error: unknown field "spec.perCustomer"$/);
    const short = (await said(mistaken, '--server-side')).trim();
    expect(short).toMatch(/\.spec\.perCustomer: field not declared in schema$/);
    expect(short.split('\n')).toHaveLength(1);
    expect(short.length * 3).toBeLessThan(plain.length);
    expect(await said(budget(good), '--server-side')).toContain('serverside-applied');
  });

  test.each([
    ['period: daily', '.spec.period: expected map, got &{daily}'],
    ['per: customer', '.spec.per: expected list, got &{customer}'],
    ['perCustomer: true', 'field not declared in schema'],
  ])('of %s', async (line, says) => {
    const field = new RegExp(`^  ${line.split(':')[0]}: .*\\n`, 'm');
    const answer = await said(budget(`${good.replace(field, '')}  ${line}\n`), '--server-side', '--dry-run=server');
    expect(answer).toContain(says);
    expect(page).toContain(says);
  });
});

/** What the operator would say of the last object, over the Secrets `anthropic` and `opaque`. */
function conditionsOf(objects: readonly (ClaudeWorkspace | ClaudeBudget)[]): readonly Condition[] {
  const now = Date.now();
  const data = { 'api-key': 'sk-ant-not-a-real-key' };
  const input: CompileInput = {
    ...EMPTY,
    settings: parseSettings(null),
    now,
    workspaces: objects.filter((one): one is ClaudeWorkspace => one.kind === 'ClaudeWorkspace'),
    budgets: objects.filter((one): one is ClaudeBudget => one.kind === 'ClaudeBudget'),
    namespaces: namespacesOf({ [namespace]: {} }),
    upstreamSecrets: new Map([
      [`${namespace}/anthropic`, { type: 'tollgate.dev/upstream-key', data }],
      [`${namespace}/opaque`, { type: 'Opaque', data }],
    ]),
    prices: { text: prices, fallback: false },
  };
  const output = compile(input);
  const { kind, metadata } = objects.at(-1)!;
  const ref = `${metadata.namespace}/${metadata.name}`;
  const context = { book: parsePriceBook(JSON.parse(prices)), now };
  const made = <T extends ConditionType>(type: T, finding: Finding<T> | null) =>
    finding === null ? [] : [condition(type, finding, 1, now, [])];
  if (kind === 'ClaudeWorkspace') {
    const { accepted, inForce, budgets } = output.workspaces.get(ref)!;
    const effective = inForce && workspaceEffective(inForce, budgets, { ...context, requireBudget: 'Any' });
    return [...made('Accepted', accepted), ...made('Effective', effective)];
  }
  const { accepted, inForce, required }: BudgetOutcome = output.budgets.get(ref)!;
  const workspaces = required.flatMap(({ workspace }) => output.workspaces.get(workspace)?.inForce ?? []);
  const effective = inForce && budgetEffective(inForce, workspaces, context);
  return [...made('Accepted', accepted), ...made('Effective', effective)];
}

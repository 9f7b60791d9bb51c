/** Every rule of the CRDs against a real API server: accept/ and reject/ hold the cases. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Agent, request } from 'undici';
import { parse } from 'yaml';
import { type Schema, readCRDs } from '../../../hack/generate/crds.ts';
import { cluster } from '../../support/cluster.ts';

type Json = Record<string, unknown>;

/** One object, as what differs from the base of its file. */
interface Case extends Json {
  /** What it shows. */
  it: string;
  /** Where given, the object exists already with these fields, and the case is an edit of it. */
  from?: Json;
  metadata?: Json;
  spec?: Json;
}

interface Accepted extends Case {
  /** The whole spec as it is stored, with what the API server filled in. */
  stored?: Json;
}

interface Rejected extends Case {
  /** The path of the field that the answer names. */
  at?: string;
  /** A part of the sentence that the answer holds. */
  says: string;
}

interface Cases<T extends Case> {
  base: Json;
  cases: T[];
}

interface Answer {
  status: number;
  /** The stored object, or the API server's Status. */
  body: Json & { message?: string; metadata?: { resourceVersion?: string } };
}

const crds = readCRDs();
let server: string;
let namespace: string;
let agent: Agent;
let authorization: string;
let objects = 0;

beforeAll(async () => {
  const { caFile, kubeconfig, namespace: create, server: url } = cluster();
  const { users } = parse(readFileSync(kubeconfig, 'utf8')) as { users: [{ user: { token: string } }] };
  server = url;
  authorization = `Bearer ${users[0].user.token}`;
  agent = new Agent({ connect: { ca: readFileSync(caFile) } });
  namespace = await create('crds');
});

afterAll(() => agent.close());

describe.each(crds)('$kind', ({ apiVersion, kind, plural, schema }) => {
  const accepted = casesOf<Accepted>('accept', kind);
  const rejected = casesOf<Rejected>('reject', kind);
  const post = (object: Json, dry: boolean) =>
    send('POST', `/apis/${apiVersion}/namespaces/${namespace}/${plural}`, object, dry);

  /** Posts a case, or puts it over the object of its `from`. Nothing of the case itself is stored. */
  async function apply(base: Json, { from, metadata = {}, spec = {} }: Case): Promise<Answer> {
    if (!from) return post(overlay(base, { metadata, spec }), true);
    const name = `edited-${objects++}`;
    const before = await post(overlay(overlay(base, from), { metadata: { name } }), false);
    expect(before).toMatchObject({ status: 201 });
    const { resourceVersion } = before.body.metadata!;
    const after = overlay(overlay(overlay(base, from), { spec }), { metadata: { name, resourceVersion } });
    return send('PUT', `/apis/${apiVersion}/namespaces/${namespace}/${plural}/${name}`, after, true);
  }

  test.each(accepted.cases)('accepts $it', async (each) => {
    const { status, body } = await apply(accepted.base, each);
    expect({ status, message: body.message }).toEqual({ status: each.from ? 200 : 201 });
  });

  test.each(accepted.cases.filter(({ stored }) => stored))('fills in what $it leaves out', async (each) => {
    const { body } = await apply(accepted.base, each);
    expect(body['spec']).toEqual(each.stored);
  });

  test.each(rejected.cases)('rejects $it', async (each) => {
    const { status, body } = await apply(rejected.base, each);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(body.message).toContain(each.says);
    expect(body.message).toContain(each.at ? `${each.at}: ` : '');
  });

  test('the base of the rejected cases is valid, so that each is refused for what it changes', async () => {
    expect(await apply(rejected.base, { it: 'the base' })).toMatchObject({ status: 201 });
  });

  test('every rule has a case that breaks it', () => {
    const said = rejected.cases.map(({ says }) => says);
    const sentences = [...nodes(schema)]
      .flatMap(([, node]) => node['x-kubernetes-validations'] ?? [])
      .map(({ message }) => message);
    expect(sentences.filter((sentence) => !said.includes(sentence))).toEqual([]);
  });

  test('the case with every field leaves none out', async () => {
    const full = overlay(
      accepted.base,
      accepted.cases.find(({ it }) => it === 'every field')!,
    ) as { spec: Json };
    const written = new Set(pathsOf(full.spec, ''));
    const fields = [...nodes(schema.properties!['spec']!)].map(([path]) => path).filter((path) => path !== '');
    const chosenOtherwise = /^\.(namespaceSelector|disclosure|period\.startTime|limit\.workspaceReservePercent)/;
    expect(fields.filter((path) => !chosenOtherwise.test(path) && !written.has(path))).toEqual([]);
  });
});

test.each([
  ['cb', 'claudebudget', 'NAME WORKSPACE PERIOD LIMIT SPENT USED STATE RESETS READY PRESUMED REASON EFFECTIVE AGE'],
  ['cw', 'claudeworkspace', 'NAME KEYS BUDGETS SUSPENDED READY REASON EFFECTIVE AGE'],
])('kubectl get %s prints its columns', async (shortName, kind, columns) => {
  const { apply, kubectl, namespace: create } = cluster();
  const own = await create('columns');
  const { base } = parse(readFileSync(join(import.meta.dirname, `accept/${kind}.yaml`), 'utf8')) as Cases<Case>;
  await apply(JSON.stringify(overlay(base, { metadata: { namespace: own } })));
  const [header] = (await kubectl('get', shortName, '-n', own, '-o', 'wide')).split('\n');
  expect(header!.trim().split(/ +/)).toEqual(columns.split(' '));
  expect(await kubectl('get', 'tollgate', '-n', own, '-o', 'name')).toContain(kind);
});

describe.each(crds)('the schema of $kind', ({ schema }) => {
  const all = [...nodes(schema)].filter(([path]) => !['', '.metadata'].includes(path));
  const where = (matches: (node: Schema, path: string) => boolean) =>
    all.filter(([path, node]) => matches(node, path)).map(([path]) => path);

  test('describes every field', () => {
    expect(
      where((node, path) => !/(\[\]|\{\})$/.test(path) && !/^[a-z].*\.$/s.test(node.description ?? '')).filter(
        (path) => path !== '',
      ),
    ).toEqual([]);
  });

  test('bounds every text, list and map, so that the cost of a rule is bounded', () => {
    expect(
      where(({ type, enum: values, maxLength }) => type === 'string' && !values && maxLength === undefined),
    ).toEqual([]);
    expect(where(({ type, maxItems }) => type === 'array' && maxItems === undefined)).toEqual([]);
    expect(
      where(({ additionalProperties, maxProperties }) => !!additionalProperties && maxProperties === undefined),
    ).toEqual([]);
    expect(where(({ type, minimum, enum: values }) => type === 'integer' && minimum === undefined && !values)).toEqual(
      [],
    );
  });

  test('says how every list is merged', () => {
    expect(where((node) => node.type === 'array' && node['x-kubernetes-list-type'] === undefined)).toEqual([]);
  });

  test('says what every text of the spec may hold', () => {
    const free = where(
      (node, path) =>
        path.startsWith('.spec') &&
        node.type === 'string' &&
        !(node.pattern ?? node.enum ?? node['x-kubernetes-validations']),
    );
    expect(free).toEqual([]);
  });

  test('has no floating-point number, and writes its words in CamelCase', () => {
    expect(where(({ type }) => type === 'number')).toEqual([]);
    const words = all.flatMap(([, node]) => node.enum ?? []).filter((word) => typeof word === 'string');
    expect(words.filter((word) => !/^[A-Z][A-Za-z]*$/.test(word))).toEqual([]);
  });

  test('hangs a rule on the spec itself only where it compares fields', () => {
    const rules = schema.properties!['spec']!['x-kubernetes-validations']!.map(({ rule }) => rule);
    const fields = (rule: string) => new Set([...rule.matchAll(/self\.(\w+)/g)].map(([, field]) => field)).size;
    expect(rules.filter((rule) => fields(rule) < 2)).toEqual([]);
  });
});

async function send(method: 'POST' | 'PUT', path: string, object: Json, dry: boolean): Promise<Answer> {
  const { statusCode, body } = await request(`${server}${path}?fieldValidation=Strict${dry ? '&dryRun=All' : ''}`, {
    method,
    dispatcher: agent,
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify(object),
  });
  return { status: statusCode, body: (await body.json()) as Answer['body'] };
}

function casesOf<T extends Case>(folder: string, kind: string): Cases<T> {
  const file = join(import.meta.dirname, folder, `${kind.toLowerCase()}.yaml`);
  return parse(readFileSync(file, 'utf8'), { merge: true }) as Cases<T>;
}

/** A JSON merge patch: objects are merged, null removes, everything else replaces. */
function overlay(base: Json, patch: Json): Json {
  const merged: Json = { ...base };
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else merged[name] = isObject(value) ? overlay(isObject(base[name]) ? base[name] : {}, value) : value;
  }
  return merged;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The schema and all that is in it, by path: `.spec.keys[].name`, `.spec.attributes{}`. */
function* nodes(schema: Schema, path = ''): Generator<[string, Schema]> {
  yield [path, schema];
  for (const [name, field] of Object.entries(schema.properties ?? {})) yield* nodes(field, `${path}.${name}`);
  if (schema.items) yield* nodes(schema.items, `${path}[]`);
  if (schema.additionalProperties) yield* nodes(schema.additionalProperties, `${path}{}`);
}

/** The fields of an object in the same notation. */
function pathsOf(value: unknown, path: string): string[] {
  if (Array.isArray(value)) return [`${path}[]`, ...value.flatMap((item) => pathsOf(item, `${path}[]`))];
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([name, field]) => [
    `${path}.${name}`,
    `${path}{}`,
    ...pathsOf(field, `${path}.${name}`),
    ...pathsOf(field, `${path}{}`),
  ]);
}

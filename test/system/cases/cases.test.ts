import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { request } from 'undici';
import { stringify } from 'yaml';
import { Installation } from '../../../bench/installation.ts';
import { parseUsd } from '../../../policy/core/money.ts';
import { until } from '../../support/until.ts';
import { readVariants, type Variant } from './field-case.ts';
import { ReplayingUpstream } from './replaying-upstream.ts';

// Situations that users of such systems report, each with what is right, as a black box: kubectl and HTTP only.

const directory = mkdtempSync(join(tmpdir(), 'tollgate-cases-'));
const variants = readVariants(import.meta.dirname);
const upstream = new ReplayingUpstream();
/** Longer than the time between two writes of a status. */
const STATUS_MS = 2_500;

let installation: Installation;
/** Ends once no correction is under way: there is one annotation. */
let correcting = Promise.resolve();
let keys: ReadonlyMap<string, string>;

beforeAll(async () => {
  const url = await upstream.start();
  installation = await Installation.start(1, {
    directory,
    upstream: url,
    controllers: false,
    settings: { browserOrigins: ['https://app.example'] },
  });
  for (const [index, { reply }] of variants.entries()) upstream.prescribe(upstreamKey(index), reply);
  await installation.apply(variants.map((variant, index) => resources(variant, index, url)).join('---\n'));
  await installation.kubectl('wait', '--for=condition=Programmed', '--timeout=60s', 'claudebudgets', '--all', '-A');
  const secrets = JSON.parse(await installation.kubectl('get', 'secrets', '-A', '-o', 'json')) as {
    items: { metadata: { namespace: string; name: string }; data?: Record<string, string> }[];
  };
  keys = new Map(
    secrets.items
      .filter(({ metadata }) => metadata.name === 'app-claude')
      .map(({ metadata, data }) => [metadata.namespace, Buffer.from(data!['ANTHROPIC_API_KEY']!, 'base64').toString()]),
  );
}, 300_000);

afterAll(async () => {
  await Installation.stop(directory);
  await upstream.stop();
  rmSync(directory, { recursive: true, force: true });
});

test.concurrent.each(variants.map((variant, index) => [variant.title, variant, index] as const))(
  '%s',
  async (_, variant, index) => {
    let answer = { status: 0, text: '' };
    for (let call = 0; call < variant.repeat; call += 1) answer = await send(variant, index);
    if (variant.correct !== null) {
      correcting = correcting.then(() => correct(variant.correct!, index));
      await correcting;
      answer = await send(variant, index);
    }
    expect([...wrongInAnswer(variant, index, answer), ...(await wrongInMoney(variant, index))]).toEqual([]);
  },
);

async function send({ method, path, headers, body, sendsKey }: Variant, index: number) {
  const key: Record<string, string> = sendsKey ? { 'x-api-key': keys.get(namespaceOf(index))! } : {};
  const answer = await request(`${installation.gateways[0]}${path}`, {
    method,
    headers: { 'content-type': 'application/json', 'anthropic-version': '2023-06-01', ...key, ...headers },
    body,
  });
  return { status: answer.statusCode, text: await answer.body.text() };
}

/** What differs from what is right in the last answer, and in what came to the upstream. */
function* wrongInAnswer({ right, body }: Variant, index: number, { status, text }: { status: number; text: string }) {
  if (right.status !== undefined && status !== right.status) yield `status ${status}: ${text}`;
  if (right.contains !== undefined && !text.includes(right.contains)) yield `no "${right.contains}" in: ${text}`;
  if (right.lacks !== undefined && text.includes(right.lacks)) yield `"${right.lacks}" in: ${text}`;
  const up = upstream.received(upstreamKey(index)).at(-1);
  if (right.upBodySame === true && !up?.body.equals(body!)) yield `another body went up: ${up?.body.toString()}`;
  for (const [name, value] of Object.entries(right.upHas ?? {})) {
    if (up?.headers[name] !== value) yield `${name} went up as ${up?.headers[name]?.toString()}`;
  }
  for (const name of right.upAbsent ?? []) if (up === undefined || name in up.headers) yield `${name} went up`;
}

/** What differs in the log and in the budget's status, once no call is in flight: what is presumed is part of what is reserved. */
async function wrongInMoney({ right, repeat, sendsKey }: Variant, index: number): Promise<string[]> {
  const wrong: string[] = [];
  if (right.estimated !== undefined) {
    const lines = await until(() => callsOf(index).length === repeat && callsOf(index));
    if (lines.at(-1)?.estimated !== right.estimated) wrong.push('estimated');
  }
  if (!sendsKey || (right.spent ?? right.presumed ?? right.corrected) === undefined) return wrong;
  const money = async () => {
    const {
      spentUsd = '0',
      presumedUsd = '0',
      reservedUsd = '0',
      correctedUsd = '0.00',
    } = (await installation.budget(namespaceOf(index), 'cap')).status ?? {};
    const isRight =
      parseUsd(reservedUsd) === parseUsd(presumedUsd) &&
      (right.spent === undefined || parseUsd(spentUsd) === parseUsd(right.spent)) &&
      (right.presumed === undefined || parseUsd(presumedUsd) === parseUsd(right.presumed)) &&
      (right.corrected === undefined || correctedUsd === right.corrected);
    const text = `spent ${spentUsd}, presumed ${presumedUsd}, reserved ${reservedUsd}, corrected ${correctedUsd}`;
    return { isRight, text };
  };
  await until(async () => (await money()).isRight, 20_000, 250).catch(() => undefined);
  await sleep(STATUS_MS);
  const { isRight, text } = await money();
  return isRight ? wrong : [...wrong, text];
}

/** Says what the last call cost that the gateway's log has, and waits until the operator has done it. */
async function correct({ usd, reason }: NonNullable<Variant['correct']>, index: number): Promise<void> {
  const checkpoint = ['configmap', 'tollgate-ledger', '-n', 'tollgate-system'];
  const { id } = await until(() => callsOf(index).at(-1));
  await installation.kubectl('annotate', ...checkpoint, `tollgate.dev/correct=${id} ${usd} ${reason}`);
  await until(async () => !(await installation.kubectl('get', ...checkpoint, '-o', 'yaml')).includes(id), 30_000);
}

/** The gateway's own log lines of the calls. */
function callsOf(index: number): { id: string; estimated?: boolean }[] {
  const lines = installation.log('tollgate-gateway-1').trim().split('\n');
  return lines
    .map((line) => JSON.parse(line) as { id: string; workspace?: string; estimated?: boolean })
    .filter((line) => line.workspace === `${namespaceOf(index)}/app` && 'estimated' in line);
}

function namespaceOf(index: number): string {
  return `case-${index}`;
}

function upstreamKey(index: number): string {
  return `sk-ant-case-${index}`;
}

function resources({ workspace, usd }: Variant, index: number, url: string): string {
  const namespace = namespaceOf(index);
  const { upstream: further = {}, ...spec } = workspace as { upstream?: object };
  const objects = [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'anthropic', namespace },
      type: 'tollgate.dev/upstream-key',
      stringData: { 'api-key': upstreamKey(index) },
    },
    {
      apiVersion: 'tollgate.dev/v1alpha1',
      kind: 'ClaudeWorkspace',
      metadata: { name: 'app', namespace },
      spec: {
        upstream: { baseURL: url, apiKeySecretRef: { name: 'anthropic' }, ...further },
        keys: [{ name: 'app', secretName: 'app-claude' }],
        ...spec,
      },
    },
    {
      apiVersion: 'tollgate.dev/v1alpha1',
      kind: 'ClaudeBudget',
      metadata: { name: 'cap', namespace },
      spec: { workspaceRef: { name: 'app' }, limit: { usd }, period: { every: 'Year', timeZone: 'UTC' } },
    },
  ];
  return objects.map((object) => stringify(object)).join('---\n');
}

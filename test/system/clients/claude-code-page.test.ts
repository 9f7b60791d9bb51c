/** What docs/how-to/claude-code.md tells developers to set, and what it says that they see, with the real Claude Code. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { CompiledWorkspace } from '../../../policy/core/compiled-policy.ts';
import { parseUsd } from '../../../policy/core/money.ts';
import { type Upstream, startUpstream } from '../../fakes/upstream/upstream.ts';
import { startRedis } from '../../support/redis.ts';
import { message, type Running, startGateway } from '../gateway/harness.ts';
import { budget, type Handover, handover, resolved } from '../gateway/policies.ts';
import { claudeCode } from './claude-code.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/how-to/claude-code.md'), 'utf8');
const bodies: { max_tokens?: number }[] = [];
let redis: Awaited<ReturnType<typeof startRedis>>;
let upstream: Upstream;
let gateway: Running;
let policy: Handover;

beforeAll(async () => {
  redis = await startRedis();
  upstream = await startUpstream({
    behaviour: { text: 'Hello there' },
    observe: ({ url, body }) => url.startsWith('/v1/messages?') && bodies.push(JSON.parse(body.toString()) as object),
  });
  policy = handover({
    baseURL: upstream.url,
    keys: { ada: 'sk-tollgate-ada', poor: 'sk-tollgate-poor', small: 'sk-tollgate-small' },
    budgets: [
      budget('developers', '100.00', { scope: { keys: ['ada'] }, per: ['user'], totalNano: parseUsd('1000.00') }),
      budget('checkout-daily', '25.00', {
        scope: { keys: ['poor'] },
        toleranceNano: parseUsd('60'),
        period: { every: 'Day', timeZone: 'America/New_York' },
      }),
      budget('ada-daily', '2.00', {
        scope: { keys: ['small'] },
        period: { every: 'Day', timeZone: 'America/New_York' },
      }),
    ],
    rest: {
      headers: { user: 'x-tollgate-user', feature: 'x-tollgate-feature' },
      refusal: { status: 429, message: 'Ask in #claude-costs.' },
      keys: ['ada', 'poor', 'small'].map((name) => ({ name, priority: 'Normal', attributes: {} })),
    },
  });
  gateway = await startGateway({ redisUrl: redis.url, handover: policy });
});
afterAll(async () => {
  await gateway.stop();
  await upstream.close();
  await redis.stop();
});

/** The variables that the page's first block sets, but those that say where the gateway is. */
function variablesOfThePage(): Record<string, string> {
  const block = /^```sh\n([^]*?)^```/m.exec(page)?.[1] ?? '';
  const set = [...block.matchAll(/^export (\w+)=(?:'([^']*)'|(\S+))/gm)];
  const all = set.map(([, name = '', quoted, plain]) => [name, quoted ?? plain ?? ''] as const);
  return Object.fromEntries(all.filter(([name]) => !['ANTHROPIC_BASE_URL', 'ANTHROPIC_AUTH_TOKEN'].includes(name)));
}

test('the variables of the page name the caller, the user and the feature, and lower the worst case', async () => {
  const variables = variablesOfThePage();
  expect(Object.keys(variables)).toEqual(['CLAUDE_CODE_MAX_OUTPUT_TOKENS', 'ANTHROPIC_CUSTOM_HEADERS']);
  const answer = await claudeCode({ baseURL: gateway.url, apiKey: '' }, 'say hello', {
    ...variables,
    ANTHROPIC_AUTH_TOKEN: 'sk-tollgate-ada',
  });
  expect(answer).toMatchObject({ exitCode: 0, result: 'Hello there' });
  expect(bodies.at(-1)?.max_tokens).toBe(32_000);
  expect(gateway.logs.findLast(({ status }) => status === 200)).toMatchObject({ key: 'ada', feature: 'claude-code' });
  const headers = { 'x-api-key': 'sk-tollgate-ada' };
  const { budgets } = (await (await fetch(`${gateway.url}/tollgate/v1/budgets`, { headers })).json()) as {
    budgets: { top: { values: string[] }[] }[];
  };
  expect(budgets[0]?.top.map(({ values }) => values)).toEqual([['ada']]);
});

test('a spent budget is what the page shows', async () => {
  const poor = { baseURL: gateway.url, apiKey: 'sk-tollgate-poor' };
  const headers = {
    'x-api-key': poor.apiKey,
    'anthropic-version': '2023-06-01',
    'content-type': 'application/json',
    'x-stainless-stand-in': JSON.stringify({ usage: { input_tokens: 0, output_tokens: 1_249_500 } }),
  };
  const body = message({ model: 'claude-opus-5-5', max_tokens: 2000 });
  expect((await fetch(`${gateway.url}/v1/messages`, { method: 'POST', headers, body })).status).toBe(200);
  expect(await claudeCode(poor, 'say hello')).toMatchObject({ exitCode: 0 });
  const refused = await claudeCode(poor, 'say hello');
  expect(refused).toMatchObject({ exitCode: 1, apiErrorStatus: 429 });
  const shown = /^API Error: .*$/m.exec(page)?.[0] ?? '';
  const instant = /\d{4}-\d\d-\d\dT0[45]:00:00Z/; // midnight in New York
  expect(shown).toMatch(instant);
  expect(refused.result.replace(instant, 'midnight')).toBe(shown.replace(instant, 'midnight'));
});

test('a turn that is too large for a small budget is what the page shows, and fits with fewer output tokens', async () => {
  const small = { baseURL: gateway.url, apiKey: 'sk-tollgate-small' };
  const refused = await claudeCode(small, 'say hello');
  expect(refused).toMatchObject({ exitCode: 1, apiErrorStatus: 429 });
  const shown = /^API Error: .*cannot hold.*$/m.exec(page)?.[0] ?? '';
  const figures = [/\d{4}-\d\d-\d\dT0[45]:00:00Z/, /(?<=cost up to \$2\.[78])\d+/, /(?<=max_tokens to )8[78]\d{3}/];
  const plain = (line: string) => figures.reduce((text, figure) => text.replace(figure, '#'), line);
  expect(plain(refused.result)).toBe(plain(shown));
  const fits = { CLAUDE_CODE_MAX_OUTPUT_TOKENS: '32000' };
  expect(await claudeCode(small, 'say hello', fits)).toMatchObject({ exitCode: 0, result: 'Hello there' });
});

test('a model that is not allowed is what the page shows, and another one is chosen by ANTHROPIC_MODEL', async () => {
  const { workspace, ...rest } = policy;
  const chat = {
    namespace: 'features',
    name: 'chat',
    models: { allow: ['claude-sonnet-*', 'claude-haiku-*'], unknown: 'Refuse' },
  };
  gateway.policy.enforce([resolved({ ...rest, workspace: { ...workspace, ...chat } as CompiledWorkspace })]);
  const ada = { baseURL: gateway.url, apiKey: 'sk-tollgate-ada' };
  const refused = await claudeCode(ada, 'say hello', { CLAUDE_CODE_MAX_OUTPUT_TOKENS: '32000' });
  expect(page).toContain(`\`${refused.result}\``);
  const chosen = { CLAUDE_CODE_MAX_OUTPUT_TOKENS: '32000', ANTHROPIC_MODEL: 'claude-sonnet-5-5' };
  expect(await claudeCode(ada, 'say hello', chosen)).toMatchObject({ exitCode: 0 });
});

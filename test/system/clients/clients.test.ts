import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Behaviour } from '../../fakes/upstream/behaviour.ts';
import { type Upstream, startUpstream } from '../../fakes/upstream/upstream.ts';
import { type Endpoint, claudeCode, shapeOf } from './claude-code.ts';
import { type ClientGateway, startGateway } from './gateway.ts';
import { python } from './python.ts';

const MODEL = 'claude-sonnet-5-5';
const SAID = 'toll'.repeat(40);
const question = { model: MODEL, max_tokens: 1000, messages: [{ role: 'user' as const, content: 'Hello' }] };
const weather = {
  name: 'weather',
  description: 'The weather in a city.',
  input_schema: { type: 'object' as const, properties: { city: { type: 'string' } } },
};

const standIn = (behaviour: Behaviour) => ({ headers: { 'x-stainless-stand-in': JSON.stringify(behaviour) } });

const bodies: { url: string; body: string }[] = [];
let upstream: Upstream;
let gateway: ClientGateway;
beforeAll(async () => {
  upstream = await startUpstream({ observe: ({ url, body }) => bodies.push({ url, body: body.toString() }) });
  gateway = await startGateway(upstream.url);
});
afterAll(async () => {
  await gateway.stop();
  await upstream.close();
});
beforeEach(() => {
  upstream.behave({});
  upstream.clearBooks();
  bodies.length = 0;
});

describe.each([
  ['at the stand-in itself', () => ({ baseURL: upstream.url, apiKey: 'sk-ant-direct' })],
  ['through the gateway', () => ({ baseURL: gateway.url, apiKey: 'sk-tollgate-rich' })],
])('%s', (_where, endpoint: () => Endpoint) => {
  test('the TypeScript SDK: messages, streams, tools, thinking, caching, counting, models', async () => {
    const client = new Anthropic({ ...endpoint(), maxRetries: 0 });
    expect((await client.messages.create(question)).content).toEqual([{ type: 'text', text: SAID }]);

    const streamed = client.messages.stream(question);
    const pieces: string[] = [];
    streamed.on('text', (text) => pieces.push(text));
    expect((await streamed.finalMessage()).usage.output_tokens).toBe(40);
    expect(pieces).toHaveLength(4);

    const calling = standIn({ tool: { name: 'weather', input: { city: 'Lima' } } });
    const called = await client.messages.stream({ ...question, tools: [weather] }, calling).finalMessage();
    expect(called).toMatchObject({ stop_reason: 'tool_use', content: [{ name: 'weather', input: { city: 'Lima' } }] });
    const result = {
      type: 'tool_result' as const,
      tool_use_id: (called.content[0] as { id: string }).id,
      content: 'Mist',
    };
    const turns = [
      ...question.messages,
      { role: 'assistant' as const, content: called.content },
      { role: 'user' as const, content: [result] },
    ];
    const answered = await client.messages.create({ ...question, tools: [weather], messages: turns }, calling);
    expect(answered.stop_reason).toBe('end_turn');

    const thought = await client.messages.stream({ ...question, thinking: { type: 'adaptive' } }).finalMessage();
    expect(thought.content.map(({ type }) => type)).toEqual(['thinking', 'text']);

    const system = [{ type: 'text' as const, text: 'Rules', cache_control: { type: 'ephemeral' as const } }];
    const reading = standIn({ usage: { cache_read_input_tokens: 1200 } });
    expect((await client.messages.create({ ...question, system }, reading)).usage.cache_read_input_tokens).toBe(1200);

    const { max_tokens: _, ...countable } = question;
    expect((await client.messages.countTokens(countable)).input_tokens).toBeGreaterThan(0);
    const models = await client.models.list();
    expect(models.data.map(({ id }) => id)).toContain(MODEL);
    expect(upstream.books()).toMatchObject({ open: 0, total: { requests: 6, calls: 6, aborted: 0 } });
  });

  test('the Python SDK: the same', async () => {
    const said = await python(endpoint(), join(import.meta.dirname, 'sdk.py'), 'everything');
    expect(JSON.parse(said)).toEqual({
      plain: SAID,
      pieces: 4,
      streamed: SAID,
      tool: { city: 'Lima' },
      answered: 'end_turn',
      thought: ['thinking', 'text'],
      cacheRead: 1200,
      counted: true,
      models: true,
    });
    expect(upstream.books().total).toMatchObject({ requests: 6, calls: 6 });
  });

  test('the TypeScript SDK: tools of Anthropic, and what they left in the answer sent back', async () => {
    const client = new Anthropic({ ...endpoint(), maxRetries: 0 });
    const { beta } = client;
    const tools: Anthropic.Beta.BetaToolUnion[] = [
      { type: 'memory_20250818', name: 'memory' },
      { type: 'computer_toolset_20260801' },
      { type: 'web_search_20250305', name: 'web_search', max_uses: 1 },
    ];
    const searched = standIn({ usage: { server_tool_use: { web_search_requests: 1 } } });
    const asked = { ...question, tools, thinking: { type: 'adaptive' as const, display: 'updates' as const } };
    const first = await beta.messages.create(asked, searched);
    const id = 'srvtoolu_1';
    const found = {
      type: 'web_search_result',
      url: 'https://a.example',
      title: 'A',
      encrypted_content: 'sealed',
    } as const;
    const messages: Anthropic.Beta.BetaMessageParam[] = [
      ...question.messages,
      {
        role: 'assistant',
        content: [
          { type: 'server_tool_use', id, name: 'web_search', input: { query: 'a' } },
          { type: 'web_search_tool_result', tool_use_id: id, content: [found] },
          ...first.content,
        ],
      },
      {
        role: 'user',
        content: [{ type: 'search_result', source: 's', title: 't', content: [{ type: 'text', text: 'x' }] }],
      },
    ];
    const second = await beta.messages.create({ ...question, tools, messages });
    expect([first.stop_reason, second.stop_reason]).toEqual(['end_turn', 'end_turn']);
    expect(bodies.at(-1)?.body).toBe(JSON.stringify({ ...question, tools, messages }));
  });

  test('Claude Code: an answer, and a turn with a tool', async () => {
    upstream.behave({ text: 'Hello there' });
    const answer = await claudeCode(endpoint(), 'say hello');
    expect(answer).toMatchObject({ exitCode: 0, isError: false, result: 'Hello there' });
    expect(Number(upstream.books().total.usd)).toBeCloseTo(answer.costUsd, 9);
    expect(upstream.books().total.requests).toBe(1);

    upstream.behave({ tool: { name: 'Bash', input: { command: 'echo from-a-tool', description: 'Echo' } } });
    expect(await claudeCode(endpoint(), 'run it')).toMatchObject({
      exitCode: 0,
      isError: false,
      result: SAID.slice(0, 120),
    });
    expect(bodies.at(-1)?.body).toContain('from-a-tool');
    expect(upstream.books().total.requests).toBe(3);
  });

  test('Claude Code in auto mode, with the betas of threads and of scopes of the cache', async () => {
    upstream.behave({ text: 'Hello there' });
    const betas = 'message-threads-2026-08-12,prompt-caching-scope-2026-01-05';
    const flags = ['--permission-mode', 'auto', '--betas', ...betas.split(',')];
    const answer = await claudeCode(endpoint(), 'say hello', { ANTHROPIC_BETAS: betas }, flags);
    expect(answer).toMatchObject({ exitCode: 0, isError: false, result: 'Hello there' });
    expect(Object.keys(JSON.parse(bodies.at(-1)!.body) as object)).toContain('safeguards');
  });
});

test('the default request of Claude Code has the shape of the fixture', async () => {
  await claudeCode({ baseURL: upstream.url, apiKey: 'sk-ant-direct' }, 'say hello');
  const sent = bodies.find(({ url }) => url.startsWith('/v1/messages?'));
  const shape = shapeOf(JSON.parse(sent?.body ?? 'null'));
  const fixture = join(import.meta.dirname, 'fixtures/claude-code-request.json');
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(fixture, `${JSON.stringify(shape, undefined, 2)}\n`);
  expect(shape).toEqual(JSON.parse(readFileSync(fixture, 'utf8')));
});

describe('a spent budget costs one attempt and gives one clear sentence', () => {
  const sentence =
    /^Yearly budget of \$0\.01 reached \(payments\/pennies\)\. Current spend: \$0\.02\. Resets at \S+Z\. Ask #claude-costs\.$/;
  const poor = () => ({ baseURL: gateway.url, apiKey: 'sk-tollgate-poor' });
  let before: number;

  beforeAll(() => gateway.spendPennies());
  beforeEach(async () => (before = await gateway.refused()));

  test.each([false, true])('in the TypeScript SDK, streaming: %s', async (stream) => {
    const error: unknown = await new Anthropic(poor()).messages
      .create({ ...question, stream })
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Anthropic.RateLimitError);
    const { status, type, error: body } = error as InstanceType<typeof Anthropic.APIError>;
    expect({ status, type }).toEqual({ status: 429, type: 'budget_exceeded' });
    expect((body as { error: { message: string } }).error.message).toMatch(sentence);
    expect(await gateway.refused()).toBe(before + 1);
  });

  test('in the Python SDK', async () => {
    const refusal = JSON.parse(await python(poor(), join(import.meta.dirname, 'sdk.py'), 'refusal')) as {
      error: { message: string };
    };
    expect(refusal).toMatchObject({ status: 429, class: 'RateLimitError', error: { type: 'budget_exceeded' } });
    expect(refusal.error.message).toMatch(sentence);
    expect(await gateway.refused()).toBe(before + 1);
  });

  test('in Claude Code', async () => {
    const answer = await claudeCode(poor(), 'say hello');
    expect(answer).toMatchObject({ exitCode: 1, isError: true, apiErrorStatus: 429 });
    // Its worst case is above the limit and its tolerance, which the sentence says first.
    expect(answer.result).toMatch(
      /^API Error: Request rejected \(429\) · Yearly budget of \$0\.01 cannot hold this call \(payments\/pennies\).* Resets at \S+Z\. Ask #claude-costs\.$/,
    );
    expect(await gateway.refused()).toBe(before + 1);
    expect(upstream.books().total.requests).toBe(0);
  });
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAnthropic } from '@ai-sdk/anthropic';
import { query } from '@anthropic-ai/claude-agent-sdk';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { ChatAnthropic } from '@langchain/anthropic';
import { generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai';
import { type Upstream, startUpstream } from '../../fakes/upstream/upstream.ts';
import type { Endpoint } from './claude-code.ts';
import { type ClientGateway, startGateway } from './gateway.ts';

const MODEL = 'claude-sonnet-5-5';
const SAID = 'toll'.repeat(40);
const CITY = { type: 'object' as const, properties: { city: { type: 'string' as const } }, required: ['city'] };
const LIMA = { tool: { name: 'weather', input: { city: 'Lima' } } };
const SPENT = /Yearly budget of \$0\.01 (?:reached|cannot hold this call) \(payments\/pennies\)/;

let upstream: Upstream;
let gateway: ClientGateway;
let rich: Endpoint;
beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startGateway(upstream.url);
  rich = { baseURL: gateway.url, apiKey: 'sk-tollgate-rich' };
  await gateway.spendPennies();
});
afterAll(async () => {
  await gateway.stop();
  await upstream.close();
});
beforeEach(() => {
  upstream.behave({});
  upstream.clearBooks();
});

/** Expects that a call on a spent budget is refused by one sentence, and not tried again. */
async function expectOneAttempt(
  { url, refused }: ClientGateway,
  call: (poor: Endpoint) => Promise<unknown>,
): Promise<void> {
  const before = await refused();
  const error: unknown = await call({ baseURL: url, apiKey: 'sk-tollgate-poor' }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(Error);
  expect((error as Error).message).toMatch(SPENT);
  expect(await refused()).toBe(before + 1);
  expect(upstream.books().total.requests).toBe(0);
}

describe('the AI SDK', () => {
  const modelAt = ({ baseURL, apiKey }: Endpoint) => createAnthropic({ baseURL, apiKey })(MODEL);
  const weather = tool({ description: 'The weather', inputSchema: jsonSchema(CITY), execute: () => 'Mist' });

  test.each(['', '/v1'])('at the gateway’s URL with "%s": an answer, a stream, a tool', async (path) => {
    const model = modelAt({ ...rich, baseURL: `${rich.baseURL}${path}` });
    expect((await generateText({ model, prompt: 'Hello' })).text).toBe(SAID);
    expect(await streamText({ model, prompt: 'Hello' }).text).toBe(SAID);
    upstream.behave(LIMA);
    const { steps, text } = await generateText({
      model,
      prompt: 'Hello',
      tools: { weather },
      stopWhen: stepCountIs(2),
    });
    expect([steps[0]?.toolResults[0]?.output, text]).toEqual(['Mist', SAID]);
    expect(upstream.books()).toMatchObject({ open: 0, total: { requests: 4, calls: 4, aborted: 0 } });
  });

  test('a spent budget is one attempt with `refusal.status: 402`; of any 429 this SDK makes three', async () => {
    const billing = await startGateway(upstream.url, 402);
    await billing.spendPennies();
    upstream.clearBooks();
    await expectOneAttempt(billing, (poor) => generateText({ model: modelAt(poor), prompt: 'Hello' }));
    await billing.stop();
  });
});

describe('LangChain', () => {
  const modelAt = ({ baseURL, apiKey }: Endpoint) =>
    new ChatAnthropic({ model: MODEL, apiKey, anthropicApiUrl: baseURL });

  test('an answer, a stream, a tool', async () => {
    const model = modelAt(rich);
    expect((await model.invoke('Hello')).text).toBe(SAID);
    const pieces: string[] = [];
    for await (const piece of await model.stream('Hello')) pieces.push(piece.text);
    expect(pieces.join('')).toBe(SAID);
    upstream.behave(LIMA);
    const tools = [{ name: 'weather', description: 'The weather', input_schema: CITY }];
    const called = await model.bindTools(tools).invoke('Hello');
    expect(called.tool_calls).toMatchObject([{ name: 'weather', args: { city: 'Lima' } }]);
    expect(upstream.books()).toMatchObject({ open: 0, total: { requests: 3, calls: 3, aborted: 0 } });
  });

  test('a spent budget is one attempt and one sentence', async () => {
    await expectOneAttempt(gateway, (poor) => modelAt(poor).invoke('Hello'));
  });
});

describe('the Agent SDK', () => {
  /** Rejects where the agent ends in an error. */
  async function agent({ baseURL, apiKey }: Endpoint): Promise<{ result: string; costUsd: number }> {
    const home = mkdtempSync(join(tmpdir(), 'tollgate-agent-'));
    const env = {
      PATH: process.env['PATH'],
      HOME: home,
      ANTHROPIC_BASE_URL: baseURL,
      ANTHROPIC_API_KEY: apiKey,
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    };
    try {
      for await (const message of query({
        prompt: 'run it',
        options: { cwd: home, env, allowedTools: ['Bash(echo:*)'] },
      })) {
        if (message.type !== 'result') continue;
        if (message.subtype !== 'success') throw new Error(message.errors.join());
        if (message.is_error) throw new Error(message.result);
        return { result: message.result, costUsd: message.total_cost_usd };
      }
      throw new Error('the agent said nothing');
    } finally {
      rmSync(home, { recursive: true, force: true, maxRetries: 3 });
    }
  }

  test('a turn with a tool', async () => {
    upstream.behave({ tool: { name: 'Bash', input: { command: 'echo from-a-tool', description: 'Echo' } } });
    const { result, costUsd } = await agent(rich);
    expect(result).toBe(SAID.slice(0, 120));
    expect(upstream.books().total.requests).toBe(2);
    expect(Number(upstream.books().total.usd)).toBeCloseTo(costUsd, 9);
  });

  test('a spent budget is one attempt and one sentence', async () => {
    await expectOneAttempt(gateway, agent);
  });
});

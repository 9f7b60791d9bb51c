import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { worstCost } from '../../../../policy/cost/worst-cost.ts';
import { readAll } from '../../../../policy/json/body-reading.ts';
import { MAX_DEPTH } from '../../../../policy/json/json-reader.ts';
import { parsePriceBook } from '../../../../policy/prices/price-book-file.ts';
import published from '../../../../policy/prices/prices.json' with { type: 'json' };
import { unbounded as unboundedSentence } from '../../../../policy/refusals/refusal-sentences.ts';
import { readRequest, type RequestFacts, requestReading } from '../../../../policy/request/request.ts';
import { bytes, facts, plain, plainFacts, refusal, withContent } from '../../../support/request-bodies.ts';
import claudeCode from '../data/claude-code.json' with { type: 'json' };

const book = parsePriceBook(published);

describe('readRequest', () => {
  test('reads a plain request', () => {
    const text = '{"model": "claude-opus-5-5",\n"max_tokens" : 100 , "messages": [{"role":"user","content":"Hello"}]}';
    expect(facts(text)).toEqual({
      model: 'claude-opus-5-5',
      maxTokens: 100,
      stream: false,
      ...plainFacts,
      inputTokens: text.length,
      cacheWrite: 'None',
      fast: false,
      regional: false,
      thinkingBudget: null,
      session: null,
      metadataUser: null,
      maxTokensSpan: { start: 44, end: 47 },
    });
  });

  test('reads the default request of Claude Code', () => {
    const body = bytes(claudeCode);
    const { maxTokensSpan, inputTokens, ...rest } = facts(body);
    expect(rest).toEqual({
      model: 'claude-opus-5-5',
      maxTokens: 128_000,
      stream: true,
      ...plainFacts,
      cacheWrite: 'FiveMinutes',
      fast: false,
      regional: false,
      thinkingBudget: null,
      session: '00000000-0000-4000-8000-000000000000',
      metadataUser: null,
    });
    const referenced = claudeCode.tools.filter((tool) => ['WebFetch', 'CronList'].includes(tool.name));
    expect(inputTokens).toBe(body.length + 1024 + referenced.reduce((sum, tool) => sum + bytes(tool).length, 0));
    expect(new TextDecoder().decode(body.subarray(maxTokensSpan.start, maxTokensSpan.end))).toBe('128000');
  });

  test.each<[string, object, Partial<RequestFacts>]>([
    ['a stream', { stream: true }, { stream: true }],
    ['no output: a cache is warmed', { max_tokens: 0 }, { maxTokens: 0 }],
    ['fast mode', { speed: 'fast' }, { fast: true }],
    ['standard speed', { speed: 'standard' }, { fast: false }],
    ['a region', { inference_geo: 'us' }, { regional: true }],
    ['a region of the future', { inference_geo: 'eu' }, { regional: true }],
    ['no region', { inference_geo: 'global' }, { regional: false }],
    ['a thinking budget', { thinking: { type: 'enabled', budget_tokens: 50 } }, { thinkingBudget: 50 }],
    [
      'a thinking budget of a type without one',
      { thinking: { type: 'adaptive', budget_tokens: 50 } },
      { thinkingBudget: 50 },
    ],
    ['adaptive thinking', { thinking: { type: 'adaptive', display: 'omitted' } }, { thinkingBudget: null }],
    [
      'a cached system prompt',
      { system: [{ type: 'text', text: 's', cache_control: { type: 'ephemeral' } }] },
      { cacheWrite: 'FiveMinutes' },
    ],
    ['a cache at the top', { cache_control: { type: 'ephemeral', ttl: '1h' } }, { cacheWrite: 'OneHour' }],
    [
      'the longest-lived cache, in a tool result',
      {
        cache_control: { type: 'ephemeral', ttl: '5m' },
        messages: [
          {
            role: 'user',
            content: [
              {
                type: 'tool_result',
                tool_use_id: 'i',
                content: [{ type: 'text', text: 'r', cache_control: { type: 'ephemeral', ttl: '1h' } }],
              },
            ],
          },
          { role: 'user', content: [{ type: 'text', text: 't', cache_control: { type: 'ephemeral' } }] },
        ],
      },
      { cacheWrite: 'OneHour' },
    ],
    [
      'a cached tool',
      { tools: [{ name: 't', input_schema: {}, cache_control: { type: 'ephemeral', ttl: '1h' } }] },
      { cacheWrite: 'OneHour' },
    ],
  ])('finds %s', (_, part, expected) => {
    expect(facts({ ...plain, ...part })).toMatchObject(expected);
  });

  test.each<[string, object]>([
    [
      'sampling',
      {
        temperature: 1,
        top_p: 1,
        top_k: 1,
        stop_sequences: ['x'],
        metadata: { user_id: 'u' },
        service_tier: 'auto',
        tool_choice: { type: 'auto' },
      },
    ],
    [
      'explicit nulls',
      {
        cache_control: null,
        speed: null,
        inference_geo: null,
        thinking: null,
        output_config: null,
        context_management: null,
      },
    ],
    [
      'clearing edits',
      { context_management: { edits: [{ type: 'clear_tool_uses_20250919', keep: { type: 'tool_uses', value: 3 } }] } },
    ],
    [
      'an answer sent back',
      {
        messages: [
          { role: 'user', content: 'q' },
          {
            role: 'assistant',
            content: [
              { type: 'thinking', thinking: '', signature: 's' },
              { type: 'redacted_thinking', data: 'd' },
              { type: 'text', text: 'a', citations: null },
              { type: 'tool_use', id: 'i', name: 't', input: { any: { thing: [1] } }, caller: { type: 'direct' } },
            ],
          },
          { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'i', is_error: false, content: 'r' }] },
          { role: 'system', output_config: { effort: 'low' } },
        ],
      },
    ],
  ])('accepts %s without adding tokens to the bytes', (_, part) => {
    const body = bytes({ ...plain, ...part });
    expect(facts(body).inputTokens).toBe(body.length);
  });
});

describe('a body that is not a Messages request', () => {
  test.each<[string, unknown, string]>([
    ['nothing', '', 'The body is not valid JSON.'],
    ['broken JSON', '{"model":', 'The body is not valid JSON.'],
    ['an open string', '{"model":"a', 'The body is not valid JSON.'],
    ['a stray end', '}"a":1,"a":2', 'The body is not valid JSON.'],
    ['a trailing word', `${JSON.stringify(plain)} x`, 'The body is not valid JSON.'],
    ['a byte order mark', `\uFEFF${JSON.stringify(plain)}`, 'The body is not valid JSON.'],
    ['a bad escape in a key', '{"\\q":1}', 'The body is not valid JSON.'],
    ['invalid UTF-8', new Uint8Array([0x7b, 0xff, 0x7d]), 'The body is not valid UTF-8.'],
    ['a list', '[]', 'The body must be a JSON object.'],
    ['null', 'null', 'The body must be a JSON object.'],
    ['a depth bomb', '['.repeat(1_000_000), `The body is nested deeper than ${MAX_DEPTH} levels.`],
    ['no model', { ...plain, model: undefined }, 'model must be a string.'],
    ['an empty model', { ...plain, model: '' }, 'model must have 1 to 256 characters.'],
    [
      'a model with a space',
      { ...plain, model: 'claude-opus-5 ' },
      'model must have no spaces and only ASCII characters.',
    ],
    [
      'a model with a letter that only looks alike',
      { ...plain, fallbacks: [{ model: 'clаude-opus-5' }] },
      'fallbacks[0].model must have no spaces and only ASCII characters.',
    ],
    ['a model that is a number', { ...plain, model: 5 }, 'model must be a string.'],
    ['no max_tokens', { ...plain, max_tokens: undefined }, 'max_tokens must be a non-negative integer.'],
    ['negative max_tokens', { ...plain, max_tokens: -1 }, 'max_tokens must be a non-negative integer.'],
    ['half a token', { ...plain, max_tokens: 1.5 }, 'max_tokens must be a non-negative integer.'],
    ['max_tokens as text', { ...plain, max_tokens: '100' }, 'max_tokens must be a non-negative integer.'],
    [
      'more max_tokens than a ledger can hold',
      { ...plain, max_tokens: 1e9 + 1 },
      'max_tokens must be at most 1000000000.',
    ],
    [
      'endless max_tokens',
      '{"model":"m","max_tokens":1e999,"messages":[]}',
      'max_tokens must be a non-negative integer.',
    ],
    ['no messages', { ...plain, messages: undefined }, 'messages must be a list.'],
    ['a message that is text', { ...plain, messages: ['hi'] }, 'messages[0] must be an object.'],
    ['a message without a role', { ...plain, messages: [{ content: 'x' }] }, 'messages[0].role must be a string.'],
    [
      'content that is a number',
      { ...plain, messages: [{ role: 'user', content: 5 }] },
      'messages[0].content must be a list.',
    ],
    ['a block without a type', withContent({ text: 'x' }), 'messages[0].content[0].type must be a string.'],
    ['stream as text', { ...plain, stream: 'true' }, 'stream must be true or false.'],
    ['two tools of one name', { ...plain, tools: [{ name: 'a' }, { name: 'a' }] }, 'tools[1].name a is there twice.'],
    ['a nameless tool', { ...plain, tools: [{ input_schema: {} }] }, 'tools[0].name must be a string.'],
    [
      'more thinking than a ledger can hold',
      { ...plain, thinking: { type: 'enabled', budget_tokens: 1e9 + 1 } },
      'thinking.budget_tokens must be at most 1000000000.',
    ],
    [
      'thinking without a budget',
      { ...plain, thinking: { type: 'enabled' } },
      'thinking.budget_tokens must be a non-negative integer.',
    ],
    [
      'a tool name that breaks String()',
      { ...plain, tools: [{ name: { toString: 1 } }] },
      'tools[0].name must be a string.',
    ],
  ])('%s is refused with a message', (_, body, message) => {
    expect(refusal(body)).toBe(`BodyInvalid: ${message}`);
  });

  test.each<[string, string, string]>([
    ['two models', '{"model":"cheap","model":"dear"}', 'model'],
    ['two models, one of them escaped', '{"model":"cheap","mod\\u0065l":"dear"}', 'model'],
    [
      'two max_tokens far apart',
      `{"max_tokens":1,"messages":[${'{"a":"b"},'.repeat(99)}{}],"max_tokens" \n: 9}`,
      'max_tokens',
    ],
    ['a type twice in a block', '{"messages":[{"content":[{"type":"text","type":"image"}]}]}', 'type'],
    ['a key again after a nested object', '{"tools":[{"name":"a","input_schema":{"name":1},"name":"b"}]}', 'name'],
    ['the empty key', '{"":1,"":2}', '""'],
    ['__proto__', '{"__proto__":1,"__proto__":2}', '__proto__'],
  ])('%s are refused, since parsers differ in which one counts', (_, body, key) => {
    expect(refusal(body)).toBe(`BodyInvalid: The body has the key ${key} twice in one object.`);
  });

  test('the same key in different objects, or as a value, is not a duplicate', () => {
    const block = {
      type: 'tool_use',
      id: 'model',
      name: 'model',
      input: { model: { model: ['model', 'model', '"model":', '\\"'] } },
    };
    expect(refusal(withContent(block, block))).toBe('read');
  });

  test('finds every duplicate, and nothing else', () => {
    const key = fc.oneof(fc.constantFrom('a', 'b', '"', '\\', ':', '{'), fc.string());
    const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        fc.string(),
        fc.integer(),
        fc.array(tie('tree')),
        fc.dictionary(key, tie('tree')),
      ),
    }));
    fc.assert(
      fc.property(tree, fc.dictionary(key, tree, { minKeys: 1 }), fc.nat(), (before, object, pick) => {
        const json = JSON.stringify(object);
        const [again] = Object.keys(object).slice(pick % Object.keys(object).length);
        const doubled = `${json.slice(0, -1)} , ${JSON.stringify(again)}: 1}`;
        const body = (input: string): string =>
          `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"tool_use","input":[${JSON.stringify(before)},${input}]}]}]}`;
        expect(refusal(body(json))).toBe('read');
        expect(refusal(body(doubled))).toContain('twice in one object');
      }),
    );
  });
});

const MORE_FIELDS = ['tool_choice', 'cache_control', 'speed', 'fallbacks', 'mcp_servers', 'container', 'compaction'];

test('any bytes are read or refused, without an exception', () => {
  const value = fc.anything({ withBigInt: false });
  const names = fc.constantFrom(...Object.keys(claudeCode), ...MORE_FIELDS);
  const body = fc.oneof(
    fc.uint8Array(),
    fc.json().map(bytes),
    fc.dictionary(names, value).map((part) => bytes({ ...plain, ...part })),
  );
  fc.assert(
    fc.property(body, (bytes) => {
      const answer = readRequest(bytes);
      const isAnswered = answer.ok ? worstCost(answer.value, book, 0) > 0n : answer.error.message !== '';
      expect(isAnswered).toBe(true);
    }),
    { numRuns: 1000 },
  );
});

describe('a body that tries to keep the gateway busy', () => {
  const many = <T>(one: T): T[] => Array.from({ length: 40_000 }, () => one);

  test.each([
    ['fallbacks', { fallbacks: many({ model: 'a' }) }, 'BodyInvalid: fallbacks must have at most 32 entries.'],
    [
      'tools of other servers',
      { tools: many({ type: 'mcp_toolset', mcp_server_name: 'a' }).slice(0, 10_000) },
      'BodyInvalid: tools must have at most 64 that Anthropic runs.',
    ],
    ['tools', { tools: many({ name: 'a' }) }, 'BodyInvalid: tools must have at most 10000 entries.'],
    [
      'unknown names',
      { messages: many({ role: 'user', content: 'a', future: 0 }).slice(0, 12_000) },
      'BodyInvalid: The body has more than 10,000 names that Tollgate does not know. Leave out what the API does not need.',
    ],
  ])('with too many %s is refused before each one is searched', (_name, more, expected) => {
    expect(refusal({ ...plain, ...more })).toBe(expected);
  });

  test('leaves little behind, and what it leaves has a figure', () => {
    const nothing = Object.fromEntries(Array.from({ length: 9_000 }, (_, i) => [`k${i}`, null]));
    const tools = many({ name: 'a' })
      .slice(0, 10_000)
      .map((tool, i) => ({ ...tool, name: `t${i}` }));
    for (const part of [nothing, { tools }]) {
      const read = readAll(requestReading(bytes({ ...plain, ...part })));
      expect(read).toMatchObject({ ok: true, value: { memory: 0 } });
      expect(JSON.stringify(read).length).toBeLessThan(2_000);
    }
    const unbounded = withContent(...many({ type: 'container_upload', file_id: 'a' }));
    expect(readAll(requestReading(bytes(unbounded)))).toMatchObject({ value: { memory: 4_000_000 } });
  });

  test('with many unbounded parts gets a message with a few of them', () => {
    const { unbounded } = facts(withContent(...many({ type: 'container_upload', file_id: 'a' })));
    expect(unboundedSentence(unbounded)).toContain('messages[0].content[7] and 39992 more)');
  });
});

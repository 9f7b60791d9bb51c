import { describe, expect, test } from '@jest/globals';
import { modelsOf, type RequestFacts } from '../../../../policy/request/request.ts';
import { facts, plain, plainFacts, refusal, withContent } from '../../../support/request-bodies.ts';

describe('tools that Anthropic runs', () => {
  const withTools = (...tools: object[]): unknown => ({ ...plain, tools });
  const search = { type: 'web_search_20250305', name: 'web_search' };
  const fetch = { type: 'web_fetch_20260209', name: 'web_fetch' };
  const code = { type: 'code_execution_20260120', name: 'code_execution' };
  const advisor = { type: 'advisor_20260301', name: 'advisor', model: 'claude-fable-5-2' };

  test('are read with max_uses and its place in the body', () => {
    const tools =
      '[{"name":"é"} , {"allowed_domains":[{"max_uses":5}],"type":"web_search_20250305", "name":"w","max_uses" : 3 },{"type":"web_fetch_20260209","name":"f"}]';
    const body = `{"model":"m","max_tokens":1,"messages":[],"tools":${tools}}`;
    const { serverTools, fillsContext, countable } = facts(body);
    expect([fillsContext, countable]).toEqual([true, false]);
    expect(serverTools).toMatchObject([
      { kind: 'WebSearch', index: 1, maxUses: 3, inferencesPerUse: 1, advisor: null },
      { kind: 'WebFetch', index: 2, maxUses: null, inferencesPerUse: 2 },
    ]);
    const around = serverTools.map(({ maxUsesSpan }) => {
      const { start, end } = maxUsesSpan!;
      const slice = (from: number, to: number): string => Buffer.from(body).toString('utf8', from, to);
      return `${slice(start - 5, start)}|${slice(start, end)}|${slice(end, end + 7)}`;
    });
    expect(around).toEqual(['s" : |3| },{"ty', '3 },{||"type":']);
  });

  test.each<[string, unknown, Partial<RequestFacts>]>([
    ['nothing', plain, plainFacts as Partial<RequestFacts>],
    ['code', withTools(code), { codeExecution: 'Charged', fillsContext: true }],
    ['code with a web tool that runs code itself', withTools(code, fetch), { codeExecution: 'Free' }],
    ['code with an older web tool', withTools(code, search), { codeExecution: 'Charged' }],
    [
      'a cached tool',
      withTools({ ...search, cache_control: { type: 'ephemeral', ttl: '1h' } }),
      { cacheWrite: 'OneHour' },
    ],
    ['a thread', { ...plain, thread: { id: 't' } }, { unbounded: ['thread'], countable: false }],
    ['a new thread', { ...plain, thread: { type: 'create' } }, { unbounded: [], countable: true }],
    [
      'a new thread that goes on',
      { ...plain, thread: { type: 'create', previous_message_id: 'm' } },
      { unbounded: ['thread'] },
    ],
    ['a container', { ...plain, container: 'c' }, { unbounded: ['container'] }],
    [
      'remote servers',
      { ...(withTools({ type: 'mcp_toolset', mcp_server_name: 'a' }) as object), mcp_servers: [{}] },
      { unbounded: ['mcp_servers'] },
    ],
    ['no remote server', { ...plain, mcp_servers: [] }, { unbounded: [] }],
    ['an upload', withContent({ type: 'container_upload', file_id: 'f' }), { unbounded: ['messages[0].content[0]'] }],
    ['fallbacks of its choosing', { ...plain, fallbacks: 'default' }, { unbounded: ['fallbacks'], fallbacks: [] }],
    ['no fallback', { ...plain, fallbacks: [] }, { unbounded: [], fallbacks: [], countable: true }],
    ['a summary', { ...plain, compaction: { type: 'summarize' } }, { compacts: true, countable: false }],
    [
      'a summary by edit',
      { ...plain, context_management: { edits: [{ type: 'compact_20260112' }] } },
      { compacts: true },
    ],
    [
      'a summary sent back',
      withContent({ type: 'compaction', content: 's' }),
      { fillsContext: false, compacts: false, countable: true },
    ],
    [
      'results sent back',
      withContent(
        { type: 'server_tool_use', id: 'i', name: 'web_search', input: {} },
        { type: 'web_search_tool_result', tool_use_id: 'i', content: [{ encrypted_content: 'e' }] },
      ),
      { fillsContext: true, countable: true },
    ],
    [
      'a fallback sent back',
      withContent({ type: 'fallback', from: { model: 'a' }, to: { model: 'b' } }),
      { fillsContext: false },
    ],
  ])('%s', (_, body, expected) => {
    expect(facts(body)).toMatchObject(expected);
  });

  test('name the models that may answer', () => {
    const fallbacks = [{ model: 'claude-haiku-5-5' }, { model: 'claude-sonnet-5-5', max_tokens: 7, speed: 'fast' }];
    const asked = facts({ ...(withTools({ ...advisor, max_uses: 2, max_tokens: 50 }) as object), fallbacks });
    expect(modelsOf(asked)).toEqual(['claude-opus-5-5', 'claude-haiku-5-5', 'claude-sonnet-5-5', 'claude-fable-5-2']);
    expect(asked.serverTools[0]).toMatchObject({ maxUses: 2, advisor: { model: 'claude-fable-5-2', maxTokens: 50 } });
    expect(asked.fallbacks).toMatchObject([
      { maxTokens: null, fast: false },
      { maxTokens: 7, fast: true },
    ]);
  });

  test('a fallback thinks by its own budget, or by that of the request', () => {
    const thinking = { type: 'enabled', budget_tokens: 50_000 };
    const fallbacks = [
      { model: 'm' },
      { model: 'm', thinking: null },
      { model: 'm', thinking: { type: 'enabled', budget_tokens: 60_000 } },
      { model: 'm', thinking: { type: 'adaptive' } },
    ];
    const budgets = (body: unknown) => facts(body).fallbacks.map(({ thinkingBudget }) => thinkingBudget);
    expect(budgets({ ...plain, thinking, fallbacks })).toEqual([50_000, 50_000, 60_000, null]);
    expect(budgets({ ...plain, fallbacks })).toEqual([null, null, 60_000, null]);
  });

  test.each([
    [
      'more uses than a counter can hold',
      withTools({ ...search, max_uses: 1001 }),
      'tools[0].max_uses must be at most 1000.',
    ],
    ['half a use', withTools({ ...search, max_uses: 0.5 }), 'tools[0].max_uses must be a non-negative integer.'],
    ['two of a kind', withTools(search, { ...search, type: 'web_search_20260209' }), 'tools[1] is there twice.'],
    ['an advisor without a model', withTools({ ...advisor, model: 5 }), 'tools[0].model must be a string.'],
    ['a fallback that is text', { ...plain, fallbacks: ['m'] }, 'fallbacks[0] must be an object.'],
  ])('%s is refused', (_, body, sentence) => {
    expect(refusal(body)).toBe(`BodyInvalid: ${sentence}`);
  });
});

import type { BetaToolUnion } from '@anthropic-ai/sdk/resources/beta/messages/messages';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { unboundedPaths, maxInferences, worstCost } from '../../../../policy/cost/worst-cost.ts';
import { parsePriceBook } from '../../../../policy/prices/price-book-file.ts';
import published from '../../../../policy/prices/prices.json' with { type: 'json' };
import { cost } from '../../../../policy/prices/usage-cost.ts';
import { readUsage } from '../../../../policy/prices/usage.ts';
import {
  bytes,
  facts,
  outcomeOf,
  plain,
  type Outcome,
  withContent,
  withTool,
} from '../../../support/request-bodies.ts';
import { BLOCKS, ID, TOOLS, TOOL_PROMPT, VALUES, added, definition, found, result, web } from './sdk-types.ts';

const book = parsePriceBook(published);

describe('requests of the SDKs', () => {
  const blocks = Object.values(BLOCKS).flat();
  const fields = Object.entries(VALUES).flatMap(([name, cases]) =>
    cases.map(([value, of]) => [name, value, of] as const),
  );

  test.each(Object.entries(TOOLS))('the tool %s', (_, [tool, outcome]) => {
    expect(outcomeOf({ ...plain, tools: [tool] })).toBe(outcome);
  });

  test.each(blocks)('the block %j', (block, outcome) => {
    expect(outcomeOf(withContent(block) as object)).toBe(outcome);
  });

  test.each(fields)('the field %s as %j', (name, value, outcome) => {
    expect(outcomeOf({ ...plain, [name]: value })).toBe(outcome);
  });

  test('both tool search tools are accepted together, and every field may be null', () => {
    const tools = [TOOLS.tool_search_tool_bm25[0], TOOLS.tool_search_tool_regex[0]];
    expect(outcomeOf({ ...plain, tools })).toBe('no bound: tools[0] tools[1]');
    const nulls = { thread: null, billing_policy: null, output_format: null, mcp_servers: null, container: null };
    expect(outcomeOf({ ...plain, ...nulls })).toBe(0);
  });

  test('a tool that code may call is unbounded', () => {
    expect(outcomeOf(withTool({ allowed_callers: ['code_execution_20260521'] }) as object)).toBe(
      'no bound: tools[0].allowed_callers',
    );
  });

  test('a tool that was found, added or is in a toolset counts its definition again', () => {
    const tool = { ...definition, description: 'd'.repeat(5000), defer_loading: true };
    const reference = (tool_name: string) => ({ type: 'tool_reference', tool_name }) as const;
    const search = {
      type: 'tool_search_tool_result',
      ...ID,
      content: { type: 'tool_search_tool_search_result', tool_references: [reference('late'), reference('late')] },
    };
    const extra = (tools: object[], ...content: object[]) =>
      outcomeOf({ ...plain, tools, messages: [{ role: 'user', content }] });
    expect(extra([tool], search)).toBe(TOOL_PROMPT + 2 * bytes(tool).length);
    const twice = added({ type: 'tool_definition', definition: tool });
    expect(extra([tool], result(reference('late')), twice, result(reference('late')))).toBe(
      2 * TOOL_PROMPT + 3 * bytes(tool).length,
    );
    const toolset = TOOLS.browser_toolset_20260801[0];
    expect(extra([toolset], result(reference('navigate')))).toBe(TOOL_PROMPT + 2 * 12_288 + bytes(toolset).length);
  });

  test('a one-hour cache write is found in nested blocks', () => {
    const cache_control = { type: 'ephemeral', ttl: '1h' } as const;
    const cached = { type: 'text', text: 'x', cache_control } as const;
    const places = [
      { ...found, content: [cached] },
      { type: 'mcp_tool_result', ...ID, content: [cached] },
      {
        type: 'web_fetch_tool_result',
        ...ID,
        content: { type: 'web_fetch_result', content: { ...web, cache_control } },
      },
      {
        type: 'compaction',
        content: 's',
        tool_changes: [{ ...added({ type: 'tool_reference', name: 'n' }), cache_control }],
      },
      added({ type: 'tool_definition', definition: { ...definition, cache_control } }),
    ];
    for (const place of places) expect(facts(withContent(place)).cacheWrite).toBe('OneHour');
  });

  describe('the result of a tool that Anthropic runs', () => {
    const cache_control = { type: 'ephemeral', ttl: '1h' };
    const page = { type: 'web_fetch_result', url: 'u', content: web };
    const output = { type: 'code_execution_result', stdout: 'o', stderr: '', return_code: 0, content: [] };
    const found = { type: 'web_search_result', encrypted_content: 'e', title: 't', url: 'u' };
    const of = (content: unknown, tool = 'web_fetch') =>
      facts(withContent({ type: `${tool}_tool_result`, ...ID, content }));

    test.each([
      ['in the result', { ...output, cache_control }],
      ['beside what is sealed', [{ ...found, cache_control }]],
      ['in a list of pages', [{ ...page, content: { ...web, cache_control } }]],
      ['deep in what nobody knows', { type: 'dream_result', a: [{ b: { c: [{ cache_control }] } }] }],
      [
        'on a reference',
        {
          type: 'tool_search_tool_search_result',
          tool_references: [{ type: 'tool_reference', tool_name: 'n', cache_control }],
        },
      ],
    ])('has its one-hour cache write found %s', (_, content) => {
      expect(of(content).cacheWrite).toBe('OneHour');
    });

    test.each([
      ['a page with a field that nobody knows', { ...page, encrypted_content: 'e' }],
      [
        'a search with a field that nobody knows',
        {
          type: 'tool_search_tool_search_result',
          tool_references: [],
          more: 'x',
        },
      ],
      [
        'output whose text is a block',
        { ...output, stdout: { type: 'image', source: { type: 'file', file_id: 'f' } } },
      ],
      [
        'lines that are blocks',
        {
          type: 'text_editor_code_execution_str_replace_result',
          lines: [{ type: 'image', source: { type: 'base64', data: '' } }],
        },
      ],
    ])('fills the context as %s', (_, content) => {
      expect(of(content).fillsContext).toBe(true);
    });

    test.each([
      ['a page by URL', { ...page, content: { type: 'document', source: { type: 'url', url: 'u' } } }],
      ['pages by URL in a list', [{ ...page, content: { type: 'document', source: { type: 'url', url: 'u' } } }]],
      ['a file in what nobody knows', { type: 'dream_result', parts: [{ source: { type: 'file', file_id: 'f' } }] }],
    ])('is not counted beforehand with %s', (_, content) => {
      expect(of(content)).toMatchObject({ fillsContext: true, countable: false });
    });

    test('counts by its bytes where those are all that the model reads', () => {
      expect(of(output, 'code_execution')).toMatchObject({ fillsContext: false, countable: true });
      expect(of({ ...page, retrieved_at: 'x' })).toMatchObject({ fillsContext: false, countable: true });
    });
  });

  test.each([
    [
      '{"device_id":"d","account_uuid":"","session_id":"0b1f7a52-0000-4000-8000-000000000000"}',
      '0b1f7a52-0000-4000-8000-000000000000',
    ],
    ['user_session_id', null],
    [`{"session_id":"${'s'.repeat(101)}"}`, null],
    ['', null],
  ])('the session in user_id %j', (user_id, session) => {
    expect(facts({ ...plain, metadata: { user_id } }).session).toBe(session);
  });

  /** Tokens of definitions that Anthropic holds, as far as they are published; and the longest prompt that tools bring. */
  const HELD: Record<string, number> = {
    bash: 700,
    text_editor: 700,
    memory: 2000,
    computer: 1235,
    computer_toolset: 5000,
    browser_toolset: 7300,
  };
  const heldBy = (type: string): number => HELD[type.replace(/_\d{8}$/, '')] ?? 0;

  /** A tokenizer at its worst, a token for each byte of text, without the frames; pictures as the largest. */
  function reads(value: unknown): number {
    if (typeof value === 'string') return bytes(value).length;
    if (typeof value !== 'object' || value === null) return 0;
    if ((value as { type?: string }).type === 'image') return 4784;
    const { definition: late } = value as { definition?: BetaToolUnion };
    const held = late === undefined ? 0 : 675 + heldBy(late.type ?? '');
    return Object.values(value).reduce((sum: number, one) => sum + reads(one), held);
  }

  test('no combination costs more than its worst case', () => {
    const isBounded = ([, outcome]: readonly [unknown, Outcome]): boolean =>
      !/^(no bound|refused)/.test(String(outcome));
    const tools = Object.values(TOOLS)
      .filter(isBounded)
      .map(([tool]) => tool);
    const parts = blocks.filter(isBounded).map(([block]) => block);
    const kindOf = (tool: BetaToolUnion): string => ('name' in tool ? tool.name : (tool.type ?? ''));
    const request = fc.record({
      tools: fc.uniqueArray(fc.constantFrom(...tools), { selector: kindOf, maxLength: 6 }),
      content: fc.array(fc.constantFrom(...parts), { minLength: 1, maxLength: 20 }),
      references: fc.array(fc.constantFrom('own', 'bash', 'memory', 'nobody'), { maxLength: 10 }),
      max_tokens: fc.nat({ max: 50_000 }),
    });
    const at = Date.parse('2026-11-25');
    fc.assert(
      fc.property(request, ({ tools, content, references, max_tokens }) => {
        const again = references.map((tool_name) => ({ type: 'tool_reference', tool_name }) as const);
        const body = {
          ...plain,
          max_tokens,
          tools,
          messages: [{ role: 'user', content: [...content, result(...again)] }],
        };
        const asked = facts(body);
        const defined = (tool: BetaToolUnion): number => reads(tool) + heldBy(tool.type ?? '');
        const expanded = references.map((name) => tools.find((tool) => kindOf(tool) === name)).filter((tool) => !!tool);
        const definitions = [...tools, ...expanded].reduce((sum, tool) => sum + defined(tool), 0);
        const read = reads(content) + definitions + (tools.length > 0 ? 675 : 0);
        const prompt = asked.fillsContext ? 1_000_000 : read;
        const kind = asked.cacheWrite === 'None' ? 'input_tokens' : 'cache_creation_input_tokens';
        const inference = cost(readUsage({ output_tokens: max_tokens, [kind]: prompt }), asked.model, book, at);
        expect(unboundedPaths(asked)).toEqual([]);
        expect(asked.fillsContext || read <= asked.inputTokens).toBe(true);
        expect(inference * BigInt(maxInferences(asked)) <= worstCost(asked, book, at)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });
});

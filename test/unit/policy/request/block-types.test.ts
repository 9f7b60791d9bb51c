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

/** What may have a `cache_control` in the types of the SDK. */
const kinds = new Set([...Object.keys(BLOCKS), ...Object.keys(TOOLS), 'tool_reference', 'browser_state']);

type Path = readonly (string | number)[];

/** Where in a block there are blocks or tools, itself included. A caller, a source and a reference are neither. */
function pathsOf(value: unknown, field = ''): Path[] {
  if (typeof value !== 'object' || value === null) return [];
  const inner = Object.entries(value).flatMap(([name, one]) => pathsOf(one, name).map((path) => [name, ...path]));
  const isKind = kinds.has((value as { type?: string }).type ?? '') && !['caller', 'source', 'tool'].includes(field);
  return isKind ? [[], ...inner] : inner;
}

/** The same with a one-hour cache write at a path. */
function withCache(value: unknown, [name, ...rest]: Path): unknown {
  if (name === undefined) return { ...(value as object), cache_control: { type: 'ephemeral', ttl: '1h' } };
  const copy = structuredClone(value) as Record<string | number, unknown>;
  copy[name] = withCache(copy[name], rest);
  return copy;
}

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

  test('a one-hour cache write is found in every block and tool that may have one, or refused', () => {
    const isCached = (body: unknown): boolean =>
      outcomeOf(body as object)
        .toString()
        .startsWith('refused') || facts(body).cacheWrite === 'OneHour';
    let places = 0;
    for (const [block] of blocks) {
      for (const path of pathsOf(block)) {
        places += 1;
        const cached = withCache(block, path);
        expect([cached, isCached(withContent(cached))]).toEqual([cached, true]);
      }
    }
    for (const [tool] of Object.values(TOOLS)) {
      const cached = withCache(tool, []);
      expect([cached, isCached({ ...plain, tools: [cached] })]).toEqual([cached, true]);
    }
    expect(places).toBeGreaterThan(blocks.length);
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

  test('no combination of tools and blocks, attempts, thinking and caches costs more than its worst case', () => {
    const isBounded = ([, outcome]: readonly [unknown, Outcome]): boolean =>
      !/^(no bound|refused)/.test(String(outcome));
    const tools = Object.values(TOOLS)
      .filter(isBounded)
      .map(([tool]) => tool);
    const parts = blocks.filter(isBounded).map(([block]) => block);
    const kindOf = (tool: BetaToolUnion): string => ('name' in tool ? tool.name : (tool.type ?? ''));
    const thinking = fc.constantFrom(
      { type: 'adaptive' },
      ...[1_024, 60_000].map((n) => ({ type: 'enabled', budget_tokens: n })),
    );
    const request = fc.record({
      tools: fc.uniqueArray(fc.constantFrom(...tools), { selector: kindOf, maxLength: 6 }),
      content: fc.array(fc.constantFrom(...parts), { minLength: 1, maxLength: 20 }),
      references: fc.array(fc.constantFrom('own', 'bash', 'memory', 'nobody'), { maxLength: 10 }),
      max_tokens: fc.nat({ max: 50_000 }),
      thinking: fc.option(thinking, { nil: undefined }),
      fallbacks: fc.array(
        fc.record(
          {
            model: fc.constantFrom('claude-fable-5-2', 'claude-sonnet-5-5'),
            max_tokens: fc.nat({ max: 50_000 }),
            thinking,
          },
          { requiredKeys: ['model'] },
        ),
        { maxLength: 2 },
      ),
      cached: fc.option(fc.nat()),
    });
    const at = Date.parse('2026-11-25');
    fc.assert(
      fc.property(request, ({ tools, content, references, cached, ...more }) => {
        const again = references.map((tool_name) => ({ type: 'tool_reference', tool_name }) as const);
        const all = [...content, result(...again)];
        const paths = all.flatMap((block, i) => pathsOf(block).map((path) => [i, ...path]));
        const messages = [
          { role: 'user', content: cached === null ? all : withCache(all, paths[cached % paths.length]!) },
        ];
        const body = { ...plain, ...more, tools, messages };
        const asked = facts(body);
        const defined = (tool: BetaToolUnion): number => reads(tool) + heldBy(tool.type ?? '');
        const expanded = references.map((name) => tools.find((tool) => kindOf(tool) === name)).filter((tool) => !!tool);
        const definitions = [...tools, ...expanded].reduce((sum, tool) => sum + defined(tool), 0);
        const read = reads(content) + definitions + (tools.length > 0 ? 675 : 0);
        const prompt = asked.fillsContext ? 1_000_000 : read;
        const text = JSON.stringify(body);
        const hour = { cache_creation: { ephemeral_1h_input_tokens: prompt }, cache_creation_input_tokens: prompt };
        const input = text.includes('"1h"')
          ? hour
          : { [text.includes('"ephemeral"') ? 'cache_creation_input_tokens' : 'input_tokens']: prompt };
        // Interleaved thinking goes on beyond max_tokens; a fallback thinks as the request does if it does not say.
        const main = { model: asked.model, max_tokens: more.max_tokens, thinking: more.thinking };
        const attempts = [main, ...more.fallbacks.map((one) => ({ ...main, ...one }))];
        const costs = attempts.map(({ model, max_tokens: most, thinking: thought }) => {
          const budget = thought !== undefined && 'budget_tokens' in thought ? thought.budget_tokens : 0;
          return cost(readUsage({ output_tokens: Math.max(most, budget), ...input }), model, book, at);
        });
        const inferences = BigInt(maxInferences(asked) / attempts.length);
        const total = costs.reduce((sum, one) => sum + one * inferences, 0n);
        expect(unboundedPaths(asked)).toEqual([]);
        expect(asked.fillsContext || read <= asked.inputTokens).toBe(true);
        expect(total <= worstCost(asked, book, at)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });
});

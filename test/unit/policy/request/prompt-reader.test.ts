import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readRequest, type RequestFacts } from '../../../../policy/request/request.ts';
import {
  NEVER_UNMETERED,
  ascii,
  bytes,
  document,
  facts,
  image,
  plain,
  refusal,
  text,
  withContent,
  withTool,
} from '../../../support/request-bodies.ts';

describe('the input bound', () => {
  test('includes the prompts that Anthropic adds for tools and structured output', () => {
    const extra = (body: unknown): number => facts(body).inputTokens - bytes(body).length;
    expect(extra({ ...plain, tools: [] })).toBe(0);
    expect(extra(withTool({ type: 'custom', defer_loading: true, strict: true, allowed_callers: ['direct'] }))).toBe(
      1024,
    );
    expect(
      extra({
        ...plain,
        tools: [
          { type: 'bash_20250124', name: 'bash' },
          { type: 'text_editor_20250728', name: 'e' },
        ],
      }),
    ).toBe(3 * 1024);
    expect(extra({ ...plain, output_config: { format: { type: 'json_schema', schema: {} } } })).toBe(1024);
  });

  test('counts a tool again for every reference to it, since the upstream adds its definition again', () => {
    const tool = {
      name: 'big',
      description: 'd'.repeat(10_000),
      input_schema: { type: 'object' },
      defer_loading: true,
    };
    const reference = { type: 'tool_reference', tool_name: 'big' };
    const result = {
      type: 'tool_result',
      tool_use_id: 'i',
      content: [reference, reference, { type: 'tool_reference', tool_name: 'none' }],
    };
    const addition = { type: 'tool_addition', tool: { type: 'tool_reference', name: 'big' } };
    const body = {
      ...plain,
      tools: [tool],
      messages: [
        { role: 'user', content: [result] },
        { role: 'system', content: [addition] },
      ],
    };
    expect(facts(body).inputTokens).toBe(bytes(body).length + 1024 + 3 * bytes(tool).length);
  });

  test('counts the hidden definition of an Anthropic tool again too', () => {
    const tool = { type: 'bash_20250124', name: 'bash', defer_loading: true };
    const addition = { type: 'tool_addition', tool: { type: 'tool_reference', name: 'bash' } };
    const body = { ...plain, tools: [tool], messages: [{ role: 'system', content: [addition] }] };
    expect(facts(body).inputTokens).toBe(bytes(body).length + 3 * 1024 + bytes(tool).length);
  });

  test('is never below the bytes of the text, with any escapes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.boolean(), (text, escaped) => {
        const json = JSON.stringify({ ...plain, messages: [{ role: 'user', content: text }] });
        const body = escaped
          ? json.replaceAll(/[^\x20-\x7e]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
          : json;
        expect(facts(body).inputTokens).toBeGreaterThan(bytes(text).length);
      }),
    );
  });
});

describe('documents', () => {
  const pdf = (...parts: string[]): string => ascii('%PDF-1.4\n', ...parts);

  test.each([
    ['one page in clear text', pdf('<</Type/Pages/Kids[3 0 R]/Count 1>>')],
    ['one page of 400 KB of text', pdf('/Kids[3 0 R]', `(${'text '.repeat(80_000)}) Tj`)],
    ['its page tree packed, and another one in the open', pdf('/Kids[3 0 R]', '<</Type/ObjStm>>')],
    ['one page drawn by a form that draws itself', pdf('/Kids[3 0 R]', '/Subtype/Form', '/Fm0 Do /Fm0 Do')],
    ['two page trees', pdf('/Kids[3 0 R]', 'startxref 9 %%EOF', '/Kids[4 0 R 5 0 R]', 'startxref 99 %%EOF')],
    ['nothing of a PDF', '%%%%'],
  ])('a PDF with %s fills the context, and its bytes are not text', (_, data) => {
    const without = bytes(withContent(document(''))).length;
    expect(facts(withContent(document(data)))).toMatchObject({
      inputTokens: without,
      fillsContext: true,
      countable: true,
    });
  });

  const stored = { type: 'file', file_id: 'file_1' };
  test.each<[string, object]>([
    ['a document', { type: 'document', source: stored }],
    ['a picture', { type: 'image', source: stored }],
    ['an upload', { type: 'container_upload', file_id: 'file_1' }],
    [
      'a picture in a document',
      { type: 'document', source: { type: 'content', content: [{ type: 'image', source: stored }] } },
    ],
    ['a picture in a result', { type: 'tool_result', tool_use_id: 't', content: [{ type: 'image', source: stored }] }],
    [
      'a page in a result of a tool that Anthropic runs',
      {
        type: 'web_fetch_tool_result',
        tool_use_id: 't',
        content: { type: 'web_fetch_result', url: 'u', content: { type: 'document', source: stored } },
      },
    ],
    [
      'something in a result that nobody knows',
      { type: 'web_fetch_tool_result', tool_use_id: 't', content: { type: 'dream_result', a: [{ b: stored }] } },
    ],
  ])('%s that is a file of the store is found', (_, block) => {
    expect(facts(withContent(block)).files).toEqual(['file_1']);
  });

  test.each<[string, object, Partial<RequestFacts>]>([
    ['that is text', { source: { type: 'text', media_type: 'text/plain', data: 'abc' } }, { fillsContext: false }],
    ['of parts', { source: { type: 'content', content: [text] }, title: 't', context: 'c' }, { fillsContext: false }],
    ['by URL', { source: { type: 'url', url: 'https://a.example' } }, { fillsContext: true, countable: false }],
    ['of the file store', { source: { type: 'file', file_id: 'f' } }, { fillsContext: true, countable: false }],
    [
      'whose sentences are marked to be cited',
      { source: { type: 'text', media_type: 'text/plain', data: 'abc' }, citations: { enabled: true } },
      { fillsContext: true, countable: true },
    ],
  ])('a document %s', (_, part, expected) => {
    const body = withContent({ type: 'document', ...part });
    expect(facts(body)).toMatchObject({ inputTokens: bytes(body).length, ...expected });
  });
});

describe('unknown fields and values', () => {
  test.each<[unknown, string]>([
    [{ ...plain, billing_policy: { payer: 'x' } }, 'billing_policy.payer'],
    [{ ...plain, Model: 'claude-opus-5' }, 'Model'],
    [{ ...plain, 'a b': 1 }, '"a b"'],
    ['{"model":"m","max_tokens":1,"messages":[],"__proto__":{"stream":true}}', '__proto__'],
    [{ ...plain, service_tier: 'batch' }, 'service_tier batch'],
    [{ ...plain, speed: 'ludicrous' }, 'speed ludicrous'],
    [{ ...plain, thinking: { type: 'endless' } }, 'thinking.type endless'],
    [{ ...plain, output_config: { verbosity: 'low' } }, 'output_config.verbosity'],
    [
      { ...plain, fallbacks: [{ model: 'm', output_config: { verbosity: 1 } }] },
      'fallbacks[0].output_config.verbosity',
    ],
    [
      { ...plain, context_management: { edits: [{ type: 'clear_thinking_20251015' }, { type: 'expand_20270101' }] } },
      'context_management.edits[1].type expand_20270101',
    ],
    [{ ...plain, cache_control: { type: 'ephemeral', ttl: '24h' } }, 'cache_control.ttl 24h'],
    [
      withTool({ allowed_callers: ['direct', 'code_execution_20990101'] }),
      'tools[0].allowed_callers code_execution_20990101',
    ],
    [withTool({ max_uses: 3 }), 'tools[0].max_uses'],
    [
      {
        ...plain,
        tools: [
          { type: 'advisor_20260301', name: 'advisor', model: 'm', caching: { type: 'ephemeral', speed: 'fast' } },
        ],
      },
      'tools[0].caching.speed',
    ],
    [
      withContent({
        type: 'tool_removal',
        tool: { type: 'tool_reference', name: 'n', cache_control: { type: 'ephemeral', ttl: '1h' } },
      }),
      'messages[0].content[0].tool.cache_control',
    ],
    [withContent({ type: 'tool_removal', tool: { type: 'dream' } }), 'messages[0].content[0].tool.type dream'],
    [
      withContent({
        type: 'web_search_tool_result',
        tool_use_id: 'i',
        content: [{ type: 'web_search_result', cache_control: { type: 'ephemeral', ttl: '24h' } }],
      }),
      'messages[0].content[0].content.cache_control.ttl 24h',
    ],
    [
      { ...plain, fallbacks: [{ model: 'm', thinking: { type: 'enabled', budget_tokens: 5, depth: 2 } }] },
      'fallbacks[0].thinking.depth',
    ],
    [{ ...plain, tools: [{ type: 'web_search_20990101', name: 'w' }] }, 'tools[0].type web_search_20990101'],
    [{ ...plain, tools: [{ type: 'code_execution_20250825', name: 'c', max_uses: 3 }] }, 'tools[0].max_uses'],
    [{ ...plain, tools: [{ type: 'computer_toolset_20260801', name: 't' }] }, 'tools[0].name'],
    [{ ...plain, fallbacks: [{ model: 'm', service_tier: 'x' }] }, 'fallbacks[0].service_tier'],
    [withContent(text, { type: 'image', source: { type: 'dream' } }), 'messages[0].content[1].source.type dream'],
    [withContent(image('', 'image/tiff')), 'messages[0].content[0].source.media_type "image/tiff"'],
    [
      withContent({ type: 'document', source: { type: 'base64', media_type: 'text/csv', data: '' } }),
      'messages[0].content[0].source.media_type "text/csv"',
    ],
    [withContent({ type: 'document', source: { type: 'dream' } }), 'messages[0].content[0].source.type dream'],
    [
      withContent({ type: 'document', source: { type: 'content', content: [{ type: 'document' }] } }),
      'messages[0].content[0].source.content[0].type document',
    ],
    [
      withContent({ type: 'search_result', content: [{ type: 'image' }] }),
      'messages[0].content[0].content[0].type image',
    ],
    [withContent({ type: 'text', text: 'x', source: {} }), 'messages[0].content[0].source'],
    [
      withContent({ type: 'tool_result', tool_use_id: 'i', content: [{ type: 'video', source: {} }] }),
      'messages[0].content[0].content[0].type video',
    ],
    [
      withContent({ type: 'tool_use', id: 'i', name: 't', input: {}, caller: { type: 'code_execution_20990101' } }),
      'messages[0].content[0].caller.type code_execution_20990101',
    ],
    [{ ...plain, system: [{ type: 'tool_use' }] }, 'system[0].type tool_use'],
    [{ ...plain, messages: [{ role: 'tool', content: 'x' }] }, 'messages[0].role tool'],
    [{ ...plain, safeguards: [{ type: 'x' }], tool_choice: 'auto' }, 'tool_choice auto'],
    [{ ...plain, tool_choice: { type: 'auto', container: 'c' } }, 'tool_choice.container'],
    [{ ...plain, metadata: { user_id: 'u', billed_to: 'x' } }, 'metadata.billed_to'],
    [
      { ...plain, context_management: { edits: [{ type: 'clear_x', keep: { type: 'a', url: 1 } }] } },
      'context_management.edits[0].keep.url',
    ],
    [
      withContent({ type: 'text', text: 'x', citations: [{ type: 'page_location', dream: 1 }] }),
      'messages[0].content[0].citations[0].dream',
    ],
    [
      withContent({ type: 'code_execution_tool_result', tool_use_id: 'i', content: { type: 'dream_result' } }),
      'messages[0].content[0].content.type dream_result',
    ],
    [
      withContent({
        type: 'code_execution_tool_result',
        tool_use_id: 'i',
        content: { type: 'code_execution_result', content: [{ type: 'code_execution_output', file: { thread: 1 } }] },
      }),
      'messages[0].content[0].content.content[0].file',
    ],
    [{ ...plain, fallbacks: [{ model: 'm', thinking: 'much' }] }, 'fallbacks[0].thinking much'],
  ])('%j is noted by its path', (body, name) => {
    expect(facts(body).unknown.map(({ path }) => path)).toContain(name);
  });

  test('a tool that Anthropic runs is refused in a definition, since only those of tools have bounds', () => {
    const tool = { type: 'tool_definition', definition: { type: 'web_search_20250305' } };
    expect(refusal(withContent({ type: 'tool_addition', tool }))).toBe(
      `Unsupported: messages[0].content[0].tool.definition.type web_search_20250305 ${NEVER_UNMETERED}`,
    );
  });

  const named = (body: object, betas: readonly string[] = []) => {
    const read = readRequest(bytes(body), betas);
    return read.ok ? read.value.unknown.map(({ name, risk }) => [name, risk]) : read.error;
  };

  test.each<[string, object, string, string | null]>([
    ['a new field', { dream: 1 }, 'dream', null],
    ['a field in a message', { messages: [{ role: 'user', content: 'x', dream: 1 }] }, 'messages[].dream', null],
    ['a field that chooses a model', { fallback_models: ['m'] }, 'fallback_models', 'Chooses'],
    ['one that does so below', { dream: [{ deep: { serviceTier: 1 } }] }, 'dream', 'Chooses'],
    ['a tier', { service_tier: 'flex' }, 'service_tier=flex', 'Chooses'],
    ['a payer', { billing_policy: { bill_to: 'user_profile' } }, 'billing_policy.bill_to=user_profile', 'Chooses'],
    ['an address as a text', { dream: { from: ' https://a.example/x' } }, 'dream', 'Unbounded'],
    ['a long address with escapes', { dream: [`https://a.example/${'é'.repeat(600)}`] }, 'dream', 'Unbounded'],
    ['a server', { remoteServers: [] }, 'remoteServers', 'Unbounded'],
    ['uses', { dream: { max_uses: 3 } }, 'dream', 'Unbounded'],
    ['a tool', { tools: [{ type: 'dream_20270101', name: 'd' }] }, 'tools[].type=dream_20270101', 'Unbounded'],
    [
      'a block',
      { messages: [{ role: 'user', content: [{ type: 'video' }] }] },
      'messages[].content[].type=video',
      null,
    ],
  ])('%s has a name and a risk', (_, part, name, risk) => {
    expect(named({ ...plain, ...part })).toEqual([[name, risk]]);
  });

  test('a beta is a name too; by itself it brings nothing, but it may choose', () => {
    expect(named(plain, ['server-dreams-2027-01-01', 'tier-2-2027-01-01'])).toEqual([
      ['anthropic-beta=server-dreams-2027-01-01', null],
      ['anthropic-beta=tier-2-2027-01-01', 'Chooses'],
    ]);
  });

  test('whatever is below a name that may be listed, its files and cache writes are found', () => {
    expect(facts({ ...plain, dream: [{ source: { type: 'file', file_id: 'file_1' } }] }).files).toEqual(['file_1']);
    expect(facts({ ...plain, dream: { a: { fileIds: ['file_1', 'file_2'] } } }).files).toEqual(['file_1', 'file_2']);
    expect(facts({ ...plain, dream: { a: { cache_control: {} } } }).cacheWrite).toBe('OneHour');
  });

  test('thousands of names are one, and values that are not looked through may be anything', () => {
    const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`k${i}`, 1]));
    expect(named({ ...plain, ...many })).toHaveLength(33);
    expect(named({ ...plain, dream: many })).toEqual([['dream', 'Unbounded']]);
    const blocks = Array.from({ length: 5_000 }, () => ({ type: 'text', text: 'x', dream: 1 }));
    expect(named(withContent(...blocks) as object)).toEqual([['messages[].content[].dream', null]]);
  });

  test('null is absence everywhere', () => {
    const nulls = { dream: null, stream: null, system: null, tools: null, thinking: null, output_config: null };
    expect(facts({ ...plain, ...nulls })).toMatchObject({ unknown: [], stream: false, fillsContext: false });
    const cited = {
      type: 'document',
      source: { type: 'text', media_type: 'text/plain', data: 'a' },
      citations: { enabled: null },
    };
    expect(facts(withContent(cited)).fillsContext).toBe(false);
  });
});

import type {
  BetaContentBlockParam,
  BetaToolUnion,
  MessageCreateParamsNonStreaming,
} from '@anthropic-ai/sdk/resources/beta/messages/messages';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { unbounded as unboundedSentence } from '../../../../policy/core/refusal-sentences.ts';
import type { Refusal } from '../../../../policy/core/refusals.ts';
import type { Result } from '../../../../policy/core/result.ts';
import { unboundedPaths, maxInferences, worstCost } from '../../../../policy/cost/worst-cost.ts';
import { parsePriceBook } from '../../../../policy/prices/price-book-file.ts';
import published from '../../../../policy/prices/prices.json' with { type: 'json' };
import { cost, readUsage } from '../../../../policy/prices/usage.ts';
import { modelsOf, readRequest } from '../../../../policy/request/request.ts';
import type { RequestFacts } from '../../../../policy/request/request.ts';
import { MAX_DEPTH } from '../../../../policy/request/strict-json.ts';
import claudeCode from '../data/claude-code.json' with { type: 'json' };

const book = parsePriceBook(published);
const bytes = (body: unknown): Uint8Array =>
  new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body));
const read = (body: unknown): Result<RequestFacts, Refusal> =>
  readRequest(body instanceof Uint8Array ? body : bytes(body));
const facts = (body: unknown): RequestFacts => {
  const answer = read(body);
  if (!answer.ok) throw new Error(`${answer.error.reason}: ${answer.error.message}`);
  return answer.value;
};
const refusal = (body: unknown): string => {
  const answer = read(body);
  return answer.ok ? 'read' : `${answer.error.reason}: ${answer.error.message}`;
};

const plain = { model: 'claude-opus-5-5', max_tokens: 100, messages: [{ role: 'user', content: 'Hello' }] };
const withContent = (...content: unknown[]): unknown => ({ ...plain, messages: [{ role: 'user', content }] });
const withTool = (tool: object): unknown => ({
  ...plain,
  tools: [{ name: 't', input_schema: { type: 'object' }, ...tool }],
});
const plainly = {
  fillsContext: false,
  compacts: false,
  serverTools: [],
  codeExecution: 'None',
  fallbacks: [],
  unbounded: [],
  countable: true,
};
const NEVER_UNMETERED = 'is not supported by Tollgate, which cannot bound its cost yet. Leave it out.';

describe('the facts', () => {
  test('of a plain request', () => {
    const text = '{"model": "claude-opus-5-5",\n"max_tokens" : 100 , "messages": [{"role":"user","content":"Hello"}]}';
    expect(facts(text)).toEqual({
      model: 'claude-opus-5-5',
      maxTokens: 100,
      stream: false,
      ...plainly,
      inputTokens: text.length,
      cacheWrite: 'None',
      fast: false,
      regional: false,
      thinkingBudget: null,
      session: null,
      maxTokensSpan: { start: 44, end: 47 },
    });
  });

  test('of what Claude Code sends by default', () => {
    const body = bytes(claudeCode);
    const { maxTokensSpan, inputTokens, ...rest } = facts(body);
    expect(rest).toEqual({
      model: 'claude-opus-5-5',
      maxTokens: 128_000,
      stream: true,
      ...plainly,
      cacheWrite: 'FiveMinutes',
      fast: false,
      regional: false,
      thinkingBudget: null,
      session: '00000000-0000-4000-8000-000000000000',
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
  ])('see %s', (_, part, expected) => {
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
  ])('are there for %s, at no more than the bytes', (_, part) => {
    const body = bytes({ ...plain, ...part });
    expect(facts(body).inputTokens).toBe(body.length);
  });
});

describe('the input bound', () => {
  test('adds what Anthropic adds for tools and structured output', () => {
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

  test('counts a tool again for every reference to it, since a reference stands for the whole definition', () => {
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

  test('counts a definition that Anthropic holds again too', () => {
    const tool = { type: 'bash_20250124', name: 'bash', defer_loading: true };
    const addition = { type: 'tool_addition', tool: { type: 'tool_reference', name: 'bash' } };
    const body = { ...plain, tools: [tool], messages: [{ role: 'system', content: [addition] }] };
    expect(facts(body).inputTokens).toBe(bytes(body).length + 3 * 1024 + bytes(tool).length);
  });

  test('is never below the bytes of the text, however it is escaped', () => {
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
      'thinking without a budget',
      { ...plain, thinking: { type: 'enabled' } },
      'thinking.budget_tokens must be a non-negative integer.',
    ],
    [
      'a tool name that breaks String()',
      { ...plain, tools: [{ name: { toString: 1 } }] },
      'tools[0].name must be a string.',
    ],
  ])('%s is refused with a sentence', (_, body, message) => {
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
  ])('%s are refused, since readers differ in which one counts', (_, body, key) => {
    expect(refusal(body)).toBe(`BodyInvalid: The body has the key ${key} twice in one object.`);
  });

  test('the same key in different objects, or as a value, is no duplicate', () => {
    const block = {
      type: 'tool_use',
      id: 'model',
      name: 'model',
      input: { model: { model: ['model', 'model', '"model":', '\\"'] } },
    };
    expect(refusal(withContent(block, block))).toBe('read');
  });

  test('a duplicate is found wherever it is, and nothing else is', () => {
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

const text = { type: 'text', text: 'x' };
const ascii = (...parts: (string | number[])[]): string =>
  Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))),
  ).toString('base64');
const big = (...numbers: number[]): number[] => numbers.flatMap((n) => [(n >> 8) & 0xff, n & 0xff]);
const little = (...numbers: number[]): number[] => numbers.flatMap((n) => [n & 0xff, (n >> 8) & 0xff]);
const image = (data: string, media_type = 'image/png') => ({
  type: 'image',
  source: { type: 'base64', media_type, data },
});
const document = (data: string) => ({
  type: 'document',
  source: { type: 'base64', media_type: 'application/pdf', data },
});

/** The first bytes of pictures, as their formats have them. */
const PNG = (width: number, height: number) =>
  ascii('\x89PNG\r\n\x1a\n', [0, 0, 0, 13], 'IHDR', [0, 0], big(width), [0, 0], big(height), [8, 2, 0, 0, 0]);
const JPEG = (width: number, height: number, ...before: number[][]) =>
  ascii([0xff, 0xd8], ...before, [0xff, 0xc2], big(17), [8], big(height, width), 'and so on');
const GIF = (width: number, height: number, frame: number[] = [0, 0, width, height], flags = 0) => {
  const table = flags & 0x80 ? Array<number>(3 * 2 ** ((flags & 7) + 1)).fill(0x2c) : [];
  const extension = [0x21, 0xff, 11, ...Array<number>(11).fill(0x2c), 3, 1, 2, 3, 0];
  return ascii('GIF89a', little(width, height), [flags, 0, 0], table, extension, [0x2c], little(...frame), [0]);
};
const WEBP = (kind: string, rest: number[]) => ascii('RIFF', [9, 9, 9, 9], 'WEBP', kind, [9, 0, 0, 0], rest);
const three = (n: number): number[] => [n & 0xff, (n >> 8) & 0xff, n >> 16];
const WEBPS: Record<string, (width: number, height: number) => string> = {
  lossy: (width, height) => WEBP('VP8 ', [0x30, 1, 0, 0x9d, 1, 0x2a, ...little(width | 0x4000, height)]),
  lossless: (width, height) => {
    const bits = (width - 1) | ((height - 1) << 14);
    return WEBP('VP8L', [0x2f, ...little(bits & 0xffff, bits >>> 16), 0]);
  },
  extended: (width, height) => WEBP('VP8X', [0x10, 0, 0, 0, ...three(width - 1), ...three(height - 1)]),
};

describe('pictures', () => {
  /** Tokens that a block adds to those of the same request without its base64. */
  const added = (data: string): number => {
    const withData = withContent(image(data));
    return facts(withData).inputTokens - bytes(withContent(image(''))).length;
  };

  test.each<[string, string, number]>([
    ['a PNG', PNG(640, 480), 23 * 18],
    ['a PNG of a pixel', PNG(1, 1), 1],
    ['a PNG of whole patches', PNG(56, 28), 2],
    ['a JPEG', JPEG(641, 99), 23 * 4],
    [
      'a JPEG behind its thumbnail and comments',
      JPEG(300, 200, [0xff, 0xe1, 0, 6, 0xff, 0xc0, 1, 1], [0xff, 0xfe, 0, 2]),
      11 * 8,
    ],
    ['a GIF', GIF(57, 1000), 3 * 36],
    ['a GIF with a table of colours', GIF(57, 1000, [0, 0, 1, 1], 0x81), 3 * 36],
    ['a GIF whose frame reaches beyond its screen', GIF(10, 10, [30, 0, 27, 1000]), 3 * 36],
    ['a lossy WebP', WEBPS['lossy']!(1200, 800), 43 * 29],
    ['a lossless WebP', WEBPS['lossless']!(1201, 799), 43 * 29],
    ['an extended WebP', WEBPS['extended']!(333, 222), 12 * 8],
  ])('%s counts in patches of 28 pixels', (_, data, tokens) => {
    expect(added(data)).toBe(tokens);
  });

  test.each<[string, string]>([
    ['is larger than any that is not scaled down', PNG(4000, 4000)],
    ['has no size', PNG(0, 5)],
    ['ends too early', PNG(640, 480).slice(0, 20)],
    ['is a JPEG without a frame', ascii([0xff, 0xd8, 0xff, 0xda, 0, 2, 0xff, 0xc0, 0, 17, 8, 0, 1, 0, 1])],
    ['is a JPEG with a segment of no length', JPEG(1, 1, [0xff, 0xe0, 0, 1])],
    ['is a GIF without a frame', ascii('GIF89a', little(5, 5), [0, 0, 0, 0x3b])],
    ['is of another format', ascii('BM and so on')],
    ['is not base64', '%%%%'],
    ['is a JPEG of many segments', JPEG(1, 1, ...Array.from({ length: 300 }, () => [0xff, 0xfe, 0, 2]))],
    ['is a GIF of many blocks', ascii('GIF89a', little(5, 5), [0, 0, 0, 0x21, 0xff], Array<number>(1000).fill(1))],
    ['is empty', ''],
  ])('one that %s counts as the largest', (_, data) => {
    expect(added(data)).toBe(4784);
  });

  test('that are fetched count as the largest, and can change after they were counted', () => {
    for (const source of [
      { type: 'url', url: 'https://a.example/b.png' },
      { type: 'file', file_id: 'f' },
    ]) {
      const body = withContent({ type: 'image', source });
      expect(facts(body)).toMatchObject({
        inputTokens: bytes(body).length + 4784,
        countable: false,
        fillsContext: false,
      });
    }
  });

  test('count wherever they stand', () => {
    const results = [
      image(PNG(28, 28)),
      { type: 'document', source: { type: 'content', content: [image(PNG(56, 28))] } },
    ];
    const body = withContent({ type: 'tool_result', tool_use_id: 'i', content: results });
    expect(facts(body).inputTokens).toBe(bytes(body).length - 2 * PNG(1, 1).length + 3);
  });

  test('beyond as many as the API takes count as the largest', () => {
    const many = withContent(...Array.from({ length: 602 }, () => image(PNG(1, 1))));
    const without = withContent(...Array.from({ length: 602 }, () => image('')));
    expect(facts(many).inputTokens - bytes(without).length).toBe(600 + 2 * 4784);
  });

  test('whatever the bytes are, one counts at least a token and at most as the largest', () => {
    const starts = [PNG(9, 9), JPEG(9, 9), GIF(9, 9), ...Object.values(WEBPS).map((webp) => webp(9, 9))];
    const start = fc.constantFrom(...starts.map((data) => Buffer.from(data, 'base64')), Buffer.alloc(0));
    fc.assert(
      fc.property(start, fc.nat({ max: 40 }), fc.uint8Array({ maxLength: 60 }), (head, keep, rest) => {
        const tokens = added(Buffer.concat([head.subarray(0, keep), rest]).toString('base64'));
        expect(tokens >= 1 && tokens <= 4784).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('documents', () => {
  const pdf = (...parts: string[]): string => ascii('%PDF-1.4\n', ...parts);
  const PAGE = 3000 + 4784;
  const added = (data: string): number =>
    facts(withContent(document(data))).inputTokens - bytes(withContent(document(''))).length;

  test.each([
    ['one page', 1, pdf('<</Type/Pages/Kids[3 0 R]/Count 1>>')],
    ['three pages', 3, pdf('<< /Type /Pages /Kids [ 3 0 R 4 0 R\n5 0 R ] /Count 3 >>')],
    ['branches, which count as well', 4, pdf('/Kids[2 0 R 3 0 R]', '/Kids[7 0 R]', '/Kids [9 0 R]')],
  ])('a PDF of %s counts its pages as text and picture', (_, pages, data) => {
    expect(added(data)).toBe(pages * PAGE);
    expect(facts(withContent(document(data)))).toMatchObject({ fillsContext: false, countable: true });
  });

  test.each([
    ['packs its objects', pdf('/Kids[3 0 R]', '<</Type/ObjStm>>')],
    ['packs its objects under a name in escapes', pdf('/Kids[3 0 R]', '<</Type/Obj#53tm>>')],
    ['hides its tree in escapes', pdf('/Ki#64s[3 0 R 4 0 R]')],
    ['writes no references into its tree', pdf('/Kids[1 1 1 1 1 R]')],
    ['has more pages than any request', pdf(`/Kids[${'3 0 R '.repeat(4000)}]`)],
    ['is encrypted', pdf('/Kids[3 0 R]', '/Encrypt 5 0 R')],
    ['hangs a page in twice', pdf('/Kids[3 0 R 3 0 R]')],
    ['hangs a branch in twice', pdf('/Kids[3 0 R 4 0 R]', '/Kids[03 0 R]')],
    ['keeps its tree elsewhere', pdf('/Kids 5 0 R')],
    ['writes something into its tree', pdf('/Kids[3 0 R %\n4 0 R]')],
    ['has no tree', pdf('nothing')],
    ['is none', ascii('/Kids[3 0 R]')],
    ['is not base64', '%%%%'],
    ['is too large to look through', pdf('/Kids[3 0 R]', ' '.repeat(3 * 1024 * 1024 + 3))],
  ])('a PDF that %s fills the context', (_, data) => {
    expect(added(data)).toBe(0);
    expect(facts(withContent(document(data)))).toMatchObject({ fillsContext: true, countable: true });
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

describe('what Anthropic runs', () => {
  const withTools = (...tools: object[]): unknown => ({ ...plain, tools });
  const search = { type: 'web_search_20250305', name: 'web_search' };
  const fetch = { type: 'web_fetch_20260209', name: 'web_fetch' };
  const code = { type: 'code_execution_20260120', name: 'code_execution' };
  const advisor = { type: 'advisor_20260301', name: 'advisor', model: 'claude-fable-5-2' };

  test('is seen with its uses, and where they stand in the body', () => {
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
    ['nothing', plain, plainly as Partial<RequestFacts>],
    ['code', withTools(code), { codeExecution: 'Charged', fillsContext: true }],
    ['code with a web tool that runs code itself', withTools(code, fetch), { codeExecution: 'Free' }],
    ['code with an older web tool', withTools(code, search), { codeExecution: 'Charged' }],
    [
      'a cached tool',
      withTools({ ...search, cache_control: { type: 'ephemeral', ttl: '1h' } }),
      { cacheWrite: 'OneHour' },
    ],
    ['a thread', { ...plain, thread: { id: 't' } }, { unbounded: ['thread'], countable: false }],
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

  test('names the models that it may be answered by', () => {
    const fallbacks = [{ model: 'claude-haiku-5-5' }, { model: 'claude-sonnet-5-5', max_tokens: 7, speed: 'fast' }];
    const asked = facts({ ...(withTools({ ...advisor, max_uses: 2, max_tokens: 50 }) as object), fallbacks });
    expect(modelsOf(asked)).toEqual(['claude-opus-5-5', 'claude-haiku-5-5', 'claude-sonnet-5-5', 'claude-fable-5-2']);
    expect(asked.serverTools[0]).toMatchObject({ maxUses: 2, advisor: { model: 'claude-fable-5-2', maxTokens: 50 } });
    expect(asked.fallbacks).toMatchObject([
      { maxTokens: null, fast: false },
      { maxTokens: 7, fast: true },
    ]);
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
  ])('%s is no request', (_, body, sentence) => {
    expect(refusal(body)).toBe(`BodyInvalid: ${sentence}`);
  });
});

describe('what is not known', () => {
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
      withContent({
        type: 'tool_addition',
        tool: { type: 'tool_definition', definition: { type: 'web_search_20250305' } },
      }),
      'messages[0].content[0].tool.definition.type web_search_20250305',
    ],
    [
      withContent({ type: 'tool_use', id: 'i', name: 't', input: {}, caller: { type: 'code_execution_20990101' } }),
      'messages[0].content[0].caller.type code_execution_20990101',
    ],
    [{ ...plain, system: [{ type: 'tool_use' }] }, 'system[0].type tool_use'],
    [{ ...plain, messages: [{ role: 'tool', content: 'x' }] }, 'messages[0].role tool'],
  ])('%j is refused by name', (body, name) => {
    expect(refusal(body)).toBe(`Unsupported: ${name} ${NEVER_UNMETERED}`);
  });
});

/**
 * What becomes of a part of a request: the tokens that are set aside beyond its bytes, a full window of them, a use that
 * nothing bounds, or a refusal.
 */
type Outcome = number | 'a window' | `no bound: ${string}` | `refused: ${string}`;

function outcomeOf(body: object): Outcome {
  const answer = read(body);
  if (!answer.ok) return `refused: ${answer.error.message.replace(` ${NEVER_UNMETERED}`, '')}`;
  const paths = unboundedPaths(answer.value);
  if (paths.length > 0) return `no bound: ${paths.join(' ')}`;
  return answer.value.fillsContext ? 'a window' : answer.value.inputTokens - bytes(body).length;
}

const schema = { type: 'object' as const };
const TOOL_PROMPT = 1024;
const MCP = { type: 'mcp_toolset', mcp_server_name: 's' } as const;

/** Every type of tool that the SDK has: one that a newer SDK adds does not compile until it is sorted in here. */
const TOOLS: Record<NonNullable<BetaToolUnion['type']>, readonly [BetaToolUnion, Outcome]> = {
  custom: [
    {
      name: 'own',
      input_schema: schema,
      description: 'd',
      type: 'custom',
      strict: true,
      defer_loading: false,
      allowed_callers: ['direct'],
      input_examples: [{}],
      eager_input_streaming: true,
      cache_control: { type: 'ephemeral' },
    },
    TOOL_PROMPT,
  ],
  bash_20241022: [{ type: 'bash_20241022', name: 'bash' }, TOOL_PROMPT + 1024],
  bash_20250124: [{ type: 'bash_20250124', name: 'bash', input_examples: [{}] }, TOOL_PROMPT + 1024],
  text_editor_20241022: [{ type: 'text_editor_20241022', name: 'str_replace_editor' }, TOOL_PROMPT + 1024],
  text_editor_20250124: [{ type: 'text_editor_20250124', name: 'str_replace_editor' }, TOOL_PROMPT + 1024],
  text_editor_20250429: [{ type: 'text_editor_20250429', name: 'str_replace_based_edit_tool' }, TOOL_PROMPT + 1024],
  text_editor_20250728: [
    { type: 'text_editor_20250728', name: 'str_replace_based_edit_tool', max_characters: 5 },
    TOOL_PROMPT + 1024,
  ],
  memory_20250818: [{ type: 'memory_20250818', name: 'memory' }, TOOL_PROMPT + 4096],
  computer_20241022: [
    { type: 'computer_20241022', name: 'computer', display_width_px: 1, display_height_px: 1, display_number: 1 },
    TOOL_PROMPT + 4096,
  ],
  computer_20250124: [
    { type: 'computer_20250124', name: 'computer', display_width_px: 1, display_height_px: 1 },
    TOOL_PROMPT + 4096,
  ],
  computer_20251124: [
    { type: 'computer_20251124', name: 'computer', display_width_px: 1, display_height_px: 1, enable_zoom: true },
    TOOL_PROMPT + 4096,
  ],
  computer_toolset_20260801: [
    { type: 'computer_toolset_20260801', configs: { zoom: { enabled: false } } },
    TOOL_PROMPT + 8192,
  ],
  browser_toolset_20260801: [
    { type: 'browser_toolset_20260801', cache_control: { type: 'ephemeral' } },
    TOOL_PROMPT + 12_288,
  ],
  web_search_20250305: [{ type: 'web_search_20250305', name: 'web_search', max_uses: 1 }, 'a window'],
  web_search_20260209: [{ type: 'web_search_20260209', name: 'web_search', max_uses: 1 }, 'a window'],
  web_search_20260318: [
    { type: 'web_search_20260318', name: 'web_search', max_uses: 1, response_inclusion: 'excluded' },
    'a window',
  ],
  web_fetch_20250910: [{ type: 'web_fetch_20250910', name: 'web_fetch', max_uses: 1 }, 'a window'],
  web_fetch_20260209: [{ type: 'web_fetch_20260209', name: 'web_fetch', max_uses: 1 }, 'a window'],
  web_fetch_20260309: [{ type: 'web_fetch_20260309', name: 'web_fetch', max_uses: 1, use_cache: true }, 'a window'],
  web_fetch_20260318: [
    { type: 'web_fetch_20260318', name: 'web_fetch', max_uses: 1, url_sources: { user_input: { type: 'all' } } },
    'a window',
  ],
  advisor_20260301: [
    {
      type: 'advisor_20260301',
      name: 'advisor',
      model: 'claude-fable-5-2',
      max_uses: 1,
      caching: { type: 'ephemeral' },
    },
    'a window',
  ],
  code_execution_20250522: [{ type: 'code_execution_20250522', name: 'code_execution' }, 'no bound: tools[0]'],
  code_execution_20250825: [{ type: 'code_execution_20250825', name: 'code_execution' }, 'no bound: tools[0]'],
  code_execution_20260120: [{ type: 'code_execution_20260120', name: 'code_execution' }, 'no bound: tools[0]'],
  code_execution_20260521: [{ type: 'code_execution_20260521', name: 'code_execution' }, 'no bound: tools[0]'],
  tool_search_tool_bm25: [{ type: 'tool_search_tool_bm25', name: 'tool_search_tool_bm25' }, 'no bound: tools[0]'],
  tool_search_tool_bm25_20251119: [
    { type: 'tool_search_tool_bm25_20251119', name: 'tool_search_tool_bm25' },
    'no bound: tools[0]',
  ],
  tool_search_tool_regex: [{ type: 'tool_search_tool_regex', name: 'tool_search_tool_regex' }, 'no bound: tools[0]'],
  tool_search_tool_regex_20251119: [
    { type: 'tool_search_tool_regex_20251119', name: 'tool_search_tool_regex' },
    'no bound: tools[0]',
  ],
  mcp_toolset: [{ ...MCP, default_config: { enabled: true }, tools: [] }, 'no bound: tools[0]'],
};

type Cases = readonly (readonly [BetaContentBlockParam, Outcome])[];
const ID = { tool_use_id: 'i' } as const;
const result = (...content: Extract<BetaContentBlockParam, { type: 'tool_result' }>['content'] & unknown[]) =>
  ({ type: 'tool_result', ...ID, content }) as const;
const found: Extract<BetaContentBlockParam, { type: 'search_result' }> = {
  type: 'search_result',
  source: 's',
  title: 't',
  content: [{ type: 'text', text: 'x' }],
};
const web = { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'page' } } as const;
const added = (tool: Extract<BetaContentBlockParam, { type: 'tool_addition' }>['tool']) =>
  ({ type: 'tool_addition', tool }) as const;
const definition = { name: 'late', input_schema: schema };
const code = { type: 'code_execution_20260120', tool_id: 't' } as const;

/** Every type of block that the SDK lets a message have, in the forms that differ in their bound. */
const BLOCKS: Record<BetaContentBlockParam['type'], Cases> = {
  text: [
    [
      {
        type: 'text',
        text: 'x',
        cache_control: { type: 'ephemeral' },
        citations: [
          { type: 'web_search_result_location', cited_text: 'c', encrypted_index: 'e', title: null, url: 'u' },
        ],
      },
      0,
    ],
  ],
  image: [
    [{ type: 'image', source: { type: 'file', file_id: 'f' }, transformations: { oversized_image: 'error' } }, 4784],
  ],
  document: [
    [web, 0],
    [{ ...web, citations: { enabled: false } }, 0],
    [{ ...web, citations: { enabled: true } }, 'a window'],
    [{ type: 'document', source: { type: 'content', content: 'x' }, context: 'c' }, 0],
    [{ type: 'document', source: { type: 'url', url: 'u' } }, 'a window'],
    [{ type: 'document', source: { type: 'file', file_id: 'f' } }, 'a window'],
  ],
  search_result: [
    [found, 0],
    [{ ...found, citations: { enabled: true } }, 1024],
    [{ ...found, citations: { enabled: false } }, 0],
  ],
  thinking: [[{ type: 'thinking', thinking: 't', signature: 's' }, 0]],
  redacted_thinking: [[{ type: 'redacted_thinking', data: 'd' }, 0]],
  tool_use: [
    [{ type: 'tool_use', id: 'i', name: 'screenshot', input: {}, toolset_name: 'computer' }, 0],
    [{ type: 'tool_use', id: 'i', name: 't', input: {}, caller: code }, 0],
  ],
  tool_result: [
    [{ type: 'tool_result', ...ID, content: 'x', toolset_name: 'browser', is_error: true }, 0],
    [result(found, web), 0],
    [result({ type: 'browser_state', tabs: [{ tab_id: '1', title: 't', url: 'u' }], state_changes: null }), 1024],
    [result({ type: 'tool_reference', tool_name: 'nobody' }), 0],
  ],
  server_tool_use: [[{ type: 'server_tool_use', id: 'i', name: 'advisor', input: {}, caller: code }, 0]],
  web_search_tool_result: [
    [{ type: 'web_search_tool_result', ...ID, content: [] }, 0],
    [
      {
        type: 'web_search_tool_result',
        ...ID,
        content: [{ type: 'web_search_result', encrypted_content: 'e', title: 't', url: 'u', page_age: null }],
      },
      'a window',
    ],
    [
      {
        type: 'web_search_tool_result',
        ...ID,
        content: { type: 'web_search_tool_result_error', error_code: 'max_uses_exceeded' },
      },
      0,
    ],
  ],
  web_fetch_tool_result: [
    [{ type: 'web_fetch_tool_result', ...ID, content: { type: 'web_fetch_result', url: 'u', content: web } }, 0],
    [
      {
        type: 'web_fetch_tool_result',
        ...ID,
        content: { type: 'web_fetch_result', url: 'u', content: { ...web, citations: { enabled: true } } },
      },
      'a window',
    ],
  ],
  code_execution_tool_result: [
    [
      {
        type: 'code_execution_tool_result',
        ...ID,
        content: { type: 'code_execution_result', stdout: 'o', stderr: '', return_code: 0, content: [] },
      },
      0,
    ],
    [
      {
        type: 'code_execution_tool_result',
        ...ID,
        content: {
          type: 'code_execution_result',
          stdout: 'o',
          stderr: '',
          return_code: 0,
          content: [{ type: 'code_execution_output', file_id: 'f' }],
        },
      },
      'a window',
    ],
    [
      {
        type: 'code_execution_tool_result',
        ...ID,
        content: {
          type: 'encrypted_code_execution_result',
          encrypted_stdout: 'e',
          stderr: '',
          return_code: 0,
          content: [],
        },
      },
      'a window',
    ],
  ],
  bash_code_execution_tool_result: [
    [
      {
        type: 'bash_code_execution_tool_result',
        ...ID,
        content: { type: 'bash_code_execution_result', stdout: 'o', stderr: '', return_code: 0, content: [] },
      },
      0,
    ],
  ],
  text_editor_code_execution_tool_result: [
    [
      {
        type: 'text_editor_code_execution_tool_result',
        ...ID,
        content: { type: 'text_editor_code_execution_view_result', content: 'c', file_type: 'text', num_lines: 1 },
      },
      0,
    ],
    [
      {
        type: 'text_editor_code_execution_tool_result',
        ...ID,
        content: { type: 'text_editor_code_execution_view_result', content: 'c', file_type: 'image' },
      },
      'a window',
    ],
    [
      {
        type: 'text_editor_code_execution_tool_result',
        ...ID,
        content: { type: 'text_editor_code_execution_str_replace_result', lines: ['l'], new_lines: 1 },
      },
      0,
    ],
  ],
  tool_search_tool_result: [
    [
      {
        type: 'tool_search_tool_result',
        ...ID,
        content: {
          type: 'tool_search_tool_search_result',
          tool_references: [{ type: 'tool_reference', tool_name: 'nobody' }],
        },
      },
      0,
    ],
  ],
  advisor_tool_result: [
    [{ type: 'advisor_tool_result', ...ID, content: { type: 'advisor_result', text: 't', stop_reason: null } }, 0],
    [
      { type: 'advisor_tool_result', ...ID, content: { type: 'advisor_redacted_result', encrypted_content: 'e' } },
      'a window',
    ],
  ],
  mcp_tool_use: [[{ type: 'mcp_tool_use', id: 'i', name: 'n', server_name: 's', input: {} }, 0]],
  mcp_tool_result: [[{ type: 'mcp_tool_result', ...ID, content: [{ type: 'text', text: 'x' }] }, 0]],
  mcp_tool_listing: [[{ type: 'mcp_tool_listing', mcp_server_name: 's', tools: [{ name: 'n', input_schema: {} }] }, 0]],
  container_upload: [[{ type: 'container_upload', file_id: 'f' }, 'no bound: messages[0].content[0]']],
  compaction: [
    [
      {
        type: 'compaction',
        content: 's',
        signature: 'g',
        tool_changes: [added({ type: 'tool_reference', name: 'n' })],
      },
      0,
    ],
    [{ type: 'compaction', content: 's', encrypted_content: 'e' }, 'a window'],
  ],
  tool_addition: [
    [added({ type: 'tool_definition', definition }), TOOL_PROMPT],
    [added({ type: 'tool_definition', definition: TOOLS.memory_20250818[0] }), TOOL_PROMPT + 4096],
    [added({ type: 'mcp_tool_reference', name: 'n', server_name: 's' }), 0],
    [added({ type: 'mcp_toolset_reference', server_name: 's' }), 0],
    [
      added({ type: 'tool_definition', definition: MCP }),
      'refused: messages[0].content[0].tool.definition.type mcp_toolset',
    ],
  ],
  tool_removal: [[{ type: 'tool_removal', tool: { type: 'tool_reference', name: 'n' } }, 0]],
  fallback: [[{ type: 'fallback', from: { model: 'a' }, to: { model: 'b' }, trigger: {} }, 0]],
};

type Field = Exclude<keyof MessageCreateParamsNonStreaming, 'betas' | 'user_profile_id' | 'workspace_id'>;
type Values = { readonly [Name in Field]: readonly (readonly [MessageCreateParamsNonStreaming[Name], Outcome])[] };

/** Every field of a request that the SDK writes into the body. */
const VALUES: Values = {
  model: [['claude-opus-5-5', 0]],
  max_tokens: [[5, 0]],
  messages: [[[{ role: 'system', content: 'x', clear_at: 'never', output_config: { effort: 'low' } }], 0]],
  system: [[[{ type: 'text', text: 'x' }], 0]],
  stream: [[false, 0]],
  stop_sequences: [[['x'], 0]],
  tools: [[[], 0]],
  tool_choice: [[{ type: 'tool', name: 't', disable_parallel_tool_use: true }, 0]],
  metadata: [[{ user_id: 'u' }, 0]],
  cache_control: [[{ type: 'ephemeral', ttl: '1h' }, 0]],
  service_tier: [['standard_only', 0]],
  speed: [['fast', 0]],
  inference_geo: [['us', 0]],
  diagnostics: [[{ previous_message_id: null }, 0]],
  thinking: [
    [{ type: 'adaptive', display: 'updates', block_binding: { prefix_mismatch_behavior: 'drop_block' } }, 0],
    [{ type: 'between_tools' }, 0],
    [{ type: 'disabled' }, 0],
  ],
  output_config: [
    [{ effort: 'max' }, 0],
    [{ format: { type: 'json_schema', schema: {} } }, 1024],
    [{ task_budget: { type: 'tokens', total: 5 } }, 1024 + 64],
  ],
  output_format: [[{ type: 'json_schema', schema: {} }, 1024]],
  context_management: [[{ edits: [{ type: 'clear_thinking_20251015' }, { type: 'compact_20260112' }] }, 0]],
  compaction: [[{ type: 'summarize', instructions: 'i' }, 0]],
  fallbacks: [
    [[{ model: 'claude-haiku-5-5', output_config: { format: { type: 'json_schema', schema: {} } } }], 1024],
    ['default', 'no bound: fallbacks'],
  ],
  fallback_credit_token: [[{ token: 't', mode: 'best_effort' }, 0]],
  billing_policy: [
    [{ type: 'billing_policy', bill_to: 'self' }, 0],
    [{ type: 'billing_policy', bill_to: 'user_profile' }, 'refused: billing_policy.bill_to user_profile'],
  ],
  thread: [
    [{ type: 'create' }, 0],
    [{ type: 'continue', previous_message_id: 'm' }, 'no bound: thread'],
  ],
  container: [
    ['c', 'no bound: container'],
    [{ skills: [{ type: 'anthropic', skill_id: 's' }] }, 'no bound: container'],
  ],
  mcp_servers: [[[{ type: 'url', name: 's', url: 'u' }], 'no bound: mcp_servers']],
};

describe('what the SDKs can ask for', () => {
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

  test('both searches for tools may be there, and every field may be null', () => {
    const tools = [TOOLS.tool_search_tool_bm25[0], TOOLS.tool_search_tool_regex[0]];
    expect(outcomeOf({ ...plain, tools })).toBe('no bound: tools[0] tools[1]');
    const nulls = { thread: null, billing_policy: null, output_format: null, mcp_servers: null, container: null };
    expect(outcomeOf({ ...plain, ...nulls })).toBe(0);
  });

  test('a tool that code may call is as unbounded as the code', () => {
    expect(outcomeOf(withTool({ allowed_callers: ['code_execution_20260521'] }) as object)).toBe(
      'no bound: tools[0].allowed_callers',
    );
  });

  test('what was found, added or may be one of a toolset counts its definition again', () => {
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

  test('a cache of an hour is seen inside of what is sent back', () => {
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

  test('never costs more than its worst case, however it is put together', () => {
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
        const sampling = cost(readUsage({ output_tokens: max_tokens, [kind]: prompt }), asked.model, book, at);
        expect(unboundedPaths(asked)).toEqual([]);
        expect(asked.fillsContext || read <= asked.inputTokens).toBe(true);
        expect(sampling * BigInt(maxInferences(asked)) <= worstCost(asked, book, at)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });
});

const MORE_FIELDS = ['tool_choice', 'cache_control', 'speed', 'fallbacks', 'mcp_servers', 'container', 'compaction'];

test('whatever the bytes are, there is an answer', () => {
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

describe('a body that is made to keep the gateway busy', () => {
  const many = <T>(one: T): T[] => Array.from({ length: 50_000 }, () => one);

  test.each([
    ['fallbacks', { fallbacks: many({ model: 'a' }) }, 'BodyInvalid: fallbacks must have at most 32 entries.'],
    [
      'tools of other servers',
      { tools: many({ type: 'mcp_toolset', mcp_server_name: 'a' }) },
      'BodyInvalid: tools must have at most 64 that Anthropic runs.',
    ],
  ])('with %s without end is refused before they are looked for one by one', (_name, more, expected) => {
    expect(refusal({ ...plain, ...more })).toBe(expected);
  });

  test('with a million things that have no bound is told of a few of them', () => {
    const { unbounded } = facts(withContent(...many({ type: 'container_upload', file_id: 'a' })));
    expect(unboundedSentence(unbounded)).toContain('messages[0].content[7] and 49992 more)');
  });
});

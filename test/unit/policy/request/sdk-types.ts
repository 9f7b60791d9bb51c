import type {
  BetaContentBlockParam,
  BetaToolUnion,
  MessageCreateParamsNonStreaming,
} from '@anthropic-ai/sdk/resources/beta/messages/messages';
import type { Outcome } from '../../../support/request-bodies.ts';

const schema = { type: 'object' as const };
export const TOOL_PROMPT = 1024;
const MCP = { type: 'mcp_toolset', mcp_server_name: 's' } as const;

/** Every type of tool that the SDK has: one that a newer SDK adds does not compile until it is sorted in here. */
export const TOOLS: Record<NonNullable<BetaToolUnion['type']>, readonly [BetaToolUnion, Outcome]> = {
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

export type Cases = readonly (readonly [BetaContentBlockParam, Outcome])[];
export const ID = { tool_use_id: 'i' } as const;
export const result = (...content: Extract<BetaContentBlockParam, { type: 'tool_result' }>['content'] & unknown[]) =>
  ({ type: 'tool_result', ...ID, content }) as const;
export const found: Extract<BetaContentBlockParam, { type: 'search_result' }> = {
  type: 'search_result',
  source: 's',
  title: 't',
  content: [{ type: 'text', text: 'x' }],
};
export const web = { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'page' } } as const;
export const added = (tool: Extract<BetaContentBlockParam, { type: 'tool_addition' }>['tool']) =>
  ({ type: 'tool_addition', tool }) as const;
export const definition = { name: 'late', input_schema: schema };
const code = { type: 'code_execution_20260120', tool_id: 't' } as const;

/** Every type of block that the SDK lets a message have, in the forms that differ in their bound. */
export const BLOCKS: Record<BetaContentBlockParam['type'], Cases> = {
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

export type Field = Exclude<keyof MessageCreateParamsNonStreaming, 'betas' | 'user_profile_id' | 'workspace_id'>;
export type Values = {
  readonly [Name in Field]: readonly (readonly [MessageCreateParamsNonStreaming[Name], Outcome])[];
};

/** Every field of a request that the SDK writes into the body. */
export const VALUES: Values = {
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

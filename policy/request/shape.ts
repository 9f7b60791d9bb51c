/**
 * The known fields of an object, and of each object in a list. The shape of a field says what its own value may hold; with
 * `null` that is anything, because its bytes are all that it costs. `*` stands for all names that are not listed, `=all` for
 * the text "all" in place of an object, and `=*` for any text.
 */
export type Shape = ReadonlyMap<string, Shape | null>;

/** A shape of fields that may hold anything, and of others with shapes of their own. */
export function shape(plain: readonly string[], shaped: Readonly<Record<string, Shape>> = {}): Shape {
  return new Map<string, Shape | null>([...plain.map((name) => [name, null] as const), ...Object.entries(shaped)]);
}

const SCOPED = ['type', 'value'];
const FORMAT = shape(['type', 'schema']);

const OUTPUT_CONFIG: Shape = shape(['effort'], {
  format: FORMAT,
  task_budget: shape(['type', 'total', 'remaining']),
});

const THINKING: Shape = shape(['type', 'budget_tokens', 'display'], {
  block_binding: shape(['prefix_mismatch_behavior']),
});

export const CACHE_CONTROL: Shape = shape(['type', 'ttl']);

/** The caller of a tool, in a block. */
export const CALLER: Shape = shape(['type', 'tool_id']);

export const CITATIONS: Shape = shape(['enabled']);

/** The model is checked, as are all models that may answer. */
export const FALLBACK: Shape = shape(['model', 'max_tokens', 'speed'], {
  thinking: THINKING,
  output_config: OUTPUT_CONFIG,
});

/** A remote tool, in a toolset or in the listing of a server's tools. */
export const REMOTE_TOOL: Shape = shape(['name', 'description', 'input_schema']);

const EDIT = shape(['type', 'instructions', 'pause_after_compaction', 'clear_tool_inputs', 'exclude_tools'], {
  trigger: shape(SCOPED),
  keep: shape([...SCOPED, '=all']),
  clear_at_least: shape(SCOPED),
});

/** A request. What is below `mcp_servers`, `container` and `thread` has no bound whatever it is. */
export const REQUEST: Shape = shape(
  [
    'model',
    'messages',
    'max_tokens',
    'system',
    'tools',
    'stream',
    'temperature',
    'top_p',
    'top_k',
    'stop_sequences',
    'service_tier',
    'speed',
    'inference_geo',
    'fallbacks',
    'thread',
    'mcp_servers',
    'container',
  ],
  {
    tool_choice: shape(['type', 'name', 'disable_parallel_tool_use']),
    metadata: shape(['user_id']),
    thinking: THINKING,
    output_config: OUTPUT_CONFIG,
    output_format: FORMAT,
    context_management: shape([], { edits: EDIT }),
    compaction: shape(['type', 'instructions']),
    diagnostics: shape(['previous_message_id']),
    fallback_credit_token: shape(['token', 'mode', '=*']),
    cache_control: CACHE_CONTROL,
    billing_policy: shape(['type', 'bill_to']),
  },
);

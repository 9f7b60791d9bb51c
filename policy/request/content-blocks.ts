/**
 * The blocks that a prompt may be made of, as allow-lists: where each may stand, which fields it may have, and which of
 * them hold blocks again.
 */

import type { JsonFields } from './json-access.ts';

/** What is known of one type of block. */
export interface Shape {
  readonly fields: ReadonlySet<string>;
  /** The field that holds blocks itself, and which. */
  readonly inner?: readonly [field: string, known: Blocks];
}

/** The blocks that may stand somewhere, by type. */
export type Blocks = ReadonlyMap<string, Shape>;

/**
 * Whether what one of Anthropic's tools left in an answer is in the body as the model reads it: nothing is sealed, and
 * nothing stands in a file or a picture.
 */
export function isPlain(content: unknown): boolean {
  if (typeof content !== 'object' || content === null) return true;
  if (Array.isArray(content)) return content.every(isPlain);
  const fields = content as JsonFields;
  const known = PLAIN.get(fields['type'] as string)?.fields;
  if (known === undefined || (fields['file_type'] ?? 'text') !== 'text') return false;
  const isKnown = Object.keys(fields).every((name) => known.has(name) || fields[name] === null);
  return isKnown && isPlain(fields['content']);
}

function block(type: string, fields: readonly string[], inner?: Shape['inner']): [string, Shape] {
  const known = new Set(['type', 'cache_control', ...fields]);
  return [type, inner === undefined ? { fields: known } : { fields: known, inner }];
}

const TEXT = block('text', ['text', 'citations']);
const IMAGE = block('image', ['source', 'transformations']);
const DOCUMENT = block('document', ['source', 'title', 'context', 'citations']);
const ADDITION = block('tool_addition', ['tool']);
const REMOVAL = block('tool_removal', ['tool']);
const REFERENCE = block('tool_reference', ['tool_name']);

/** The blocks of `system`, and of whatever else is text only. */
export const TEXTS: Blocks = new Map([TEXT]);

/** The content of a document that is given in parts. */
export const PARTS: Blocks = new Map([TEXT, IMAGE]);

/** What was fetched from the web. */
export const FETCHED: Blocks = new Map([DOCUMENT]);

/** What a search for tools found. */
export const REFERENCES: Blocks = new Map([REFERENCE]);

const SEARCH_RESULT = block('search_result', ['source', 'title', 'content', 'citations'], ['content', TEXTS]);
const BROWSER_STATE = block('browser_state', ['tabs', 'state_changes']);

/** The content of a `tool_result`. */
const RESULT: Blocks = new Map([TEXT, IMAGE, DOCUMENT, SEARCH_RESULT, REFERENCE, BROWSER_STATE]);

/** What the tools that Anthropic runs left in an answer. */
const OUTCOMES = [
  'web_search_tool_result',
  'web_fetch_tool_result',
  'code_execution_tool_result',
  'bash_code_execution_tool_result',
  'text_editor_code_execution_tool_result',
  'tool_search_tool_result',
  'advisor_tool_result',
];

/** Whether a type of block is the result of a tool that Anthropic runs. */
export function isOutcome(type: string): boolean {
  return OUTCOMES.includes(type);
}

const OUTCOME_FIELDS = ['tool_use_id', 'content', 'is_error', 'caller'];
const USE_FIELDS = ['id', 'name', 'input', 'caller', 'toolset_name'];

/** The blocks of a message. */
export const CONTENT: Blocks = new Map([
  TEXT,
  IMAGE,
  DOCUMENT,
  SEARCH_RESULT,
  block('thinking', ['thinking', 'signature']),
  block('redacted_thinking', ['data']),
  block('tool_use', USE_FIELDS),
  block('tool_result', ['tool_use_id', 'content', 'is_error', 'toolset_name'], ['content', RESULT]),
  block('server_tool_use', USE_FIELDS),
  ...OUTCOMES.map((type) => block(type, OUTCOME_FIELDS)),
  block('mcp_tool_use', ['id', 'name', 'input', 'server_name']),
  block('mcp_tool_result', OUTCOME_FIELDS, ['content', TEXTS]),
  block('mcp_tool_listing', ['mcp_server_name', 'tools']),
  block('container_upload', ['file_id']),
  block(
    'compaction',
    ['content', 'encrypted_content', 'signature', 'tool_changes'],
    ['tool_changes', new Map([ADDITION, REMOVAL])],
  ),
  block('fallback', ['from', 'to', 'trigger']),
  ADDITION,
  REMOVAL,
]);

/** Results in which the model reads what the body says. */
const PLAIN: Blocks = new Map([
  ...OUTCOMES.map((type) => block(`${type}_error`, ['error_code', 'error_message'])),
  block('code_execution_result', ['stdout', 'stderr', 'return_code', 'content']),
  block('bash_code_execution_result', ['stdout', 'stderr', 'return_code', 'content']),
  block('text_editor_code_execution_view_result', ['content', 'file_type', 'num_lines', 'start_line', 'total_lines']),
  block('text_editor_code_execution_create_result', ['is_file_update']),
  block('text_editor_code_execution_str_replace_result', ['lines', 'new_lines', 'new_start', 'old_lines', 'old_start']),
  block('advisor_result', ['text', 'stop_reason']),
]);

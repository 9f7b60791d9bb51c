/** The content blocks of a prompt, as allow-lists: where each type may occur, its fields, and which field holds blocks again. */

import { isObject, isText, type JsonFields } from '../json/json-access.ts';

export interface BlockType {
  readonly fields: ReadonlySet<string>;
  /** The field that holds blocks again, and the types that it may hold. */
  readonly nested?: readonly [field: string, types: BlockTypes];
}

/** The types of block that a place in the body may hold, by `type`. */
export type BlockTypes = ReadonlyMap<string, BlockType>;

/** Whether the body holds all that the model reads of a server tool's result: nothing encrypted, no file, no image. */
export function isFullyInBody(content: unknown): boolean {
  if (typeof content !== 'object' || content === null || isText(content)) return true;
  if (Array.isArray(content)) return content.every(isFullyInBody);
  const fields = content as JsonFields;
  const known = READABLE_RESULTS.get(fields['type'] as string)?.fields;
  if (known === undefined || (fields['file_type'] ?? 'text') !== 'text') return false;
  const isKnown = Object.entries(fields).every(
    ([name, value]) => value === null || (known.has(name) && (APART.has(name) || isPlain(value))),
  );
  return isKnown && isFullyInBody(fields['content']);
}

/** Whether a result of a server tool with blocks in it has no field that could add more to the prompt than those. */
export function isKnownResult(fields: JsonFields): boolean {
  const known = NESTING_RESULTS.get(fields['type'] as string);
  return known !== undefined && Object.keys(fields).every((name) => known.has(name) || fields[name] === null);
}

/** Fields of a result that are read by rules of their own. */
const APART = new Set(['content', 'cache_control']);

/** Text, a number or lines of them: nothing that a model could read as a block. */
function isPlain(value: unknown): boolean {
  return Array.isArray(value) ? value.every((line) => typeof line !== 'object' || isText(line)) : !isObject(value);
}

function block(type: string, fields: readonly string[], nested?: BlockType['nested']): [string, BlockType] {
  const known = new Set(['type', 'cache_control', ...fields]);
  return [type, nested === undefined ? { fields: known } : { fields: known, nested }];
}

const TEXT = block('text', ['text', 'citations']);
const IMAGE = block('image', ['source', 'transformations']);
const DOCUMENT = block('document', ['source', 'title', 'context', 'citations']);
const ADDITION = block('tool_addition', ['tool']);
const REMOVAL = block('tool_removal', ['tool']);
const REFERENCE = block('tool_reference', ['tool_name']);

/** The blocks of `system`, and of other places that hold text only. */
export const TEXT_BLOCKS: BlockTypes = new Map([TEXT]);

/** The content of a document whose source is `content`. */
export const DOCUMENT_PARTS: BlockTypes = new Map([TEXT, IMAGE]);

/** A document that the web fetch tool returned. */
export const FETCHED_DOCUMENTS: BlockTypes = new Map([DOCUMENT]);

/** References to tools, the result of the tool search tool. */
export const TOOL_REFERENCES: BlockTypes = new Map([REFERENCE]);

const SEARCH_RESULT = block('search_result', ['source', 'title', 'content', 'citations'], ['content', TEXT_BLOCKS]);
const BROWSER_STATE = block('browser_state', ['tabs', 'state_changes']);

const TOOL_RESULT_BLOCKS: BlockTypes = new Map([TEXT, IMAGE, DOCUMENT, SEARCH_RESULT, REFERENCE, BROWSER_STATE]);

const SERVER_TOOL_RESULTS = [
  'web_search_tool_result',
  'web_fetch_tool_result',
  'code_execution_tool_result',
  'bash_code_execution_tool_result',
  'text_editor_code_execution_tool_result',
  'tool_search_tool_result',
  'advisor_tool_result',
];

/** Whether a block of this type is the result of a tool that Anthropic runs. */
export function isServerToolResult(type: string): boolean {
  return SERVER_TOOL_RESULTS.includes(type);
}

const RESULT_FIELDS = ['tool_use_id', 'content', 'is_error', 'caller'];
const USE_FIELDS = ['id', 'name', 'input', 'caller', 'toolset_name'];

export const MESSAGE_BLOCKS: BlockTypes = new Map([
  TEXT,
  IMAGE,
  DOCUMENT,
  SEARCH_RESULT,
  block('thinking', ['thinking', 'signature']),
  block('redacted_thinking', ['data']),
  block('tool_use', USE_FIELDS),
  block('tool_result', ['tool_use_id', 'content', 'is_error', 'toolset_name'], ['content', TOOL_RESULT_BLOCKS]),
  block('server_tool_use', USE_FIELDS),
  ...SERVER_TOOL_RESULTS.map((type) => block(type, RESULT_FIELDS)),
  block('mcp_tool_use', ['id', 'name', 'input', 'server_name']),
  block('mcp_tool_result', RESULT_FIELDS, ['content', TEXT_BLOCKS]),
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

/** Results that hold blocks, with their fields. */
const NESTING_RESULTS: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['tool_search_tool_search_result', new Set(['type', 'tool_references'])],
  ['web_fetch_result', new Set(['type', 'url', 'content', 'retrieved_at'])],
]);

/** Results whose content in the body is what the model reads. */
const READABLE_RESULTS: BlockTypes = new Map([
  ...SERVER_TOOL_RESULTS.map((type) => block(`${type}_error`, ['error_code', 'error_message'])),
  block('code_execution_result', ['stdout', 'stderr', 'return_code', 'content']),
  block('bash_code_execution_result', ['stdout', 'stderr', 'return_code', 'content']),
  block('text_editor_code_execution_view_result', ['content', 'file_type', 'num_lines', 'start_line', 'total_lines']),
  block('text_editor_code_execution_create_result', ['is_file_update']),
  block('text_editor_code_execution_str_replace_result', ['lines', 'new_lines', 'new_start', 'old_lines', 'old_start']),
  block('advisor_result', ['text', 'stop_reason']),
]);

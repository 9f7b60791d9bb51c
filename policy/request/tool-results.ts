/** What the results of tools that Anthropic runs hold, and how much of it the body shows. */

import { isObject, isText, type JsonFields } from '../json/json-access.ts';
import { CACHE_CONTROL, type Shape, shape } from './shape.ts';
import type { UnknownNames } from './unknown-names.ts';

/** The types of block that are such results. */
export const SERVER_TOOL_RESULTS: readonly string[] = [
  'web_search_tool_result',
  'web_fetch_tool_result',
  'code_execution_tool_result',
  'bash_code_execution_tool_result',
  'text_editor_code_execution_tool_result',
  'tool_search_tool_result',
  'advisor_tool_result',
];

/** Whether the body holds all that the model reads of a result: nothing encrypted, no file, no image. */
export function isFullyInBody(content: unknown): boolean {
  if (typeof content !== 'object' || content === null || isText(content)) return true;
  if (Array.isArray(content)) return content.every(isFullyInBody);
  const fields = content as JsonFields;
  const known = READABLE.get(fields['type'] as string);
  if (known === undefined || (fields['file_type'] ?? 'text') !== 'text') return false;
  const isKnown = Object.entries(fields).every(
    ([name, value]) => value === null || (known.has(name) && (APART.has(name) || isPlain(value))),
  );
  return isKnown && isFullyInBody(fields['content']);
}

/** Whether a result with blocks in it has no field that could add more to the prompt than those. */
export function isKnownResult(fields: JsonFields): boolean {
  const known = NESTING.get(fields['type'] as string);
  return known !== undefined && Object.keys(fields).every((name) => known.has(name) || fields[name] === null);
}

/** Notes what is unknown in the content of a result. Blocks in it are read by themselves. */
export function addUnknownResults(content: unknown, path: string, unknown: UnknownNames): void {
  if (Array.isArray(content)) return content.forEach((one, i) => addUnknownResults(one, `${path}[${i}]`, unknown));
  if (!isObject(content)) return;
  const type = content['type'] as string;
  const known = READABLE.get(type) ?? NESTING.get(type) ?? SEALED.get(type);
  if (known === undefined) return unknown.addBlock(content, path);
  unknown.addFields(content, known, path);
  if (!NESTING.has(type)) addUnknownResults(content['content'], `${path}.content`, unknown);
}

/** Fields of a result that are read by rules of their own. */
const APART = new Set(['content', 'cache_control']);

/** Text, a number or lines of them: nothing that a model could read as a block. */
function isPlain(value: unknown): boolean {
  return Array.isArray(value) ? value.every((line) => typeof line !== 'object' || isText(line)) : !isObject(value);
}

type Results = ReadonlyMap<string, Shape>;

function result(type: string, fields: readonly string[]): [string, Shape] {
  return [type, shape(['type', ...fields], { cache_control: CACHE_CONTROL })];
}

/** Results that hold blocks. */
const NESTING: Results = new Map([
  ['tool_search_tool_search_result', shape(['type', 'tool_references'])],
  ['web_fetch_result', shape(['type', 'url', 'content', 'retrieved_at'])],
]);

const OUTPUT = ['stdout', 'stderr', 'return_code', 'content'];

/** Results whose content in the body is what the model reads. */
const READABLE: Results = new Map([
  ...SERVER_TOOL_RESULTS.map((type) => result(`${type}_error`, ['error_code', 'error_message'])),
  result('code_execution_result', OUTPUT),
  result('bash_code_execution_result', OUTPUT),
  result('text_editor_code_execution_view_result', ['content', 'file_type', 'num_lines', 'start_line', 'total_lines']),
  result('text_editor_code_execution_create_result', ['is_file_update']),
  result('text_editor_code_execution_str_replace_result', [
    'lines',
    'new_lines',
    'new_start',
    'old_lines',
    'old_start',
  ]),
  result('advisor_result', ['text', 'stop_reason']),
]);

/** Results that are sealed, or name a file: how much the model reads of them is not known. */
const SEALED: Results = new Map([
  result('web_search_result', ['encrypted_content', 'title', 'url', 'page_age']),
  result('encrypted_code_execution_result', ['encrypted_stdout', ...OUTPUT]),
  result('code_execution_output', ['file_id']),
  result('bash_code_execution_output', ['file_id']),
  result('advisor_redacted_result', ['encrypted_content', 'stop_reason']),
]);

/** The known content blocks of a prompt: where each type may occur, its fields, and which field holds blocks again. */

import { CACHE_CONTROL, CALLER, CITATIONS, REMOTE_TOOL, type Shape, shape } from './shape.ts';
import { SERVER_TOOL_RESULTS } from './tool-results.ts';

export interface BlockType {
  readonly known: Shape;
  /** The field that holds blocks again, and the types that it may hold. */
  readonly nested?: readonly [field: string, types: BlockTypes];
}

/** The types of block that a place in the body may hold, by `type`. */
export type BlockTypes = ReadonlyMap<string, BlockType>;

interface Extra {
  readonly shaped?: Readonly<Record<string, Shape>>;
  readonly nested?: BlockType['nested'];
}

function block(type: string, fields: readonly string[], { shaped = {}, nested }: Extra = {}): [string, BlockType] {
  const known = shape(['type', ...fields], { cache_control: CACHE_CONTROL, ...shaped });
  return [type, nested === undefined ? { known } : { known, nested }];
}

const SOURCE = shape(['type', 'media_type', 'data', 'url', 'file_id', 'content']);

/** Where a text has what it cites. */
const CITED = shape(
  'type cited_text document_index document_title start_char_index end_char_index start_page_number end_page_number start_block_index end_block_index search_result_index source title url encrypted_index file_id'.split(
    ' ',
  ),
);

const TEXT = block('text', ['text'], { shaped: { citations: CITED } });
const IMAGE = block('image', [], { shaped: { source: SOURCE, transformations: shape(['oversized_image']) } });
const DOCUMENT = block('document', ['title', 'context'], { shaped: { source: SOURCE, citations: CITATIONS } });
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

const SEARCH_RESULT = block('search_result', ['source', 'title', 'content'], {
  shaped: { citations: CITATIONS },
  nested: ['content', TEXT_BLOCKS],
});
const BROWSER_STATE = block('browser_state', [], {
  shaped: {
    tabs: shape(['tab_id', 'title', 'url', 'active']),
    state_changes: shape(['type', 'tab_id', 'download_id', 'url', 'path', 'size_bytes', 'error']),
  },
});

const TOOL_RESULT_BLOCKS: BlockTypes = new Map([TEXT, IMAGE, DOCUMENT, SEARCH_RESULT, REFERENCE, BROWSER_STATE]);

const CALLED = { shaped: { caller: CALLER } };
const RESULT_FIELDS = ['tool_use_id', 'content', 'is_error'];
const USE_FIELDS = ['id', 'name', 'input', 'toolset_name'];
const ANSWERED = shape(['model']);

export const MESSAGE_BLOCKS: BlockTypes = new Map([
  TEXT,
  IMAGE,
  DOCUMENT,
  SEARCH_RESULT,
  block('thinking', ['thinking', 'signature']),
  block('redacted_thinking', ['data']),
  block('tool_use', USE_FIELDS, CALLED),
  block('tool_result', [...RESULT_FIELDS, 'toolset_name'], { nested: ['content', TOOL_RESULT_BLOCKS] }),
  block('server_tool_use', USE_FIELDS, CALLED),
  ...SERVER_TOOL_RESULTS.map((type) => block(type, RESULT_FIELDS, CALLED)),
  block('mcp_tool_use', ['id', 'name', 'input', 'server_name']),
  block('mcp_tool_result', RESULT_FIELDS, { ...CALLED, nested: ['content', TEXT_BLOCKS] }),
  block('mcp_tool_listing', ['mcp_server_name'], { shaped: { tools: REMOTE_TOOL } }),
  block('container_upload', ['file_id']),
  block('compaction', ['content', 'encrypted_content', 'signature', 'tool_changes'], {
    nested: ['tool_changes', new Map([ADDITION, REMOVAL])],
  }),
  block('fallback', ['trigger'], { shaped: { from: ANSWERED, to: ANSWERED } }),
  ADDITION,
  REMOVAL,
]);

/**
 * What of `system`, `tools` and `messages` decides the bound of a call. Fields and types are allow-lists: whatever is not
 * known here may bring input that is not in the body, or a charge that is not a token, and is refused by its path.
 */

import { type Span, utf8Length } from './json.ts';
import { MAX_PDF_LENGTH, pdfTokens } from './pdf.ts';
import { MAX_PICTURE_TOKENS, pictureTokens } from './pictures.ts';
import { invalid, listAt, objectAt, onlyFields, onlyValues, quoted, stringAt, unsupported } from './rejection.ts';
import type { JsonFields } from './rejection.ts';
import { isServerTool, readServerTool, runsCodeFree, type ServerTool } from './server-tools.ts';

/** Cache writes that a request asks for, by the longest-lived one. */
export type CacheWrite = 'None' | 'FiveMinutes' | 'OneHour';

/** Running sums over a prompt. */
export class Prompt {
  cacheWrite: CacheWrite = 'None';
  /** Tokens of the prompt that no byte of the body stands for. */
  hiddenTokens = 0;
  /** Bytes of the body that are no text. */
  mediaBytes = 0;
  /** Content that is sealed, or of which nobody knows how long it is: the prompt may fill the context window. */
  fillsContext = false;
  /** Content that is fetched when the call runs: what is counted before may not be what is read. */
  isFetched = false;
  /** Paths in the body of what has no bound at all. */
  readonly unbounded: string[] = [];
  readonly serverTools: ServerTool[] = [];
  /** Code that runs for this request is free. */
  runsCodeFree = false;

  #pictures = 0;
  #pdfLength = 0;
  readonly #tools = new Map<string, JsonFields>();
  readonly #definitionTokens = new Map<string, number>();

  /** `tools`; `spanIn` says where a field of one stands in the body. */
  readTools(value: unknown, spanIn: (index: number, field: string) => Span): void {
    const tools = listAt(value, 'tools').map((entry, i) => objectAt(entry, `tools[${i}]`));
    if (tools.length > 0) this.hiddenTokens += TOOL_PROMPT_TOKENS;
    this.runsCodeFree = runsCodeFree(tools);
    tools.forEach((tool, i) => {
      if (!isServerTool(tool)) return this.#readTool(tool, `tools[${i}]`);
      this.readCacheControl(tool['cache_control'], `tools[${i}].cache_control`);
      this.#addServerTool(readServerTool(tool, i, () => spanIn(i, 'max_uses')));
    });
  }

  /** `system`, or the content of a message or tool result: text, or a list of the blocks in `known`. */
  readContent(value: unknown, known: Blocks, path: string): void {
    if (typeof value === 'string') return;
    listAt(value, path).forEach((entry, i) =>
      this.#readBlock(objectAt(entry, `${path}[${i}]`), known, `${path}[${i}]`),
    );
  }

  /** `messages`; after `readTools`, since they may name tools. */
  readMessages(value: unknown): void {
    listAt(value, 'messages').forEach((entry, i) => {
      const path = `messages[${i}]`;
      const message = objectAt(entry, path);
      onlyFields(message, MESSAGE, path);
      onlyValues(stringAt(message['role'], `${path}.role`), ROLES, `${path}.role`);
      onlyFields(
        objectAt(message['output_config'] ?? {}, `${path}.output_config`),
        TURN_CONFIG,
        `${path}.output_config`,
      );
      this.readContent(message['content'] ?? [], CONTENT, `${path}.content`);
    });
  }

  /** `cache_control`, wherever it stands. */
  readCacheControl(value: unknown, path: string): void {
    if (value === undefined || value === null) return;
    const control = objectAt(value, path);
    onlyFields(control, CACHE_CONTROL, path);
    onlyValues(control['type'], ['ephemeral'], `${path}.type`);
    onlyValues(control['ttl'], ['5m', '1h'], `${path}.ttl`);
    if (control['ttl'] === '1h') this.cacheWrite = 'OneHour';
    else if (this.cacheWrite === 'None') this.cacheWrite = 'FiveMinutes';
  }

  #addServerTool(tool: ServerTool): void {
    const isThere = this.serverTools.some(({ kind }) => kind === tool.kind && kind !== 'Remote');
    if (isThere) throw invalid(`tools[${tool.index}] is there twice.`);
    this.serverTools.push(tool);
    if (this.serverTools.length > MOST_SERVER_TOOLS) {
      throw invalid(`tools must have at most ${MOST_SERVER_TOOLS} that Anthropic runs.`);
    }
  }

  #readTool(tool: JsonFields, path: string): void {
    if (isAnthropicTool(tool)) {
      onlyValues(tool['type'], ANTHROPIC_TOOLS, `${path}.type`);
      this.hiddenTokens += ANTHROPIC_TOOL_TOKENS;
    }
    onlyFields(tool, TOOL, path);
    const callers = listAt(tool['allowed_callers'] ?? [], `${path}.allowed_callers`);
    for (const caller of callers) onlyValues(caller, ['direct'], `${path}.allowed_callers`);
    this.readCacheControl(tool['cache_control'], `${path}.cache_control`);
    const name = stringAt(tool['name'], `${path}.name`);
    if (this.#tools.has(name)) throw invalid(`${path}.name ${quoted(name)} is there twice.`);
    this.#tools.set(name, tool);
  }

  #readBlock(block: JsonFields, known: Blocks, path: string): void {
    const type = stringAt(block['type'], `${path}.type`);
    const fields = known.get(type);
    if (fields === undefined) throw unsupported(`${path}.type ${quoted(type)}`);
    onlyFields(block, fields, path);
    this.readCacheControl(block['cache_control'], `${path}.cache_control`);
    switch (type) {
      case 'tool_use':
        return onlyValues(objectAt(block['caller'] ?? {}, `${path}.caller`)['type'], ['direct'], `${path}.caller.type`);
      case 'tool_result':
        return this.readContent(block['content'] ?? [], RESULT, `${path}.content`);
      case 'tool_reference':
        return this.#expand(stringAt(block['tool_name'], `${path}.tool_name`));
      case 'tool_addition':
        return this.#readAddition(objectAt(block['tool'], `${path}.tool`), `${path}.tool`);
      case 'image':
        return this.#readPicture(objectAt(block['source'], `${path}.source`), `${path}.source`);
      case 'document':
        return this.#readDocument(block, path);
      case 'container_upload':
        return void this.unbounded.push(path);
    }
    if (SEALED.has(type)) this.fillsContext = true;
  }

  #readPicture(source: JsonFields, path: string): void {
    onlyFields(source, SOURCE, path);
    onlyValues(stringAt(source['type'], `${path}.type`), ['base64', 'url', 'file'], `${path}.type`);
    if (source['type'] === 'base64') {
      onlyValues(stringAt(source['media_type'], `${path}.media_type`), PICTURES, `${path}.media_type`);
      const data = stringAt(source['data'], `${path}.data`);
      this.mediaBytes += data.length;
      this.#pictures += 1;
      this.hiddenTokens += this.#pictures > MOST_PICTURES ? MAX_PICTURE_TOKENS : pictureTokens(data);
    } else {
      this.isFetched = true;
      this.hiddenTokens += MAX_PICTURE_TOKENS;
    }
  }

  #readDocument(block: JsonFields, path: string): void {
    const source = objectAt(block['source'], `${path}.source`);
    onlyFields(source, SOURCE, `${path}.source`);
    const citations = objectAt(block['citations'] ?? {}, `${path}.citations`);
    // The text is cut into sentences, and each gets a mark that the body does not have.
    if (citations['enabled'] !== undefined && citations['enabled'] !== false) this.fillsContext = true;
    const type = stringAt(source['type'], `${path}.source.type`);
    switch (type) {
      case 'text':
        return;
      case 'content':
        return this.readContent(source['content'] ?? [], PARTS, `${path}.source.content`);
      case 'base64':
        return this.#readPdf(source, `${path}.source`);
      case 'url':
      case 'file':
        this.isFetched = true;
        this.fillsContext = true;
        return;
    }
    throw unsupported(`${path}.source.type ${quoted(type)}`);
  }

  #readPdf(source: JsonFields, path: string): void {
    onlyValues(stringAt(source['media_type'], `${path}.media_type`), ['application/pdf'], `${path}.media_type`);
    const data = stringAt(source['data'], `${path}.data`);
    this.#pdfLength += data.length;
    const tokens = this.#pdfLength > MAX_PDF_LENGTH ? null : pdfTokens(data);
    this.mediaBytes += data.length;
    if (tokens === null) this.fillsContext = true;
    else this.hiddenTokens += tokens;
  }

  #readAddition(tool: JsonFields, path: string): void {
    onlyValues(stringAt(tool['type'], `${path}.type`), ['tool_reference'], `${path}.type`);
    onlyFields(tool, REFERENCE, path);
    this.#expand(stringAt(tool['name'], `${path}.name`));
  }

  /** A reference puts the tool's whole definition into the prompt again, however short it is itself. */
  #expand(name: string): void {
    const tokens = this.#definitionTokens.get(name) ?? definitionTokens(this.#tools.get(name));
    this.#definitionTokens.set(name, tokens);
    this.hiddenTokens += tokens;
  }
}

/** A name that no tool has stands for nothing: the upstream refuses it. */
function definitionTokens(tool: JsonFields | undefined): number {
  if (tool === undefined) return 0;
  return utf8Length(JSON.stringify(tool)) + (isAnthropicTool(tool) ? ANTHROPIC_TOOL_TOKENS : 0);
}

function isAnthropicTool(tool: JsonFields): boolean {
  return (tool['type'] ?? 'custom') !== 'custom';
}

/** More than the API takes in a request, and few enough to compare each with the others. */
const MOST_SERVER_TOOLS = 64;

/** The longest documented system prompt that `tools` brings along has 675 tokens. */
const TOOL_PROMPT_TOKENS = 1024;

/** Tools that the client runs but whose definition Anthropic holds; the longest documented one has 700 tokens. */
const ANTHROPIC_TOOLS = [
  'bash_20241022',
  'bash_20250124',
  'text_editor_20241022',
  'text_editor_20250124',
  'text_editor_20250429',
  'text_editor_20250728',
];
const ANTHROPIC_TOOL_TOKENS = 1024;

/** The blocks that may stand somewhere: for each type the fields it may have. */
export type Blocks = ReadonlyMap<string, ReadonlySet<string>>;

const TEXT = block('text', 'text', 'cache_control', 'citations');

/** The blocks of `system`. */
export const SYSTEM: Blocks = new Map([TEXT]);

const IMAGE = block('image', 'source', 'cache_control', 'transformations');
const DOCUMENT = block('document', 'source', 'cache_control', 'title', 'context', 'citations');

/** The content of a document that is given in parts. */
const PARTS: Blocks = new Map([TEXT, IMAGE]);

const RESULT: Blocks = new Map([TEXT, IMAGE, DOCUMENT, block('tool_reference', 'tool_name', 'cache_control')]);

/** What Anthropic's tools left in an answer, sent back: some of it is sealed and may stand for more than its bytes. */
const SEALED = new Set([
  'web_search_tool_result',
  'web_fetch_tool_result',
  'code_execution_tool_result',
  'bash_code_execution_tool_result',
  'text_editor_code_execution_tool_result',
  'advisor_tool_result',
  'mcp_tool_result',
  'compaction',
]);

const RESULT_FIELDS = ['tool_use_id', 'content', 'is_error', 'caller', 'cache_control'];

const CONTENT: Blocks = new Map([
  TEXT,
  IMAGE,
  DOCUMENT,
  ...[...SEALED].map((type) => block(type, ...RESULT_FIELDS)),
  block('compaction', 'content', 'encrypted_content', 'signature', 'cache_control'),
  block('server_tool_use', 'id', 'name', 'input', 'caller', 'cache_control'),
  block('mcp_tool_use', 'id', 'name', 'input', 'server_name', 'cache_control'),
  block('container_upload', 'file_id', 'cache_control'),
  block('fallback', 'from', 'to', 'trigger'),
  block('tool_use', 'id', 'name', 'input', 'caller', 'cache_control'),
  block('tool_result', 'tool_use_id', 'content', 'is_error', 'cache_control'),
  block('thinking', 'thinking', 'signature'),
  block('redacted_thinking', 'data'),
  block('tool_addition', 'tool', 'cache_control'),
  block('tool_removal', 'tool', 'cache_control'),
]);

function block(type: string, ...fields: string[]): [string, ReadonlySet<string>] {
  return [type, new Set(['type', ...fields])];
}

/** More than the API takes in a request; further ones are not looked into. */
const MOST_PICTURES = 600;

const SOURCE = new Set(['type', 'media_type', 'data', 'url', 'file_id', 'content']);
const PICTURES = ['image/jpeg', 'image/png', 'image/gif', 'image/webp'];

const ROLES = ['user', 'assistant', 'system'];
const MESSAGE = new Set(['role', 'content', 'output_config', 'clear_at']);
const TURN_CONFIG = new Set(['effort']);
const CACHE_CONTROL = new Set(['type', 'ttl']);
const REFERENCE = new Set(['type', 'name']);
const TOOL = new Set([
  'type',
  'name',
  'description',
  'input_schema',
  'input_examples',
  'cache_control',
  'strict',
  'defer_loading',
  'eager_input_streaming',
  'allowed_callers',
  'max_characters',
]);

/**
 * Reads the parts of `system`, `tools` and `messages` that decide the bound of a call. Fields and types are allow-lists:
 * an unknown one may add input that is not in the body, or a charge that is not a token, and is rejected by its path.
 */

import {
  invalid,
  isText,
  listAt,
  objectAt,
  onlyFields,
  onlyValues,
  quoted,
  stringAt,
  textAt,
  unsupported,
} from '../json/json-access.ts';
import type { JsonFields } from '../json/json-access.ts';
import type { Span } from '../json/value-spans.ts';
import {
  type BlockTypes,
  DOCUMENT_PARTS,
  FETCHED_DOCUMENTS,
  isFullyInBody,
  isKnownResult,
  isServerToolResult,
  MESSAGE_BLOCKS,
  TOOL_REFERENCES,
} from './block-types.ts';
import {
  CALLERS,
  changeType,
  checkClientTool,
  definitionTokens,
  hiddenDefinitionTokens,
  isToolset,
} from './client-tools.ts';
import { ImageMeter, MAX_IMAGE_TOKENS } from './image-tokens.ts';
import { isServerTool, readServerTool, runsCodeFree, type ServerTool } from './server-tools.ts';

/** The longest-lived cache write that a request asks for. */
export type CacheWrite = 'None' | 'FiveMinutes' | 'OneHour';

/** Running sums over a prompt. */
export class PromptReader {
  cacheWrite: CacheWrite = 'None';
  /** Tokens of the prompt without a byte in the body. */
  hiddenTokens = 0;
  /** Bytes of images and PDFs in the body. */
  mediaBytes = 0;
  /** Whether it has encrypted content or content of unknown length: the prompt may fill the context window. */
  fillsContext = false;
  /** Whether it has content that is fetched when the call runs: a count made before may differ. */
  isFetched = false;
  /** It names a file in the upstream's store. */
  namesFile = false;
  /** Paths in the body of what has no bound. */
  readonly unbounded: string[] = [];
  readonly serverTools: ServerTool[] = [];
  runsCodeFree = false;

  readonly #images = new ImageMeter();
  #cites = false;
  /** Tools by name; toolsets, whose tools are not named, under null. */
  readonly #tools = new Map<string | null, NamedTools>();

  /** Reads `tools`; `usesSpan` finds `max_uses` of an entry in the body. */
  readTools(value: unknown, usesSpan: (index: number) => Span): void {
    const tools = listAt(value, 'tools').map((entry, i) => objectAt(entry, `tools[${i}]`));
    if (tools.length > 0) this.hiddenTokens += TOOL_PROMPT_TOKENS;
    this.runsCodeFree = runsCodeFree(tools);
    tools.forEach((tool, i) => {
      if (!isServerTool(tool)) return this.#readTool(tool, `tools[${i}]`, false);
      this.readCacheControl(tool['cache_control'], `tools[${i}].cache_control`);
      this.#addServerTool(readServerTool(tool, i, () => usesSpan(i)));
    });
  }

  /** Reads `system`, or the content of a message or tool result: text, or a list of blocks of the known types. */
  readContent(value: unknown, known: BlockTypes, path: string): void {
    if (isText(value)) return;
    listAt(value, path).forEach((entry, i) =>
      this.#readBlock(objectAt(entry, `${path}[${i}]`), known, `${path}[${i}]`),
    );
  }

  /** Reads one of `messages`; call it after `readTools`, since messages may refer to tools. */
  readMessage(value: unknown, path: string): void {
    const message = objectAt(value, path);
    onlyFields(message, MESSAGE, path);
    onlyValues(stringAt(message['role'], `${path}.role`), ROLES, `${path}.role`);
    onlyFields(objectAt(message['output_config'] ?? {}, `${path}.output_config`), TURN_CONFIG, `${path}.output_config`);
    this.readContent(message['content'] ?? [], MESSAGE_BLOCKS, `${path}.content`);
  }

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
    const isThere = this.serverTools.some(
      ({ kind }) => kind === tool.kind && kind !== 'Remote' && kind !== 'ToolSearch',
    );
    if (isThere) throw invalid(`tools[${tool.index}] is there twice.`);
    this.serverTools.push(tool);
    if (this.serverTools.length > MAX_SERVER_TOOLS) {
      throw invalid(`tools must have at most ${MAX_SERVER_TOOLS} that Anthropic runs.`);
    }
  }

  /** Reads one of `tools`, or a tool that a message defines, where a later one may have the same name. */
  #readTool(tool: JsonFields, path: string, isInline: boolean): void {
    checkClientTool(tool, path);
    this.hiddenTokens += hiddenDefinitionTokens(tool);
    this.readCacheControl(tool['cache_control'], `${path}.cache_control`);
    const callers = listAt(tool['allowed_callers'] ?? [], `${path}.allowed_callers`);
    for (const caller of callers) onlyValues(caller, CALLERS, `${path}.allowed_callers`);
    // Code may call it without limit, and the model reads the whole prompt again after each run.
    if (callers.some((caller) => caller !== 'direct')) this.unbounded.push(`${path}.allowed_callers`);
    const name = isToolset(tool) ? null : stringAt(tool['name'], `${path}.name`);
    const sameName = this.#tools.get(name) ?? { uncounted: [], tokens: 0 };
    if (this.#tools.has(name) && name !== null && !isInline)
      throw invalid(`${path}.name ${quoted(name)} is there twice.`);
    sameName.uncounted.push(tool);
    this.#tools.set(name, sameName);
  }

  #readBlock(block: JsonFields, known: BlockTypes, path: string): void {
    const type = stringAt(block['type'], `${path}.type`);
    const blockType = known.get(type);
    if (blockType === undefined) throw unsupported(`${path}.type ${quoted(type)}`);
    onlyFields(block, blockType.fields, path);
    this.readCacheControl(block['cache_control'], `${path}.cache_control`);
    if (blockType.nested !== undefined) {
      const [field, blocks] = blockType.nested;
      this.readContent(block[field] ?? [], blocks, `${path}.${field}`);
    }
    if (isServerToolResult(type)) return this.#readServerToolResult(block['content'], `${path}.content`);
    this.#measure(type, block, path);
  }

  /** Adds what a block costs beyond its bytes. */
  #measure(type: string, block: JsonFields, path: string): void {
    switch (type) {
      case 'tool_use':
        return onlyValues(objectAt(block['caller'] ?? {}, `${path}.caller`)['type'], CALLERS, `${path}.caller.type`);
      case 'tool_reference':
        return this.#expand(stringAt(block['tool_name'], `${path}.tool_name`));
      case 'tool_addition':
        return this.#addTool(objectAt(block['tool'], `${path}.tool`), `${path}.tool`);
      case 'tool_removal':
        return void changeType(objectAt(block['tool'], `${path}.tool`), `${path}.tool`);
      case 'image':
        return this.#readImage(objectAt(block['source'], `${path}.source`), `${path}.source`);
      case 'document':
        return this.#readDocument(block, path);
      case 'search_result':
        return this.#readCitations(block, path);
      case 'browser_state':
        this.hiddenTokens += BROWSER_STATE_TOKENS;
        return;
      case 'container_upload':
        this.namesFile = true;
        return void this.unbounded.push(path);
      case 'compaction':
        this.#readSealed(block['encrypted_content']);
    }
  }

  /** Reads the result of a tool that Anthropic runs: encrypted or unknown content has no known length. */
  #readServerToolResult(content: unknown, path: string): void {
    this.#readNested(content, path);
    if (isFullyInBody(content)) return;
    const fields = Array.isArray(content) ? {} : (content as JsonFields);
    if (!isKnownResult(fields)) this.fillsContext = true;
    if (fields['type'] === 'tool_search_tool_search_result')
      return this.readContent(fields['tool_references'] ?? [], TOOL_REFERENCES, `${path}.tool_references`);
    if (fields['type'] === 'web_fetch_result')
      return this.#readBlock(objectAt(fields['content'], `${path}.content`), FETCHED_DOCUMENTS, `${path}.content`);
  }

  /** Reads what makes a result dearer at any depth, whether or not the rest of it is known. */
  #readNested(value: unknown, path: string): void {
    if (typeof value !== 'object' || value === null) return;
    const { type, cache_control: control } = value as JsonFields;
    this.readCacheControl(control, `${path}.cache_control`);
    if (type === 'url' || type === 'file') this.isFetched = true;
    if (type === 'file') this.namesFile = true;
    for (const part of Object.values(value)) this.#readNested(part, path);
  }

  #readSealed(content: unknown): void {
    if (isGiven(content)) this.fillsContext = true;
  }

  /** Citations add a prompt. The number that marks each block is shorter than the block's frame in JSON. */
  #readCitations(block: JsonFields, path: string): void {
    const { enabled } = objectAt(block['citations'] ?? {}, `${path}.citations`);
    if (this.#cites || !isGiven(enabled) || enabled === false) return;
    this.#cites = true;
    this.hiddenTokens += CITATION_PROMPT_TOKENS;
  }

  #readImage(source: JsonFields, path: string): void {
    onlyFields(source, SOURCE, path);
    onlyValues(stringAt(source['type'], `${path}.type`), ['base64', 'url', 'file'], `${path}.type`);
    if (source['type'] === 'base64') {
      onlyValues(stringAt(source['media_type'], `${path}.media_type`), IMAGE_TYPES, `${path}.media_type`);
      const data = textAt(source['data'], `${path}.data`);
      this.mediaBytes += data.length;
      this.hiddenTokens += this.#images.tokens(data);
    } else {
      this.isFetched = true;
      if (source['type'] === 'file') this.namesFile = true;
      this.hiddenTokens += MAX_IMAGE_TOKENS;
    }
  }

  #readDocument(block: JsonFields, path: string): void {
    const source = objectAt(block['source'], `${path}.source`);
    onlyFields(source, SOURCE, `${path}.source`);
    const citations = objectAt(block['citations'] ?? {}, `${path}.citations`);
    // The upstream cuts the text into sentences and marks each one; the marks are not in the body.
    if (citations['enabled'] !== undefined && citations['enabled'] !== false) this.fillsContext = true;
    const type = stringAt(source['type'], `${path}.source.type`);
    switch (type) {
      case 'text':
        return;
      case 'content':
        return this.readContent(source['content'] ?? [], DOCUMENT_PARTS, `${path}.source.content`);
      case 'base64':
        return this.#skipPdf(source, `${path}.source`);
      case 'url':
      case 'file':
        this.isFetched = true;
        this.fillsContext = true;
        if (type === 'file') this.namesFile = true;
        return;
    }
    throw unsupported(`${path}.source.type ${quoted(type)}`);
  }

  /** No PDF says how much text its pages hold: a byte of it may stand for many characters, and be shown on every page. */
  #skipPdf(source: JsonFields, path: string): void {
    onlyValues(stringAt(source['media_type'], `${path}.media_type`), ['application/pdf'], `${path}.media_type`);
    this.mediaBytes += textAt(source['data'], `${path}.data`).length;
    this.fillsContext = true;
  }

  #addTool(tool: JsonFields, path: string): void {
    const type = changeType(tool, path);
    if (type === 'tool_definition') {
      this.hiddenTokens += TOOL_PROMPT_TOKENS;
      this.#readTool(objectAt(tool['definition'], `${path}.definition`), `${path}.definition`, true);
    }
    if (type === 'tool_reference') this.#expand(stringAt(tool['name'], `${path}.name`));
  }

  /** Adds a referenced tool's definition, which the upstream repeats. A name without a tool is of a toolset, or refused. */
  #expand(name: string): void {
    const definitions = this.#tools.get(name) ?? this.#tools.get(null);
    if (definitions === undefined) return;
    for (const tool of definitions.uncounted.splice(0)) definitions.tokens += definitionTokens(tool);
    this.hiddenTokens += definitions.tokens;
  }
}

/** The tools of one name; their tokens are counted at the first reference. */
interface NamedTools {
  readonly uncounted: JsonFields[];
  tokens: number;
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/** More than the API takes in a request, and few enough to compare each one with the others. */
const MAX_SERVER_TOOLS = 64;

/** The longest documented system prompt that `tools` adds has 675 tokens. */
const TOOL_PROMPT_TOKENS = 1024;

/** Covers the introduction; the sentence for each tab and event is shorter than its fields in the body. */
const BROWSER_STATE_TOKENS = 1024;

/** The instructions for citations, added once. */
const CITATION_PROMPT_TOKENS = 1024;

const SOURCE = new Set(['type', 'media_type', 'data', 'url', 'file_id', 'content']);
const IMAGE_TYPES = ['image/jpeg', 'image/png', 'image/gif', 'image/webp'];

const ROLES = ['user', 'assistant', 'system'];
const MESSAGE = new Set(['role', 'content', 'output_config', 'clear_at']);
const TURN_CONFIG = new Set(['effort']);
const CACHE_CONTROL = new Set(['type', 'ttl']);

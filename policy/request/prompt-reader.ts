/** Reads the parts of `system`, `tools` and `messages` that decide the bound of a call, and notes what is unknown in them. */

import {
  invalid,
  isGiven,
  isObject,
  isText,
  listAt,
  objectAt,
  quoted,
  stringAt,
  textAt,
  unsupported,
} from '../json/json-access.ts';
import type { JsonFields } from '../json/json-access.ts';
import type { Span } from '../json/value-spans.ts';
import { type BlockTypes, DOCUMENT_PARTS, FETCHED_DOCUMENTS, MESSAGE_BLOCKS, TOOL_REFERENCES } from './block-types.ts';
import { CALLERS, changeType, hiddenDefinitionTokens, isToolset, readClientTool } from './client-tools.ts';
import { ImageMeter, MAX_IMAGE_TOKENS } from './image-tokens.ts';
import { isServerTool, readServerTool, runsCodeFree, type ServerTool } from './server-tools.ts';
import { type Shape, shape } from './shape.ts';
import { ToolDefinitions } from './tool-definitions.ts';
import { addUnknownResults, isFullyInBody, isKnownResult, SERVER_TOOL_RESULTS } from './tool-results.ts';
import type { UnknownNames } from './unknown-names.ts';

/** The longest-lived cache write that a request asks for. */
export type CacheWrite = 'None' | 'FiveMinutes' | 'OneHour';

/** Far above any real use: all of them are looked at in one step. */
const MAX_TOOLS = 10_000;

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
  /** Paths in the body of what has no bound. */
  readonly unbounded: string[] = [];
  readonly serverTools: ServerTool[] = [];
  runsCodeFree = false;

  readonly #unknown: UnknownNames;
  readonly #images = new ImageMeter();
  readonly #tools = new ToolDefinitions();
  #cites = false;

  constructor(unknown: UnknownNames) {
    this.#unknown = unknown;
  }

  /** Reads what `tools` are together; `readTool` reads each. */
  readTools(value: unknown): readonly JsonFields[] {
    const entries = listAt(value, 'tools');
    if (entries.length > MAX_TOOLS) throw invalid(`tools must have at most ${MAX_TOOLS} entries.`);
    const tools = entries.map((entry, i) => objectAt(entry, `tools[${i}]`));
    if (tools.length > 0) this.hiddenTokens += TOOL_PROMPT_TOKENS;
    this.runsCodeFree = runsCodeFree(tools);
    return tools;
  }

  /** Reads one of `tools`; `usesSpan` finds its `max_uses` in the body. */
  readTool(tool: JsonFields, index: number, usesSpan: () => Span): void {
    if (!isServerTool(tool)) return this.#readTool(tool, `tools[${index}]`, false);
    this.readCacheControl(tool['cache_control'], `tools[${index}].cache_control`);
    this.#addServerTool(readServerTool(tool, index, usesSpan, this.#unknown));
  }

  /** Reads `system`, or the content of a message or tool result: text, or a list of blocks of the known types. */
  readContent(value: unknown, known: BlockTypes, path: string): void {
    if (isText(value)) return;
    listAt(value, path).forEach((entry, i) =>
      this.#readBlock(objectAt(entry, `${path}[${i}]`), known, `${path}[${i}]`),
    );
  }

  /**
   * Reads one of `messages` but for its blocks, which it returns: `readMessageBlock` reads each. Call it after the tools,
   * since messages may refer to them.
   */
  readMessage(value: unknown, path: string): readonly unknown[] {
    const message = objectAt(value, path);
    this.#unknown.addFields(message, MESSAGE, path);
    this.#unknown.addValue(stringAt(message['role'], `${path}.role`), ROLES, `${path}.role`);
    const content = message['content'] ?? [];
    return isText(content) ? [] : listAt(content, `${path}.content`);
  }

  readMessageBlock(block: unknown, path: string): void {
    this.#readBlock(objectAt(block, path), MESSAGE_BLOCKS, path);
  }

  /** What the object lacks or has beyond these fields is noted with those of what it belongs to. */
  readCacheControl(value: unknown, path: string): void {
    if (value === undefined || value === null) return;
    const { type, ttl } = isObject(value) ? value : {};
    const isUnknown = this.#unknown.addValue(type, ['ephemeral'], `${path}.type`);
    // A time that may be listed as harmless is not known to be short.
    if (this.#unknown.addValue(ttl, ['5m', '1h'], `${path}.ttl`) || isUnknown || ttl === '1h')
      this.cacheWrite = 'OneHour';
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
    readClientTool(tool, path, this.#unknown);
    this.hiddenTokens += hiddenDefinitionTokens(tool);
    this.readCacheControl(tool['cache_control'], `${path}.cache_control`);
    const callers = listAt(tool['allowed_callers'] ?? [], `${path}.allowed_callers`);
    for (const caller of callers) this.#unknown.addValue(caller, CALLERS, `${path}.allowed_callers`);
    // Code may call it without limit, and the model reads the whole prompt again after each run.
    if (callers.some((caller) => caller !== 'direct')) this.unbounded.push(`${path}.allowed_callers`);
    const name = isToolset(tool) ? null : stringAt(tool['name'], `${path}.name`);
    if (!this.#tools.add(name, tool) && !isInline) throw invalid(`${path}.name ${quoted(name!)} is there twice.`);
  }

  #readBlock(block: JsonFields, known: BlockTypes, path: string): void {
    const type = stringAt(block['type'], `${path}.type`);
    const blockType = known.get(type);
    this.readCacheControl(block['cache_control'], `${path}.cache_control`);
    if (blockType === undefined) return this.#unknown.addBlock(block, path);
    this.#unknown.addFields(block, blockType.known, path);
    if (blockType.nested !== undefined) {
      const [field, blocks] = blockType.nested;
      this.readContent(block[field] ?? [], blocks, `${path}.${field}`);
    }
    if (SERVER_TOOL_RESULTS.includes(type)) return this.#readServerToolResult(block['content'], `${path}.content`);
    this.#measure(type, block, path);
  }

  /** Adds what a block costs beyond its bytes. */
  #measure(type: string, block: JsonFields, path: string): void {
    switch (type) {
      case 'tool_use':
        return this.#readCaller(block['caller'], `${path}.caller.type`);
      case 'tool_reference':
        return this.#expand(block['tool_name'], `${path}.tool_name`);
      case 'tool_addition':
        return this.#addTool(objectAt(block['tool'], `${path}.tool`), `${path}.tool`);
      case 'tool_removal':
        return void changeType(objectAt(block['tool'], `${path}.tool`), `${path}.tool`, this.#unknown);
      case 'image':
        return this.#readImage(objectAt(block['source'], `${path}.source`), `${path}.source`);
      case 'document':
        return this.#readDocument(block, path);
      case 'search_result':
        return this.#readCitations(block);
      case 'browser_state':
        this.hiddenTokens += BROWSER_STATE_TOKENS;
        return;
      case 'container_upload':
        return void this.unbounded.push(path);
      case 'compaction':
        this.#readSealed(block['encrypted_content']);
    }
  }

  /** Reads the result of a tool that Anthropic runs: encrypted or unknown content has no known length. */
  #readServerToolResult(content: unknown, path: string): void {
    this.#readNested(content, path);
    addUnknownResults(content, path, this.#unknown);
    if (isFullyInBody(content)) return;
    const fields = Array.isArray(content) ? {} : (content as JsonFields);
    if (!isKnownResult(fields)) this.fillsContext = true;
    if (fields['type'] === 'tool_search_tool_search_result')
      return this.readContent(fields['tool_references'] ?? [], TOOL_REFERENCES, `${path}.tool_references`);
    if (fields['type'] === 'web_fetch_result' && isGiven(fields['content']))
      return this.#readBlock(objectAt(fields['content'], `${path}.content`), FETCHED_DOCUMENTS, `${path}.content`);
  }

  /** Reads what makes a result dearer at any depth, whether or not the rest of it is known. */
  #readNested(value: unknown, path: string): void {
    if (typeof value !== 'object' || value === null) return;
    const { type, cache_control: control } = value as JsonFields;
    this.readCacheControl(control, `${path}.cache_control`);
    if (type === 'url' || type === 'file') this.isFetched = true;
    for (const part of Object.values(value)) this.#readNested(part, path);
  }

  #readCaller(caller: unknown, path: string): void {
    if (isObject(caller)) this.#unknown.addValue(caller['type'], CALLERS, path);
  }

  #readSealed(content: unknown): void {
    if (isGiven(content)) this.fillsContext = true;
  }

  /** Citations add a prompt. The number that marks each block is shorter than the block's frame in JSON. */
  #readCitations(block: JsonFields): void {
    if (this.#cites || !isCited(block)) return;
    this.#cites = true;
    this.hiddenTokens += CITATION_PROMPT_TOKENS;
  }

  #readImage(source: JsonFields, path: string): void {
    const { type, media_type: mediaType } = source;
    if (type === 'base64' && !this.#unknown.addValue(mediaType, IMAGE_TYPES, `${path}.media_type`)) {
      const data = textAt(source['data'], `${path}.data`);
      this.mediaBytes += data.length;
      this.hiddenTokens += this.#images.tokens(data);
      return;
    }
    if (type !== 'base64') this.isFetched = true;
    this.#addSource(source, ['base64', 'url', 'file'], path);
    this.hiddenTokens += MAX_IMAGE_TOKENS;
  }

  /** Notes an unknown type of source, which may bring anything. */
  #addSource(source: JsonFields, known: readonly string[], path: string): void {
    if (!known.includes(stringAt(source['type'], `${path}.type`))) this.#unknown.addBlock(source, path);
  }

  #readDocument(block: JsonFields, path: string): void {
    const source = objectAt(block['source'], `${path}.source`);
    // The upstream cuts the text into sentences and marks each one; the marks are not in the body.
    if (isCited(block)) this.fillsContext = true;
    switch (source['type']) {
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
        return;
    }
    this.fillsContext = true;
    this.#addSource(source, [], `${path}.source`);
  }

  /** No PDF says how much text its pages hold: a byte of it may stand for many characters, and be shown on every page. */
  #skipPdf(source: JsonFields, path: string): void {
    this.fillsContext = true;
    if (this.#unknown.addValue(source['media_type'], ['application/pdf'], `${path}.media_type`)) return;
    this.mediaBytes += textAt(source['data'], `${path}.data`).length;
  }

  #addTool(tool: JsonFields, path: string): void {
    const type = changeType(tool, path, this.#unknown);
    if (type === 'tool_definition') {
      const definition = objectAt(tool['definition'], `${path}.definition`);
      // Only those of `tools` have bounds, and models that are checked.
      if (isServerTool(definition)) throw unsupported(`${path}.definition.type ${quoted(String(definition['type']))}`);
      this.hiddenTokens += TOOL_PROMPT_TOKENS;
      this.#readTool(definition, `${path}.definition`, true);
    }
    if (type === 'tool_reference') this.#expand(tool['name'], `${path}.name`);
  }

  /** Adds a referenced tool's definition, which the upstream repeats. */
  #expand(name: unknown, path: string): void {
    this.hiddenTokens += this.#tools.tokensOf(stringAt(name, path));
  }
}

function isCited({ citations }: JsonFields): boolean {
  if (!isObject(citations)) return isGiven(citations);
  return isGiven(citations['enabled']) && citations['enabled'] !== false;
}

/** More than the API takes in a request, and few enough to compare each one with the others. */
const MAX_SERVER_TOOLS = 64;

/** The longest documented system prompt that `tools` adds has 675 tokens. */
const TOOL_PROMPT_TOKENS = 1024;

/** Covers the introduction; the sentence for each tab and event is shorter than its fields in the body. */
const BROWSER_STATE_TOKENS = 1024;

/** The instructions for citations, added once. */
const CITATION_PROMPT_TOKENS = 1024;

const IMAGE_TYPES = ['image/jpeg', 'image/png', 'image/gif', 'image/webp'];

const ROLES = ['user', 'assistant', 'system'];
const MESSAGE: Shape = shape(['role', 'content', 'clear_at'], { output_config: shape(['effort']) });

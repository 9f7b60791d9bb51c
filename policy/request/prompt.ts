/**
 * What of `system`, `tools` and `messages` decides the bound of a call. Fields and types are allow-lists: whatever is not
 * known here may bring input that is not in the body, or a charge that is not a token, and is refused by its path.
 */

import { CALLERS, checkClientTool, definitionTokens, heldTokens, isToolset } from './client-tools.ts';
import { type Blocks, CONTENT, FETCHED, isOutcome, isPlain, PARTS, REFERENCES } from './content-blocks.ts';
import { MAX_IMAGE_TOKENS, imageTokens } from './images.ts';
import { invalid, listAt, objectAt, onlyFields, onlyValues, quoted, stringAt, unsupported } from './json-access.ts';
import type { JsonFields } from './json-access.ts';
import { MAX_PDF_LENGTH, pdfTokens } from './pdf.ts';
import { isServerTool, readServerTool, runsCodeFree, type ServerTool } from './server-tools.ts';
import type { Span } from './strict-json.ts';

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
  #cites = false;
  /** Tools by name; those of toolsets, which are not named one by one, under null. */
  readonly #tools = new Map<string | null, Definitions>();

  /** `tools`; `spanIn` says where a field of one stands in the body. */
  readTools(value: unknown, spanIn: (index: number, field: string) => Span): void {
    const tools = listAt(value, 'tools').map((entry, i) => objectAt(entry, `tools[${i}]`));
    if (tools.length > 0) this.hiddenTokens += TOOL_PROMPT_TOKENS;
    this.runsCodeFree = runsCodeFree(tools);
    tools.forEach((tool, i) => {
      if (!isServerTool(tool)) return this.#readTool(tool, `tools[${i}]`, false);
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
    const isThere = this.serverTools.some(
      ({ kind }) => kind === tool.kind && kind !== 'Remote' && kind !== 'ToolSearch',
    );
    if (isThere) throw invalid(`tools[${tool.index}] is there twice.`);
    this.serverTools.push(tool);
    if (this.serverTools.length > MOST_SERVER_TOOLS) {
      throw invalid(`tools must have at most ${MOST_SERVER_TOOLS} that Anthropic runs.`);
    }
  }

  /** One of `tools`, or one that is defined in the midst of a conversation, where a later one may have its name. */
  #readTool(tool: JsonFields, path: string, isInline: boolean): void {
    checkClientTool(tool, path);
    this.hiddenTokens += heldTokens(tool);
    this.readCacheControl(tool['cache_control'], `${path}.cache_control`);
    const callers = listAt(tool['allowed_callers'] ?? [], `${path}.allowed_callers`);
    for (const caller of callers) onlyValues(caller, CALLERS, `${path}.allowed_callers`);
    // Code calls it as often as it likes, and the model reads all of it again after each run.
    if (callers.some((caller) => caller !== 'direct')) this.unbounded.push(`${path}.allowed_callers`);
    const name = isToolset(tool) ? null : stringAt(tool['name'], `${path}.name`);
    const namesakes = this.#tools.get(name) ?? { unread: [], tokens: 0 };
    if (this.#tools.has(name) && name !== null && !isInline)
      throw invalid(`${path}.name ${quoted(name)} is there twice.`);
    namesakes.unread.push(tool);
    this.#tools.set(name, namesakes);
  }

  #readBlock(block: JsonFields, known: Blocks, path: string): void {
    const type = stringAt(block['type'], `${path}.type`);
    const shape = known.get(type);
    if (shape === undefined) throw unsupported(`${path}.type ${quoted(type)}`);
    onlyFields(block, shape.fields, path);
    this.readCacheControl(block['cache_control'], `${path}.cache_control`);
    if (shape.inner !== undefined) {
      const [field, blocks] = shape.inner;
      this.readContent(block[field] ?? [], blocks, `${path}.${field}`);
    }
    if (isOutcome(type)) return this.#readOutcome(block['content'], `${path}.content`);
    this.#measure(type, block, path);
  }

  /** What of a block is not in its bytes. */
  #measure(type: string, block: JsonFields, path: string): void {
    switch (type) {
      case 'tool_use':
        return onlyValues(objectAt(block['caller'] ?? {}, `${path}.caller`)['type'], CALLERS, `${path}.caller.type`);
      case 'tool_reference':
        return this.#expand(stringAt(block['tool_name'], `${path}.tool_name`));
      case 'tool_addition':
        return this.#readAddition(objectAt(block['tool'], `${path}.tool`), `${path}.tool`);
      case 'image':
        return this.#readPicture(objectAt(block['source'], `${path}.source`), `${path}.source`);
      case 'document':
        return this.#readDocument(block, path);
      case 'search_result':
        return this.#readCitations(block, path);
      case 'browser_state':
        this.hiddenTokens += BROWSER_STATE_TOKENS;
        return;
      case 'container_upload':
        return void this.unbounded.push(path);
      case 'compaction':
        if (isGiven(block['encrypted_content'])) this.fillsContext = true;
    }
  }

  /** What a tool that Anthropic runs left in an answer: what is sealed or not understood may be as long as it likes. */
  #readOutcome(content: unknown, path: string): void {
    if (isPlain(content)) return;
    const fields = Array.isArray(content) ? {} : (content as JsonFields);
    if (fields['type'] === 'tool_search_tool_search_result')
      return this.readContent(fields['tool_references'] ?? [], REFERENCES, `${path}.tool_references`);
    if (fields['type'] === 'web_fetch_result')
      return this.#readBlock(objectAt(fields['content'], `${path}.content`), FETCHED, `${path}.content`);
    this.fillsContext = true;
  }

  /** Each block of a search result is marked by its number, for which the frame of the block is longer. */
  #readCitations(block: JsonFields, path: string): void {
    const { enabled } = objectAt(block['citations'] ?? {}, `${path}.citations`);
    if (this.#cites || !isGiven(enabled) || enabled === false) return;
    this.#cites = true;
    this.hiddenTokens += CITATION_PROMPT_TOKENS;
  }

  #readPicture(source: JsonFields, path: string): void {
    onlyFields(source, SOURCE, path);
    onlyValues(stringAt(source['type'], `${path}.type`), ['base64', 'url', 'file'], `${path}.type`);
    if (source['type'] === 'base64') {
      onlyValues(stringAt(source['media_type'], `${path}.media_type`), PICTURES, `${path}.media_type`);
      const data = stringAt(source['data'], `${path}.data`);
      this.mediaBytes += data.length;
      this.#pictures += 1;
      this.hiddenTokens += this.#pictures > MOST_PICTURES ? MAX_IMAGE_TOKENS : imageTokens(data);
    } else {
      this.isFetched = true;
      this.hiddenTokens += MAX_IMAGE_TOKENS;
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
    const type = stringAt(tool['type'], `${path}.type`);
    const fields = ADDED.get(type);
    if (fields === undefined) throw unsupported(`${path}.type ${quoted(type)}`);
    onlyFields(tool, fields, path);
    if (type === 'tool_definition') {
      this.hiddenTokens += TOOL_PROMPT_TOKENS;
      this.#readTool(objectAt(tool['definition'], `${path}.definition`), `${path}.definition`, true);
    }
    if (type === 'tool_reference') this.#expand(stringAt(tool['name'], `${path}.name`));
  }

  /**
   * A reference puts the tool's whole definition into the prompt again, however short it is itself. A name that no tool
   * has is one of a toolset or stands for nothing: the upstream refuses it.
   */
  #expand(name: string): void {
    const definitions = this.#tools.get(name) ?? this.#tools.get(null);
    if (definitions === undefined) return;
    for (const tool of definitions.unread.splice(0)) definitions.tokens += definitionTokens(tool);
    this.hiddenTokens += definitions.tokens;
  }
}

/** What goes by one name, measured when it is first referred to. */
interface Definitions {
  readonly unread: JsonFields[];
  tokens: number;
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/** More than the API takes in a request, and few enough to compare each with the others. */
const MOST_SERVER_TOOLS = 64;

/** The longest documented system prompt that `tools` brings along has 675 tokens. */
const TOOL_PROMPT_TOKENS = 1024;

/** The upstream writes a sentence for each tab and event; their fields in the body are longer than what it adds. */
const BROWSER_STATE_TOKENS = 1024;

/** How to cite is explained once. */
const CITATION_PROMPT_TOKENS = 1024;

/** More than the API takes in a request; further ones are not looked into. */
const MOST_PICTURES = 600;

const SOURCE = new Set(['type', 'media_type', 'data', 'url', 'file_id', 'content']);
const PICTURES = ['image/jpeg', 'image/png', 'image/gif', 'image/webp'];

const ROLES = ['user', 'assistant', 'system'];
const MESSAGE = new Set(['role', 'content', 'output_config', 'clear_at']);
const TURN_CONFIG = new Set(['effort']);
const CACHE_CONTROL = new Set(['type', 'ttl']);

/** What may be added in the midst of a conversation; what a remote server has is unbounded by its toolset. */
const ADDED: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['tool_reference', new Set(['type', 'name'])],
  ['tool_definition', new Set(['type', 'definition'])],
  ['mcp_tool_reference', new Set(['type', 'name', 'server_name'])],
  ['mcp_toolset_reference', new Set(['type', 'server_name'])],
]);

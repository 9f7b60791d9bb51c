/** Tools that the caller runs: its own, defined in the body, and Anthropic's, whose definition the upstream adds. */

import { type JsonFields, onlyFields, quoted, stringAt, unsupported } from '../json/json-access.ts';
import { jsonLength } from '../json/json-length.ts';

/** Checks a definition at a path of the body. Throws `RequestRejected` for an unknown type or field. */
export function checkClientTool(tool: JsonFields, path: string): void {
  const type = stringAt(tool['type'] ?? 'custom', `${path}.type`);
  const kind = TOOLS.get(type);
  if (kind === undefined) throw unsupported(`${path}.type ${quoted(type)}`);
  onlyFields(tool, kind.fields, path);
}

/** The type of a tool that a message adds or removes. Throws `RequestRejected` for an unknown type or field. */
export function changeType(tool: JsonFields, path: string): string {
  const type = stringAt(tool['type'], `${path}.type`);
  const fields = CHANGES.get(type);
  if (fields === undefined) throw unsupported(`${path}.type ${quoted(type)}`);
  onlyFields(tool, fields, path);
  return type;
}

/** Tools that a message may add or remove; those of a remote server are unbounded through its toolset. */
const CHANGES: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['tool_reference', new Set(['type', 'name'])],
  ['tool_definition', new Set(['type', 'definition'])],
  ['mcp_tool_reference', new Set(['type', 'name', 'server_name'])],
  ['mcp_toolset_reference', new Set(['type', 'server_name'])],
]);

/** Tokens of the definition that the upstream adds for one of Anthropic's tools; 0 for one of the caller's own. */
export function hiddenDefinitionTokens(tool: JsonFields): number {
  return TOOLS.get((tool['type'] ?? 'custom') as string)?.tokens ?? 0;
}

/** Tokens of a tool's definition, in the body and hidden. */
export function definitionTokens(tool: JsonFields): number {
  return jsonLength(tool) + hiddenDefinitionTokens(tool);
}

/** Whether the entry is a toolset: several tools, and no name of its own. */
export function isToolset({ type }: JsonFields): boolean {
  return typeof type === 'string' && TOOLS.get(type)?.fields === TOOLSET;
}

/** The callers of a tool: the model, or code that the model runs. */
export const CALLERS: readonly string[] = [
  'direct',
  'code_execution_20250825',
  'code_execution_20260120',
  'code_execution_20260521',
];

interface Kind {
  readonly fields: ReadonlySet<string>;
  readonly tokens: number;
}

const COMMON = ['type', 'name', 'cache_control', 'strict', 'defer_loading', 'allowed_callers', 'input_examples'];
const CUSTOM = new Set([...COMMON, 'description', 'input_schema', 'eager_input_streaming']);
const BUILT_IN = new Set(COMMON);
const EDITOR = new Set([...COMMON, 'max_characters']);
const COMPUTER = new Set([...COMMON, 'display_width_px', 'display_height_px', 'display_number', 'enable_zoom']);
const TOOLSET = new Set(['type', 'cache_control', 'configs']);

/** The longest documented definition has 700 tokens. */
const SMALL = 1024;
/** The documented one has 735 tokens and a system prompt of 500; for the others nothing is published. */
const LARGE = 4096;

const TOOLS: ReadonlyMap<string, Kind> = new Map([
  ['custom', { fields: CUSTOM, tokens: 0 }],
  ['bash_20241022', { fields: BUILT_IN, tokens: SMALL }],
  ['bash_20250124', { fields: BUILT_IN, tokens: SMALL }],
  ['text_editor_20241022', { fields: BUILT_IN, tokens: SMALL }],
  ['text_editor_20250124', { fields: BUILT_IN, tokens: SMALL }],
  ['text_editor_20250429', { fields: BUILT_IN, tokens: SMALL }],
  ['text_editor_20250728', { fields: EDITOR, tokens: SMALL }],
  ['memory_20250818', { fields: BUILT_IN, tokens: LARGE }],
  ['computer_20241022', { fields: COMPUTER, tokens: LARGE }],
  ['computer_20250124', { fields: COMPUTER, tokens: LARGE }],
  ['computer_20251124', { fields: COMPUTER, tokens: LARGE }],
  // Documented as about 4,500 and about 6,600.
  ['computer_toolset_20260801', { fields: TOOLSET, tokens: 8192 }],
  ['browser_toolset_20260801', { fields: TOOLSET, tokens: 12_288 }],
]);

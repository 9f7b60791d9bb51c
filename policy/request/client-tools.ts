/** Tools that the caller runs: its own, defined in the body, and Anthropic's, whose definition the upstream adds. */

import { type JsonFields, stringAt } from '../json/json-access.ts';
import { jsonLength } from '../json/json-length.ts';
import { CACHE_CONTROL, type Shape, shape } from './shape.ts';
import type { UnknownNames } from './unknown-names.ts';

/** Notes what is unknown in a definition at a path of the body. Throws `RequestRejected` for a type that is no string. */
export function readClientTool(tool: JsonFields, path: string, unknown: UnknownNames): void {
  const kind = TOOLS.get(stringAt(tool['type'] ?? 'custom', `${path}.type`));
  if (kind === undefined) unknown.addTool(tool, path);
  else unknown.addFields(tool, kind.shape, path);
}

/** The type of a tool that a message adds or removes; notes what is unknown in it. */
export function changeType(tool: JsonFields, path: string, unknown: UnknownNames): string {
  const type = stringAt(tool['type'], `${path}.type`);
  const known = CHANGES.get(type);
  if (known === undefined) unknown.addTool(tool, path);
  else unknown.addFields(tool, known, path);
  return type;
}

/** Tools that a message may add or remove; those of a remote server are unbounded through its toolset. */
const CHANGES: ReadonlyMap<string, Shape> = new Map([
  ['tool_reference', shape(['type', 'name'])],
  ['tool_definition', shape(['type', 'definition'])],
  ['mcp_tool_reference', shape(['type', 'name', 'server_name'])],
  ['mcp_toolset_reference', shape(['type', 'server_name'])],
]);

/**
 * Tokens of the definition that the upstream adds for one of Anthropic's tools; 0 for one of the caller's own. One of an
 * unknown type, which may be listed as harmless, has no larger one than those that are known.
 */
export function hiddenDefinitionTokens(tool: JsonFields): number {
  return TOOLS.get((tool['type'] ?? 'custom') as string)?.tokens ?? LARGEST;
}

/** Tokens of a tool's definition, in the body and hidden. */
export function definitionTokens(tool: JsonFields): number {
  return jsonLength(tool) + hiddenDefinitionTokens(tool);
}

/** Whether the entry is a toolset: several tools, and no name of its own. One of an unknown type may be. */
export function isToolset({ type }: JsonFields): boolean {
  const kind = TOOLS.get((type ?? 'custom') as string);
  return kind === undefined || kind.shape === TOOLSET;
}

/** The callers of a tool: the model, or code that the model runs. */
export const CALLERS: readonly string[] = [
  'direct',
  'code_execution_20250825',
  'code_execution_20260120',
  'code_execution_20260521',
];

interface Kind {
  readonly shape: Shape;
  readonly tokens: number;
}

const COMMON = ['type', 'name', 'strict', 'defer_loading', 'allowed_callers', 'input_examples'];
const CACHED = { cache_control: CACHE_CONTROL };
const CUSTOM = shape([...COMMON, 'description', 'input_schema', 'eager_input_streaming'], CACHED);
const BUILT_IN = shape(COMMON, CACHED);
const EDITOR = shape([...COMMON, 'max_characters'], CACHED);
const COMPUTER = shape([...COMMON, 'display_width_px', 'display_height_px', 'display_number', 'enable_zoom'], CACHED);
/** What is said of a tool of a toolset. */
export const TOOL_CONFIG: Shape = shape(['enabled', 'defer_loading']);
const TOOLSET = shape(['type'], { ...CACHED, configs: shape([], { '*': TOOL_CONFIG }) });

/** The longest documented definition has 700 tokens. */
const SMALL = 1024;
/** The documented one has 735 tokens and a system prompt of 500; for the others nothing is published. */
const LARGE = 4096;
/** Documented as about 6,600. */
const LARGEST = 12_288;

const TOOLS: ReadonlyMap<string, Kind> = new Map([
  ['custom', { shape: CUSTOM, tokens: 0 }],
  ['bash_20241022', { shape: BUILT_IN, tokens: SMALL }],
  ['bash_20250124', { shape: BUILT_IN, tokens: SMALL }],
  ['text_editor_20241022', { shape: BUILT_IN, tokens: SMALL }],
  ['text_editor_20250124', { shape: BUILT_IN, tokens: SMALL }],
  ['text_editor_20250429', { shape: BUILT_IN, tokens: SMALL }],
  ['text_editor_20250728', { shape: EDITOR, tokens: SMALL }],
  ['memory_20250818', { shape: BUILT_IN, tokens: LARGE }],
  ['computer_20241022', { shape: COMPUTER, tokens: LARGE }],
  ['computer_20250124', { shape: COMPUTER, tokens: LARGE }],
  ['computer_20251124', { shape: COMPUTER, tokens: LARGE }],
  // Documented as about 4,500.
  ['computer_toolset_20260801', { shape: TOOLSET, tokens: 8192 }],
  ['browser_toolset_20260801', { shape: TOOLSET, tokens: LARGEST }],
]);

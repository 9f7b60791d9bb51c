/**
 * Tools that Anthropic runs. Each use adds input that is not in the body, and the model reads the whole prompt again. So
 * the bound of such a request is a number of inferences over a full context window; without `max_uses` it has none.
 */

import { countAt, invalid, isObject, type JsonFields, modelAt } from '../json/json-access.ts';
import type { Span } from '../json/value-spans.ts';
import { TOOL_CONFIG } from './client-tools.ts';
import { CACHE_CONTROL, CITATIONS, REMOTE_TOOL, type Shape, shape } from './shape.ts';
import type { UnknownNames } from './unknown-names.ts';

/** One entry of `tools` that Anthropic runs. */
export interface ServerTool {
  readonly kind: 'WebSearch' | 'WebFetch' | 'CodeExecution' | 'ToolSearch' | 'Advisor' | 'Remote';
  /** Index in `tools`. */
  readonly index: number;
  /** `max_uses`; null if absent. */
  readonly maxUses: number | null;
  /** Further inferences that one use can cause. */
  readonly inferencesPerUse: number;
  readonly advisor: Advisor | null;
  /** Where `max_uses` is in the body or can be inserted; null for a tool that has no such field. */
  readonly maxUsesSpan: Span | null;
}

/** The model that an advisor tool asks. */
export interface Advisor {
  readonly model: string;
  /** Null for the model's maximum. */
  readonly maxTokens: number | null;
}

export function isServerTool({ type }: JsonFields): boolean {
  return typeof type === 'string' && TOOLS.has(type);
}

/** Reads an entry of `tools` for which `isServerTool` holds; `spanOf` finds `max_uses` in the body. Throws `RequestRejected`. */
export function readServerTool(tool: JsonFields, index: number, spanOf: () => Span, unknown: UnknownNames): ServerTool {
  const path = `tools[${index}]`;
  const { kind, known, runsCode } = TOOLS.get(tool['type'] as string)!;
  unknown.addFields(tool, known, path);
  const bounded = known.has('max_uses');
  return {
    kind,
    index,
    maxUses: bounded && tool['max_uses'] != null ? readUses(tool['max_uses'], `${path}.max_uses`) : null,
    inferencesPerUse: runsCode ? 2 : 1,
    advisor: kind === 'Advisor' ? readAdvisor(tool, path, unknown) : null,
    maxUsesSpan: bounded ? spanOf() : null,
  };
}

/** Whether code execution is free: in a request with one of the web tools that run code themselves. */
export function runsCodeFree(tools: readonly JsonFields[]): boolean {
  return tools.some(({ type }) => typeof type === 'string' && TOOLS.get(type)?.runsCode === true);
}

/** Far above any real use, and small enough that a counter can hold the cost. */
const MAX_USES = 1000;

/** How often a tool may be used, at a path of the body. */
function readUses(value: unknown, path: string): number {
  const uses = countAt(value, path);
  if (uses > MAX_USES) throw invalid(`${path} must be at most ${MAX_USES}.`);
  return uses;
}

function readAdvisor(tool: JsonFields, path: string, unknown: UnknownNames): Advisor {
  const caching = isObject(tool['caching']) ? tool['caching'] : {};
  unknown.addValue(caching['type'], ['ephemeral'], `${path}.caching.type`);
  unknown.addValue(caching['ttl'], ['5m', '1h'], `${path}.caching.ttl`);
  const maxTokens = tool['max_tokens'] ?? null;
  return {
    model: modelAt(tool['model'], `${path}.model`),
    maxTokens: maxTokens === null ? null : countAt(maxTokens, `${path}.max_tokens`),
  };
}

interface Kind {
  readonly kind: ServerTool['kind'];
  readonly known: Shape;
  /** Whether it runs code between its uses, which is one more inference each. */
  readonly runsCode: boolean;
}

const COMMON = ['type', 'name', 'defer_loading', 'strict', 'allowed_callers'];
const CACHED = { cache_control: CACHE_CONTROL };
const WEB = [...COMMON, 'max_uses', 'allowed_domains', 'blocked_domains', 'response_inclusion'];
const SEARCH = shape(WEB, { ...CACHED, user_location: shape(['type', 'city', 'country', 'region', 'timezone']) });
const SOURCES = shape(['type'], { tools: shape(['type', 'name']) });
const FETCH = shape([...WEB, 'max_content_tokens', 'use_cache'], {
  ...CACHED,
  citations: CITATIONS,
  url_sources: shape([], { client_tool_results: SOURCES, server_tool_results: SOURCES, user_input: SOURCES }),
});
const PLAIN = shape(COMMON, CACHED);
const ADVISOR = shape([...COMMON, 'model', 'max_uses', 'max_tokens'], { ...CACHED, caching: CACHE_CONTROL });
const REMOTE = shape(['type', 'mcp_server_name'], {
  ...CACHED,
  configs: shape([], { '*': TOOL_CONFIG }),
  default_config: TOOL_CONFIG,
  tools: REMOTE_TOOL,
});

const TOOLS: ReadonlyMap<string, Kind> = new Map([
  ['web_search_20250305', { kind: 'WebSearch', known: SEARCH, runsCode: false }],
  ['web_search_20260209', { kind: 'WebSearch', known: SEARCH, runsCode: true }],
  ['web_search_20260318', { kind: 'WebSearch', known: SEARCH, runsCode: true }],
  ['web_fetch_20250910', { kind: 'WebFetch', known: FETCH, runsCode: false }],
  ['web_fetch_20260209', { kind: 'WebFetch', known: FETCH, runsCode: true }],
  ['web_fetch_20260309', { kind: 'WebFetch', known: FETCH, runsCode: true }],
  ['web_fetch_20260318', { kind: 'WebFetch', known: FETCH, runsCode: true }],
  ['code_execution_20250522', { kind: 'CodeExecution', known: PLAIN, runsCode: false }],
  ['code_execution_20250825', { kind: 'CodeExecution', known: PLAIN, runsCode: false }],
  ['code_execution_20260120', { kind: 'CodeExecution', known: PLAIN, runsCode: false }],
  ['code_execution_20260521', { kind: 'CodeExecution', known: PLAIN, runsCode: false }],
  ['tool_search_tool_bm25', { kind: 'ToolSearch', known: PLAIN, runsCode: false }],
  ['tool_search_tool_bm25_20251119', { kind: 'ToolSearch', known: PLAIN, runsCode: false }],
  ['tool_search_tool_regex', { kind: 'ToolSearch', known: PLAIN, runsCode: false }],
  ['tool_search_tool_regex_20251119', { kind: 'ToolSearch', known: PLAIN, runsCode: false }],
  ['advisor_20260301', { kind: 'Advisor', known: ADVISOR, runsCode: false }],
  ['mcp_toolset', { kind: 'Remote', known: REMOTE, runsCode: false }],
]);

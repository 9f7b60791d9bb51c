/**
 * Tools that Anthropic runs. Each use adds input that is not in the body, and the model reads the whole prompt again. So
 * the bound of such a request is a number of inferences over a full context window; without `max_uses` it has none.
 */

import { countAt, invalid, type JsonFields, modelAt, objectAt, onlyFields, onlyValues } from '../json/json-access.ts';
import type { Span } from '../json/value-spans.ts';

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
export function readServerTool(tool: JsonFields, index: number, spanOf: () => Span): ServerTool {
  const path = `tools[${index}]`;
  const { kind, fields, runsCode } = TOOLS.get(tool['type'] as string)!;
  onlyFields(tool, fields, path);
  const bounded = fields.has('max_uses');
  return {
    kind,
    index,
    maxUses: bounded && tool['max_uses'] != null ? readUses(tool['max_uses'], `${path}.max_uses`) : null,
    inferencesPerUse: runsCode ? 2 : 1,
    advisor: kind === 'Advisor' ? readAdvisor(tool, path) : null,
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

function readAdvisor(tool: JsonFields, path: string): Advisor {
  const caching = objectAt(tool['caching'] ?? {}, `${path}.caching`);
  onlyFields(caching, CACHING, `${path}.caching`);
  onlyValues(caching['type'], ['ephemeral'], `${path}.caching.type`);
  onlyValues(caching['ttl'], ['5m', '1h'], `${path}.caching.ttl`);
  const maxTokens = tool['max_tokens'] ?? null;
  return {
    model: modelAt(tool['model'], `${path}.model`),
    maxTokens: maxTokens === null ? null : countAt(maxTokens, `${path}.max_tokens`),
  };
}

const CACHING = new Set(['type', 'ttl']);

interface Kind {
  readonly kind: ServerTool['kind'];
  readonly fields: ReadonlySet<string>;
  /** Whether it runs code between its uses, which is one more inference each. */
  readonly runsCode: boolean;
}

const COMMON = ['type', 'name', 'cache_control', 'defer_loading', 'strict', 'allowed_callers'];
const WEB = [...COMMON, 'max_uses', 'allowed_domains', 'blocked_domains', 'response_inclusion'];
const SEARCH = new Set([...WEB, 'user_location']);
const FETCH = new Set([...WEB, 'citations', 'max_content_tokens', 'url_sources', 'use_cache']);
const PLAIN = new Set(COMMON);
const ADVISOR = new Set([...COMMON, 'model', 'max_uses', 'max_tokens', 'caching']);
const REMOTE = new Set(['type', 'mcp_server_name', 'configs', 'default_config', 'tools', 'cache_control']);

const TOOLS: ReadonlyMap<string, Kind> = new Map([
  ['web_search_20250305', { kind: 'WebSearch', fields: SEARCH, runsCode: false }],
  ['web_search_20260209', { kind: 'WebSearch', fields: SEARCH, runsCode: true }],
  ['web_search_20260318', { kind: 'WebSearch', fields: SEARCH, runsCode: true }],
  ['web_fetch_20250910', { kind: 'WebFetch', fields: FETCH, runsCode: false }],
  ['web_fetch_20260209', { kind: 'WebFetch', fields: FETCH, runsCode: true }],
  ['web_fetch_20260309', { kind: 'WebFetch', fields: FETCH, runsCode: true }],
  ['web_fetch_20260318', { kind: 'WebFetch', fields: FETCH, runsCode: true }],
  ['code_execution_20250522', { kind: 'CodeExecution', fields: PLAIN, runsCode: false }],
  ['code_execution_20250825', { kind: 'CodeExecution', fields: PLAIN, runsCode: false }],
  ['code_execution_20260120', { kind: 'CodeExecution', fields: PLAIN, runsCode: false }],
  ['code_execution_20260521', { kind: 'CodeExecution', fields: PLAIN, runsCode: false }],
  ['tool_search_tool_bm25', { kind: 'ToolSearch', fields: PLAIN, runsCode: false }],
  ['tool_search_tool_bm25_20251119', { kind: 'ToolSearch', fields: PLAIN, runsCode: false }],
  ['tool_search_tool_regex', { kind: 'ToolSearch', fields: PLAIN, runsCode: false }],
  ['tool_search_tool_regex_20251119', { kind: 'ToolSearch', fields: PLAIN, runsCode: false }],
  ['advisor_20260301', { kind: 'Advisor', fields: ADVISOR, runsCode: false }],
  ['mcp_toolset', { kind: 'Remote', fields: REMOTE, runsCode: false }],
]);

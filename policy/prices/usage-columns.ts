import type { Usage } from './usage.ts';

/** What of a usage is in which column of a record. */
const USED = {
  input_tokens: 'input',
  output_tokens: 'output',
  cache_read_tokens: 'cacheRead',
  cache_write_5m_tokens: 'cacheWrite5m',
  cache_write_1h_tokens: 'cacheWrite1h',
  web_searches: 'webSearches',
  code_executions: 'codeExecutions',
  fast: 'fast',
  regional: 'regional',
} as const;

/** A usage as a usage record has it; all null where it is not known. */
export function usageColumns(usage: Usage | null): Readonly<Record<string, string | number | boolean | null>> {
  const used = Object.entries(USED).map(([column, field]) => [column, usage?.[field] ?? null] as const);
  const isListed = usage !== null && usage.iterations.length > 0;
  return { ...Object.fromEntries(used), iterations: isListed ? JSON.stringify(usage.iterations) : null };
}

import type { UsageRecord } from '../core/usage-record.ts';
import type { Usage } from './usage.ts';

/** The fields of a usage record that say what a call used. */
type UsageFields = Required<Pick<UsageRecord, keyof typeof SOURCES | 'iterations'>>;

const SOURCES = {
  input_tokens: 'input',
  output_tokens: 'output',
  cache_read_tokens: 'cacheRead',
  cache_write_5m_tokens: 'cacheWrite5m',
  cache_write_1h_tokens: 'cacheWrite1h',
  web_searches: 'webSearches',
  code_executions: 'codeExecutions',
  fast: 'fast',
  regional: 'regional',
} as const satisfies { readonly [Field in keyof UsageRecord]?: keyof Usage };

/** A usage as a usage record has it; all null if it is not known. */
export function usageFields(usage: Usage | null): UsageFields {
  const fields = Object.entries(SOURCES).map(([field, source]) => [field, usage?.[source] ?? null] as const);
  const isListed = usage !== null && usage.iterations.length > 0;
  const iterations = isListed ? JSON.stringify(usage.iterations) : null;
  return { ...(Object.fromEntries(fields) as Omit<UsageFields, 'iterations'>), iterations };
}

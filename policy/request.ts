import { readJsonObject } from './json.ts';
import type { Span } from './json.ts';
import { Prompt, SYSTEM } from './prompt.ts';
import type { CacheWrite } from './prompt.ts';
import type { Refusal } from './refusals.ts';
import {
  countAt,
  invalid,
  listAt,
  objectAt,
  onlyFields,
  onlyValues,
  quoted,
  Rejected,
  stringAt,
  unsupported,
} from './rejection.ts';
import type { JsonFields } from './rejection.ts';

/** What of a Messages request decides whether it may go and what it may cost at most. */
export interface RequestFacts {
  readonly model: string;
  readonly maxTokens: number;
  readonly stream: boolean;
  /**
   * No prompt made from this body has more tokens. Every token covers at least one byte of text; the body holds all the
   * text (a JSON escape is never shorter than what it stands for), and the frame around each message in JSON is longer
   * than the frame that the model reads. What the upstream adds to it is bounded by constants: the system prompts of
   * tools and of structured output, and the definition of a tool again for each reference to it.
   */
  readonly inputTokens: number;
  /** The longest-lived cache write that it asks for. */
  readonly cacheWrite: CacheWrite;
  readonly fast: boolean;
  /** `inference_geo` is anything but absent or "global". */
  readonly geoUs: boolean;
  /** `thinking.budget_tokens` where thinking is enabled with a budget. */
  readonly thinkingBudget: number | null;
  /** Where the value of `max_tokens` stands in the body. */
  readonly maxTokensSpan: Span;
}

/**
 * Reads the body of a Messages request: `BodyInvalid` where it is not one, `Unsupported` where it asks for something
 * whose cost has no bound here. A `Refusal` has a `reason`, facts have none. Never throws.
 */
export function readRequest(body: Uint8Array): RequestFacts | Refusal {
  try {
    return readFacts(body);
  } catch (error) {
    if (error instanceof Rejected) return { reason: error.reason, message: error.message };
    throw error;
  }
}

function readFacts(body: Uint8Array): RequestFacts {
  const { fields, span } = readJsonObject(body);
  onlyFields(fields, FIELDS, '');
  const prompt = new Prompt();
  prompt.readTools(fields['tools'] ?? []);
  prompt.readContent(fields['system'] ?? [], SYSTEM, 'system');
  prompt.readMessages(fields['messages']);
  prompt.readCacheControl(fields['cache_control'], 'cache_control');
  checkContextManagement(fields['context_management']);
  onlyValues(fields['service_tier'], ['auto', 'standard_only'], 'service_tier');
  return {
    model: readModel(fields),
    maxTokens: readMaxTokens(fields['max_tokens']),
    stream: readStream(fields['stream']),
    inputTokens: body.length + prompt.hiddenTokens + formatTokens(fields['output_config']),
    cacheWrite: prompt.cacheWrite,
    fast: readFast(fields['speed']),
    geoUs: readRegional(fields['inference_geo']),
    thinkingBudget: readThinking(fields['thinking']),
    maxTokensSpan: span('max_tokens'),
  };
}

/** All that a request may have. Any other field may bring input or charges that are not bounded here. */
const FIELDS = new Set([
  'model',
  'messages',
  'max_tokens',
  'system',
  'tools',
  'tool_choice',
  'stream',
  'temperature',
  'top_p',
  'top_k',
  'stop_sequences',
  'metadata',
  'thinking',
  'output_config',
  'context_management',
  'service_tier',
  'speed',
  'inference_geo',
  'cache_control',
  'diagnostics',
]);

function readModel(fields: JsonFields): string {
  const model = stringAt(fields['model'], 'model');
  if (model === '' || model.length > 256) throw invalid('model must have 1 to 256 characters.');
  return model;
}

/** Far beyond every model, and small enough for the ledger to hold what it could cost. */
const MOST_TOKENS = 1_000_000_000;

function readMaxTokens(value: unknown): number {
  const tokens = countAt(value, 'max_tokens');
  if (tokens > MOST_TOKENS) throw invalid(`max_tokens must be at most ${MOST_TOKENS}.`);
  return tokens;
}

function readStream(value: unknown): boolean {
  if (value === undefined || typeof value === 'boolean') return value ?? false;
  throw invalid('stream must be true or false.');
}

function readFast(value: unknown): boolean {
  onlyValues(value, ['standard', 'fast'], 'speed');
  return value === 'fast';
}

function readRegional(value: unknown): boolean {
  return value !== undefined && value !== null && stringAt(value, 'inference_geo') !== 'global';
}

const THINKING = new Set(['type', 'budget_tokens', 'display']);

/** Thinking is part of `max_tokens` whatever its type. */
function readThinking(value: unknown): number | null {
  if (value === undefined || value === null) return null;
  const thinking = objectAt(value, 'thinking');
  onlyFields(thinking, THINKING, 'thinking');
  onlyValues(
    stringAt(thinking['type'], 'thinking.type'),
    ['enabled', 'disabled', 'adaptive', 'between_tools'],
    'thinking.type',
  );
  return thinking['type'] === 'enabled' ? countAt(thinking['budget_tokens'], 'thinking.budget_tokens') : null;
}

const OUTPUT_CONFIG = new Set(['effort', 'format']);

/** Structured output brings a system prompt that explains the schema; the schema itself is in the body. */
const FORMAT_PROMPT_TOKENS = 1024;

function formatTokens(value: unknown): number {
  const config = objectAt(value ?? {}, 'output_config');
  onlyFields(config, OUTPUT_CONFIG, 'output_config');
  return config['format'] === undefined || config['format'] === null ? 0 : FORMAT_PROMPT_TOKENS;
}

/** Edits that clear only shorten the prompt; compaction is another sampling over all of it. */
function checkContextManagement(value: unknown): void {
  const management = objectAt(value ?? {}, 'context_management');
  onlyFields(management, new Set(['edits']), 'context_management');
  listAt(management['edits'] ?? [], 'context_management.edits').forEach((entry, i) => {
    const path = `context_management.edits[${i}]`;
    const type = stringAt(objectAt(entry, path)['type'], `${path}.type`);
    if (!type.startsWith('clear_')) throw unsupported(`${path}.type ${quoted(type)}`);
  });
}

import type { Refusal } from '../core/refusals.ts';
import { err, ok, type Result } from '../core/result.ts';
import { TEXTS } from './content-blocks.ts';
import {
  countAt,
  invalid,
  isGiven,
  listAt,
  objectAt,
  onlyFields,
  onlyValues,
  quoted,
  RequestRejected,
  stringAt,
  unsupported,
} from './json-access.ts';
import type { JsonFields } from './json-access.ts';
import { outputFormatTokens } from './output-format.ts';
import { type CacheWrite, Prompt } from './prompt.ts';
import type { ServerTool } from './server-tools.ts';
import { readJsonObject } from './strict-json.ts';
import type { JsonObject, Span } from './strict-json.ts';

/** What of a Messages request decides whether it may go and what it may cost at most. */
export interface RequestFacts {
  readonly model: string;
  readonly maxTokens: number;
  readonly stream: boolean;
  /**
   * No prompt made from this body has more tokens. Every token covers at least one byte of text; the body holds all the
   * text (a JSON escape is never shorter than what it stands for), and the frame around each message in JSON is longer
   * than the frame that the model reads. What the upstream adds to it is bounded by constants: the system prompts of
   * tools and of structured output, and the definition of a tool again for each reference to it. Pictures and PDFs
   * count by their formulas instead of their bytes.
   */
  readonly inputTokens: number;
  /** The prompt holds what nobody can count here, so it may fill the context window. */
  readonly fillsContext: boolean;
  /** The conversation may be summed up before a sampling: that is another one over all of it. */
  readonly compacts: boolean;
  readonly serverTools: readonly ServerTool[];
  /** Whether code runs in a container, which is billed by a time that no answer tells. */
  readonly codeExecution: 'None' | 'Free' | 'Charged';
  /** Models that may answer in place of the one asked for, each with what its attempt is asked for. */
  readonly fallbacks: readonly Fallback[];
  /** Paths in the body of what has no bound at all; tools that say no `max_uses` are not among them. */
  readonly unbounded: readonly string[];
  /** Whether count_tokens counts all that a sampling reads. */
  readonly countable: boolean;
  /** The longest-lived cache write that it asks for. */
  readonly cacheWrite: CacheWrite;
  readonly fast: boolean;
  /** It is one of a batch: its tokens cost half. */
  readonly batch?: true;
  /** `inference_geo` is anything but absent or "global". */
  readonly geoUs: boolean;
  /** `thinking.budget_tokens` where thinking is enabled with a budget. */
  readonly thinkingBudget: number | null;
  /** The session that Claude Code names in `metadata.user_id`, as the caller says. */
  readonly session: string | null;
  /** Where the value of `max_tokens` stands in the body. */
  readonly maxTokensSpan: Span;
}

/** One entry of `fallbacks`. */
export interface Fallback {
  readonly model: string;
  /** Null for that of the request. */
  readonly maxTokens: number | null;
  readonly maxTokensSpan: Span;
  readonly fast: boolean;
}

/** Every model that may answer or advise: the one asked for first. */
export function modelsOf({ model, fallbacks, serverTools }: RequestFacts): readonly string[] {
  return [
    model,
    ...fallbacks.map((one) => one.model),
    ...serverTools.flatMap(({ advisor }) => (advisor === null ? [] : [advisor.model])),
  ];
}

/**
 * Reads the body of a Messages request. The error is `BodyInvalid` if it is not one, and `Unsupported` if it asks for
 * something whose cost has no bound here. Never throws.
 */
export function readRequest(body: Uint8Array): Result<RequestFacts, Refusal> {
  try {
    return ok(readFacts(readJsonObject(body), body.length));
  } catch (error) {
    if (error instanceof RequestRejected) return err({ reason: error.reason, message: error.message });
    throw error;
  }
}

/** The facts of a request that was read from so many bytes. Throws `Rejected`. */
export function readFacts({ fields, span, spanIn }: JsonObject, bytes: number): RequestFacts {
  onlyFields(fields, FIELDS, '');
  const prompt = new Prompt();
  prompt.readTools(fields['tools'] ?? [], (index, field) => spanIn('tools', index, field));
  prompt.readContent(fields['system'] ?? [], TEXTS, 'system');
  prompt.readMessages(fields['messages']);
  prompt.readCacheControl(fields['cache_control'], 'cache_control');
  onlyValues(fields['service_tier'], ['auto', 'standard_only'], 'service_tier');
  const fallbacks = readFallbacks(fields['fallbacks'], spanIn);
  const compacts = readCompaction(fields);
  checkBilling(fields['billing_policy']);
  const unbounded = [...UNBOUNDED.filter((name) => isGiven(fields[name])), ...prompt.unbounded];
  if (isGiven(fields['thread']) && !isNewThread(fields['thread'])) unbounded.push('thread');
  if (fields['fallbacks'] === 'default') unbounded.push('fallbacks');
  const { serverTools } = prompt;
  return {
    model: readModel(fields),
    maxTokens: readMaxTokens(fields['max_tokens'], 'max_tokens'),
    stream: readStream(fields['stream']),
    inputTokens: bytes - prompt.mediaBytes + prompt.hiddenTokens + outputFormatTokens(fields),
    fillsContext: prompt.fillsContext || serverTools.length > 0,
    compacts,
    serverTools,
    codeExecution: codeExecution(prompt),
    fallbacks,
    unbounded,
    countable: !prompt.isFetched && !compacts && serverTools.length + fallbacks.length + unbounded.length === 0,
    cacheWrite: prompt.cacheWrite,
    fast: readFast(fields['speed'], 'speed'),
    geoUs: readRegional(fields['inference_geo']),
    thinkingBudget: readThinking(fields['thinking']),
    session: readSession(fields['metadata']),
    maxTokensSpan: span('max_tokens'),
  };
}

/** What brings input that is in no body, as often as the upstream likes. */
const UNBOUNDED = ['mcp_servers', 'container'];

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
  'compaction',
  'fallbacks',
  'fallback_credit_token',
  'billing_policy',
  'output_format',
  'thread',
  ...UNBOUNDED,
]);

/** A thread that begins here has all of its input in the body; one that goes on may bring anything, tools included. */
function isNewThread(thread: unknown): boolean {
  const { type } = objectAt(thread, 'thread');
  return type === 'create';
}

/** Whoever else would be billed has no budget here. */
function checkBilling(value: unknown): void {
  const policy = objectAt(value ?? {}, 'billing_policy');
  onlyFields(policy, BILLING, 'billing_policy');
  onlyValues(policy['bill_to'], ['self'], 'billing_policy.bill_to');
}

const BILLING = new Set(['type', 'bill_to']);

/** Claude Code writes JSON into `user_id`; whatever else stands there says nothing. */
function readSession(metadata: unknown): string | null {
  const { user_id: user } = objectAt(metadata ?? {}, 'metadata');
  const session = typeof user === 'string' ? SESSION.exec(user)?.[1] : undefined;
  return session ?? null;
}

const SESSION = /^\{.*"session_id" *: *"([\w-]{1,100})"/;

function readModel(fields: JsonFields): string {
  const model = stringAt(fields['model'], 'model');
  if (model === '' || model.length > 256) throw invalid('model must have 1 to 256 characters.');
  return model;
}

/** Far beyond every model, and small enough for the ledger to hold what it could cost. */
const MOST_TOKENS = 1_000_000_000;

function readMaxTokens(value: unknown, path: string): number {
  const tokens = countAt(value, path);
  if (tokens > MOST_TOKENS) throw invalid(`${path} must be at most ${MOST_TOKENS}.`);
  return tokens;
}

function readStream(value: unknown): boolean {
  if (value === undefined || typeof value === 'boolean') return value ?? false;
  throw invalid('stream must be true or false.');
}

function readFast(value: unknown, path: string): boolean {
  onlyValues(value, ['standard', 'fast'], path);
  return value === 'fast';
}

function readRegional(value: unknown): boolean {
  return value !== undefined && value !== null && stringAt(value, 'inference_geo') !== 'global';
}

const THINKING = new Set(['type', 'budget_tokens', 'display', 'block_binding']);

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

/** Edits that clear only shorten the prompt; compaction is another sampling over all of it. */
function readCompaction(fields: JsonFields): boolean {
  const management = objectAt(fields['context_management'] ?? {}, 'context_management');
  onlyFields(management, new Set(['edits']), 'context_management');
  const edits = listAt(management['edits'] ?? [], 'context_management.edits').map((entry, i) => {
    const path = `context_management.edits[${i}]`;
    const type = stringAt(objectAt(entry, path)['type'], `${path}.type`);
    if (!type.startsWith('clear_') && !type.startsWith('compact_')) throw unsupported(`${path}.type ${quoted(type)}`);
    return type;
  });
  return edits.some((type) => type.startsWith('compact_')) || isGiven(fields['compaction']);
}

function codeExecution({ serverTools, runsCodeFree }: Prompt): RequestFacts['codeExecution'] {
  if (runsCodeFree) return 'Free';
  return serverTools.some(({ kind }) => kind === 'CodeExecution') ? 'Charged' : 'None';
}

/** More than there are models to fall back to, and few enough to look for each in the body. */
const MOST_FALLBACKS = 32;

const FALLBACK = new Set(['model', 'max_tokens', 'speed', 'thinking', 'output_config']);

/** An attempt may be made at each model of the chain; one that the API chooses by itself could be any. */
function readFallbacks(value: unknown, spanIn: JsonObject['spanIn']): readonly Fallback[] {
  if (value === undefined || value === null || value === 'default') return [];
  const entries = listAt(value, 'fallbacks');
  if (entries.length > MOST_FALLBACKS) throw invalid(`fallbacks must have at most ${MOST_FALLBACKS} entries.`);
  return entries.map((entry, i) => {
    const path = `fallbacks[${i}]`;
    const fallback = objectAt(entry, path);
    onlyFields(fallback, FALLBACK, path);
    const own = fallback['max_tokens'] ?? null;
    return {
      model: stringAt(fallback['model'], `${path}.model`),
      maxTokens: own === null ? null : readMaxTokens(own, `${path}.max_tokens`),
      maxTokensSpan: spanIn('fallbacks', i, 'max_tokens'),
      fast: readFast(fallback['speed'], `${path}.speed`),
    };
  });
}

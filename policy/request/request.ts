import type { Refusal } from '../core/refusals.ts';
import { err, ok, type Result } from '../core/result.ts';
import { type BodyReading, readAll } from '../json/body-reading.ts';
import {
  countAt,
  invalid,
  isGiven,
  isText,
  listAt,
  modelAt,
  objectAt,
  onlyFields,
  onlyValues,
  quoted,
  RequestRejected,
  stringAt,
  unsupported,
} from '../json/json-access.ts';
import type { JsonFields } from '../json/json-access.ts';
import { type JsonObject, readJsonObject } from '../json/strict-json.ts';
import type { Span, ValueSpans } from '../json/value-spans.ts';
import { TEXT_BLOCKS } from './block-types.ts';
import { outputConfigTokens } from './output-config-tokens.ts';
import { type FieldSpan, promptFields } from './prompt-fields.ts';
import { type CacheWrite, PromptReader } from './prompt-reader.ts';
import type { ServerTool } from './server-tools.ts';

/** The facts of a Messages request that decide whether it may be forwarded and what it costs at most. */
export interface RequestFacts {
  readonly model: string;
  readonly maxTokens: number;
  readonly stream: boolean;
  /**
   * The maximum tokens of the prompt. Every token covers at least one byte of text; the body holds all of the text (a
   * JSON escape is never shorter than its character), and a message's frame in JSON is longer than the frame that the
   * model reads. The upstream's additions are bounded by constants: system prompts of tools and structured output, and a
   * tool's definition again for each reference to it. Images and PDFs count by formulas instead of their bytes.
   */
  readonly inputTokens: number;
  /** The prompt holds content of unknown length, so it may fill the context window. */
  readonly fillsContext: boolean;
  /** The upstream may compact the conversation first, which is another inference over all of it. */
  readonly compacts: boolean;
  readonly serverTools: readonly ServerTool[];
  /** Whether code runs in a container, which is billed by its time; no answer reports that. */
  readonly codeExecution: 'None' | 'Free' | 'Charged';
  /** Models that may answer instead of the requested one. */
  readonly fallbacks: readonly Fallback[];
  /** Paths in the body of what has no bound, without the tools that lack `max_uses`. */
  readonly unbounded: readonly string[];
  /** It names a file in the upstream's store, which all workspaces under one upstream key share. */
  readonly namesFile: boolean;
  /** Whether count_tokens counts everything that an inference reads. */
  readonly countable: boolean;
  /** The longest-lived cache write of the request. */
  readonly cacheWrite: CacheWrite;
  readonly fast: boolean;
  /** Present for a request of a batch, whose tokens cost half. */
  readonly batch?: true;
  /** `inference_geo` is anything but absent or "global". */
  readonly regional: boolean;
  /** `thinking.budget_tokens`: with interleaved thinking it may exceed `max_tokens`, and all of it is output. */
  readonly thinkingBudget: number | null;
  /** The session that Claude Code names in `metadata.user_id`; set by the caller. */
  readonly session: string | null;
  /** The bytes of the value of `max_tokens` in the body. */
  readonly maxTokensSpan: Span;
}

export interface Fallback {
  readonly model: string;
  /** Null for the request's own. */
  readonly maxTokens: number | null;
  readonly maxTokensSpan: Span;
  readonly fast: boolean;
  /** Its own thinking budget, or the request's if it has no `thinking` of its own. */
  readonly thinkingBudget: number | null;
}

/** Every model that may answer or advise; the requested one is first. */
export function modelsOf({ model, fallbacks, serverTools }: RequestFacts): readonly string[] {
  return [
    model,
    ...fallbacks.map((one) => one.model),
    ...serverTools.flatMap(({ advisor }) => (advisor === null ? [] : [advisor.model])),
  ];
}

/** What is kept of a request that was read: little, whatever it has. */
export interface ReadRequest {
  readonly facts: RequestFacts;
  readonly prompt: readonly FieldSpan[];
  /** What `facts` need beyond what all requests have. Bytes. */
  readonly memory: number;
}

/** Reads a Messages request at once; errors as those of `requestReading`. Never throws. */
export function readRequest(body: Uint8Array): Result<RequestFacts, Refusal> {
  const read = readAll(requestReading(body));
  return read.ok ? ok(read.value.facts) : read;
}

/** Reads a Messages request. Errors: `BodyInvalid`, or `Unsupported` for what has no bounded cost. Never throws. */
export function* requestReading(body: Uint8Array): BodyReading<Result<ReadRequest, Refusal>> {
  try {
    const object = yield* readJsonObject(body, EDITED);
    const facts = yield* readFacts(object, body.length);
    return ok({ facts, prompt: promptFields(object.spans), memory: facts.unbounded.length * PATH_MEMORY });
  } catch (error) {
    if (error instanceof RequestRejected) return err({ reason: error.reason, message: error.message });
    throw error;
  }
}

/** Fields that a guard may lower, in objects of lists. */
const EDITED = new Map([
  ['tools', 'max_uses'],
  ['fallbacks', 'max_tokens'],
]);

/** The facts of a request that was read from `bytes` bytes. Throws `RequestRejected`. */
export function* readFacts({ fields, spans, memory }: JsonObject, bytes: number): BodyReading<RequestFacts> {
  onlyFields(fields, FIELDS, '');
  const prompt = new PromptReader();
  prompt.readTools(fields['tools'] ?? [], (index) => spans.in('tools', index));
  prompt.readContent(fields['system'] ?? [], TEXT_BLOCKS, 'system');
  for (const [i, message] of listAt(fields['messages'], 'messages').entries()) {
    prompt.readMessage(message, `messages[${i}]`);
    if (i % TURN === TURN - 1) yield memory;
  }
  prompt.readCacheControl(fields['cache_control'], 'cache_control');
  onlyValues(fields['service_tier'], ['auto', 'standard_only'], 'service_tier');
  const thinkingBudget = readThinking(fields['thinking'], 'thinking');
  const fallbacks = readFallbacks(fields['fallbacks'], thinkingBudget, spans);
  const compacts = readCompaction(fields);
  checkBilling(fields['billing_policy']);
  const unbounded = [...UNBOUNDED.filter((name) => isGiven(fields[name])), ...prompt.unbounded];
  if (isGiven(fields['thread']) && !isNewThread(fields['thread'])) unbounded.push('thread');
  if (fields['fallbacks'] === 'default') unbounded.push('fallbacks');
  const { serverTools } = prompt;
  return {
    model: modelAt(fields['model'], 'model'),
    maxTokens: readMaxTokens(fields['max_tokens'], 'max_tokens'),
    stream: readStream(fields['stream']),
    inputTokens: bytes - prompt.mediaBytes + prompt.hiddenTokens + outputConfigTokens(fields),
    fillsContext: prompt.fillsContext || serverTools.length > 0,
    compacts,
    serverTools,
    codeExecution: codeExecution(prompt),
    fallbacks,
    unbounded,
    namesFile: prompt.namesFile,
    countable: !prompt.isFetched && !compacts && serverTools.length + fallbacks.length + unbounded.length === 0,
    cacheWrite: prompt.cacheWrite,
    fast: readFast(fields['speed'], 'speed'),
    regional: readRegional(fields['inference_geo']),
    thinkingBudget,
    session: readSession(fields['metadata']),
    maxTokensSpan: spans.top('max_tokens') ?? NOWHERE,
  };
}

/** A path in `unbounded`, of which there may be thousands. Bytes. */
const PATH_MEMORY = 100;

/** So many messages are read in one step. */
const TURN = 256;

/** Where a value is whose place is not known, as in a batch. */
const NOWHERE = { start: 0, end: 0 };

/** Fields that add input that is not in the body, without a bound. */
const UNBOUNDED = ['mcp_servers', 'container'];

/** The known fields. Any other one may add input or charges without a bound. */
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

/** A new thread has all of its input in the body; one with any other field may go on, and add any input, with tools. */
function isNewThread(value: unknown): boolean {
  const { type, ...others } = objectAt(value, 'thread');
  return type === 'create' && !Object.values(others).some(isGiven);
}

/** Rejects every payer but the caller's own organization: another one has no budget here. */
function checkBilling(value: unknown): void {
  const policy = objectAt(value ?? {}, 'billing_policy');
  onlyFields(policy, BILLING, 'billing_policy');
  onlyValues(policy['bill_to'], ['self'], 'billing_policy.bill_to');
}

const BILLING = new Set(['type', 'bill_to']);

/** Claude Code writes JSON into `user_id`; any other value has no session. */
function readSession(metadata: unknown): string | null {
  const { user_id: user } = objectAt(metadata ?? {}, 'metadata');
  const session = isText(user) && user.length <= MAX_USER ? SESSION.exec(user.toString())?.[1] : undefined;
  return session ?? null;
}

/** Claude Code writes some 200 bytes. */
const MAX_USER = 4_096;

const SESSION = /^\{.*"session_id" *: *"([\w-]{1,100})"/;

/** Far above any model's maximum, and small enough that the ledger can hold the cost. */
const MAX_TOKENS = 1_000_000_000;

function readMaxTokens(value: unknown, path: string): number {
  const tokens = countAt(value, path);
  if (tokens > MAX_TOKENS) throw invalid(`${path} must be at most ${MAX_TOKENS}.`);
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

/** Thinking without a budget counts against `max_tokens`. A budget counts with every type: it is never free. */
function readThinking(value: unknown, path: string): number | null {
  if (value === undefined || value === null) return null;
  const thinking = objectAt(value, path);
  onlyFields(thinking, THINKING, path);
  const type = stringAt(thinking['type'], `${path}.type`);
  onlyValues(type, ['enabled', 'disabled', 'adaptive', 'between_tools'], `${path}.type`);
  const budget = thinking['budget_tokens'];
  return type !== 'enabled' && !isGiven(budget) ? null : readMaxTokens(budget, `${path}.budget_tokens`);
}

/** Clearing edits only shorten the prompt; compaction is another inference over all of it. */
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

function codeExecution({ serverTools, runsCodeFree }: PromptReader): RequestFacts['codeExecution'] {
  if (runsCodeFree) return 'Free';
  return serverTools.some(({ kind }) => kind === 'CodeExecution') ? 'Charged' : 'None';
}

/** More than there are models, and few enough to find each entry in the body. */
const MAX_FALLBACKS = 32;

const FALLBACK = new Set(['model', 'max_tokens', 'speed', 'thinking', 'output_config']);

/** The models of the chain, each of which may be tried. With `default` the API chooses, so the chain is unbounded. */
function readFallbacks(value: unknown, thinkingBudget: number | null, spans: ValueSpans): readonly Fallback[] {
  if (value === undefined || value === null || value === 'default') return [];
  const entries = listAt(value, 'fallbacks');
  if (entries.length > MAX_FALLBACKS) throw invalid(`fallbacks must have at most ${MAX_FALLBACKS} entries.`);
  return entries.map((entry, i) => {
    const path = `fallbacks[${i}]`;
    const fallback = objectAt(entry, path);
    onlyFields(fallback, FALLBACK, path);
    const own = fallback['max_tokens'] ?? null;
    return {
      model: modelAt(fallback['model'], `${path}.model`),
      maxTokens: own === null ? null : readMaxTokens(own, `${path}.max_tokens`),
      maxTokensSpan: spans.in('fallbacks', i),
      fast: readFast(fallback['speed'], `${path}.speed`),
      thinkingBudget: isGiven(fallback['thinking'])
        ? readThinking(fallback['thinking'], `${path}.thinking`)
        : thinkingBudget,
    };
  });
}

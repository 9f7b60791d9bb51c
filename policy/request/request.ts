import { err, ok, type Result } from '../core/result.ts';
import { type BodyReading, readAll } from '../json/body-reading.ts';
import {
  invalid,
  isGiven,
  isText,
  listAt,
  modelAt,
  objectAt,
  objectOrNone,
  RequestRejected,
  stringAt,
} from '../json/json-access.ts';
import type { JsonFields } from '../json/json-access.ts';
import { type JsonObject, readJsonObject } from '../json/strict-json.ts';
import type { Span } from '../json/value-spans.ts';
import type { Refusal } from '../refusals/refusals.ts';
import { TEXT_BLOCKS } from './block-types.ts';
import { type Fallback, readFallbacks, readFast, readMaxTokens, readThinking } from './fallbacks.ts';
import { namedFiles } from './named-files.ts';
import { outputConfigTokens } from './output-config-tokens.ts';
import { type FieldSpan, promptFields } from './prompt-fields.ts';
import { type CacheWrite, PromptReader } from './prompt-reader.ts';
import type { ServerTool } from './server-tools.ts';
import { REQUEST } from './shape.ts';
import { type UnknownName, UnknownNames } from './unknown-names.ts';

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
  /** What Tollgate does not know in it, and in the betas: at what it costs one inference at the highest bound is set aside. */
  readonly unknown: readonly UnknownName[];
  /** The betas that the caller asks for by header. */
  readonly betas: readonly string[];
  /** The ids of the files that it names in the upstream's store, which all workspaces under one upstream key share. */
  readonly files: readonly string[];
  /** Whether count_tokens counts everything that is known of what an inference reads. */
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
  /** What anybody else writes there; not yet checked. Null of a request of a batch. */
  readonly metadataUser: string | null;
  /** The bytes of the value of `max_tokens` in the body. */
  readonly maxTokensSpan: Span;
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
export function readRequest(body: Uint8Array, betas: readonly string[] = []): Result<RequestFacts, Refusal> {
  const read = readAll(requestReading(body, betas));
  return read.ok ? ok(read.value.facts) : read;
}

/** Reads a Messages request. Errors: `BodyInvalid`, or `Unsupported` for what has no bounded cost. Never throws. */
export function* requestReading(
  body: Uint8Array,
  betas: readonly string[] = [],
): BodyReading<Result<ReadRequest, Refusal>> {
  try {
    const object = yield* readJsonObject(body, EDITED);
    const facts = yield* readFacts(object, body.length, new UnknownNames(betas));
    return ok({
      facts,
      prompt: promptFields(object.spans),
      memory: (facts.unbounded.length + facts.unknown.length) * PATH_MEMORY,
    });
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

/** The facts of a request that was read from `bytes` bytes; what is unknown in it joins `unknown`. Throws `RequestRejected`. */
export function* readFacts(
  { fields, spans, memory }: JsonObject,
  bytes: number,
  unknown: UnknownNames,
): BodyReading<RequestFacts> {
  unknown.addFields(fields, REQUEST, '');
  const prompt = yield* readPrompt({ fields, spans, memory }, unknown);
  unknown.addValue(fields['service_tier'], ['auto', 'standard_only'], 'service_tier');
  const thinkingBudget = readThinking(fields['thinking'], 'thinking', unknown);
  const fast = readFast(fields['speed'], 'speed', unknown);
  const fallbacks = readFallbacks(fields['fallbacks'], { thinkingBudget, spans, unknown });
  const compacts = readCompaction(fields, unknown);
  // Every payer but the caller's own organization has no budget here.
  unknown.addValue(objectOrNone(fields['billing_policy'])['bill_to'], ['self'], 'billing_policy.bill_to');
  const unbounded = [...UNBOUNDED.filter((name) => isGiven(fields[name])), ...prompt.unbounded];
  if (isGiven(fields['thread']) && !isNewThread(fields['thread'])) unbounded.push('thread');
  if (fields['fallbacks'] === 'default') unbounded.push('fallbacks');
  const { serverTools } = prompt;
  // Most requests name no file, and are not searched for any.
  const mayNameFiles = prompt.isFetched || unbounded.length > 0 || unknown.found.length > 0;
  const files = mayNameFiles ? yield* namedFiles(fields, memory) : NO_FILES;
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
    unknown: unknown.found,
    betas: unknown.betas,
    files,
    countable: !prompt.isFetched && !compacts && serverTools.length + fallbacks.length + unbounded.length === 0,
    cacheWrite: unknown.writesCache ? 'OneHour' : prompt.cacheWrite,
    fast,
    regional: readRegional(fields['inference_geo']),
    thinkingBudget,
    ...readUser(fields['metadata']),
    maxTokensSpan: spans.top('max_tokens') ?? NOWHERE,
  };
}

const NO_FILES: readonly string[] = [];

function* readPrompt({ fields, spans, memory }: JsonObject, unknown: UnknownNames): BodyReading<PromptReader> {
  const prompt = new PromptReader(unknown);
  let read = 0;
  for (const [i, tool] of prompt.readTools(fields['tools'] ?? []).entries()) {
    prompt.readTool(tool, i, () => spans.in('tools', i));
    if (++read % TURN === 0) yield memory;
  }
  prompt.readContent(fields['system'] ?? [], TEXT_BLOCKS, 'system');
  for (const [i, message] of listAt(fields['messages'], 'messages').entries()) {
    const path = `messages[${i}]`;
    if (++read % TURN === 0) yield memory;
    for (const [j, block] of prompt.readMessage(message, path).entries()) {
      prompt.readMessageBlock(block, `${path}.content[${j}]`);
      if (++read % TURN === 0) yield memory;
    }
  }
  prompt.readCacheControl(fields['cache_control'], 'cache_control');
  return prompt;
}

/** A path in `unbounded` or `unknown`, of which there may be thousands. Bytes. */
const PATH_MEMORY = 100;

/** So many tools, messages and blocks are read in one step. */
const TURN = 256;

/** Where a value is whose place is not known, as in a batch. */
const NOWHERE = { start: 0, end: 0 };

/** Fields that add input that is not in the body, without a bound. */
const UNBOUNDED = ['mcp_servers', 'container'];

/** A new thread has all of its input in the body; one with any other field may go on, and add any input, with tools. */
function isNewThread(value: unknown): boolean {
  const { type, ...others } = objectOrNone(value);
  return type === 'create' && !Object.values(others).some(isGiven);
}

/** Claude Code writes JSON with its session into `user_id`, and nobody's name; others write their user. */
function readUser(metadata: unknown): Pick<RequestFacts, 'session' | 'metadataUser'> {
  const { user_id: user } = objectOrNone(metadata);
  if (!isText(user)) return { session: null, metadataUser: null };
  if (user.length > MAX_USER) return { session: null, metadataUser: TOO_LONG };
  const text = user.toString();
  const session = SESSION.exec(text)?.[1];
  return session === undefined ? { session: null, metadataUser: text } : { session, metadataUser: null };
}

/** Claude Code writes some 200 bytes. */
const MAX_USER = 4_096;

/** In place of a text that is not copied: too long for an attribute as well. */
const TOO_LONG = ' '.repeat(MAX_USER);

const SESSION = /^\{.*"session_id" *: *"([\w-]{1,100})"/;

function readStream(value: unknown): boolean {
  if (value === undefined || value === null || typeof value === 'boolean') return value ?? false;
  throw invalid('stream must be true or false.');
}

function readRegional(value: unknown): boolean {
  return value !== undefined && value !== null && stringAt(value, 'inference_geo') !== 'global';
}

/** Clearing edits only shorten the prompt; compaction is another inference over all of it, and any other edit may be. */
function readCompaction({ context_management: management, compaction }: JsonFields, unknown: UnknownNames): boolean {
  const edits = listAt(objectOrNone(management)['edits'] ?? [], 'context_management.edits');
  const types = edits.map((entry, i) => {
    const path = `context_management.edits[${i}]`;
    const type = stringAt(objectAt(entry, path)['type'], `${path}.type`);
    const isKnown = type.startsWith('clear_') || type.startsWith('compact_');
    unknown.addValue(type, isKnown ? [type] : [], `${path}.type`);
    return type;
  });
  return types.some((type) => !type.startsWith('clear_')) || isGiven(compaction);
}

function codeExecution({ serverTools, runsCodeFree }: PromptReader): RequestFacts['codeExecution'] {
  if (runsCodeFree) return 'Free';
  return serverTools.some(({ kind }) => kind === 'CodeExecution') ? 'Charged' : 'None';
}

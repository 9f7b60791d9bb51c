import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { err, ok, type Result } from '../../../policy/core/result.ts';
import { readAll } from '../../../policy/json/body-reading.ts';
import { type JsonFields, RequestRejected } from '../../../policy/json/json-access.ts';
import { ValueSpans } from '../../../policy/json/value-spans.ts';
import type { Refusal } from '../../../policy/refusals/refusals.ts';
import { readFacts, type RequestFacts, requestReading } from '../../../policy/request/request.ts';
import { UnknownNames } from '../../../policy/request/unknown-names.ts';
import { HEAVY_BODIES } from '../../support/hostile-bodies.ts';
import { fuzzTarget } from './fuzz.ts';

const NAMES = fc.constantFrom('type', 'text', 'source', 'data', 'content', 'name', 'input', 'cache_control', 'ttl');
const WORDS = fc.constantFrom(
  'text',
  'image',
  'document',
  'base64',
  'tool_use',
  'tool_result',
  'ephemeral',
  '1h',
  'user',
);
/** Names that a newer client may have, and this version does not. */
const UNKNOWN = fc.stringMatching(/^new_[a-z]{1,12}$/);
const BETAS = fc.array(fc.stringMatching(/^new-[a-z]{1,12}-2027-01-0[1-9]$/), { maxLength: 3 });
/** Around the length from which a string stays in the body. */
const TEXTS = fc.oneof(fc.string(), fc.string({ unit: 'binary', minLength: 55, maxLength: 75 }));

const { value: VALUES } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.oneof(WORDS, TEXTS, fc.integer(), fc.double(), fc.boolean(), fc.constant(null)),
    fc.dictionary(fc.oneof({ weight: 6, arbitrary: NAMES }, UNKNOWN), tie('value'), { maxKeys: 4 }),
    fc.array(tie('value'), { maxLength: 4 }),
  ),
}));

const REQUESTS = fc.record(
  {
    model: fc.oneof(fc.constant('claude-sonnet-5-5'), VALUES),
    max_tokens: fc.oneof(fc.nat(), VALUES),
    messages: fc.oneof(fc.array(fc.record({ role: WORDS, content: VALUES })), VALUES),
    system: VALUES,
    tools: VALUES,
    metadata: VALUES,
    thinking: VALUES,
    fallbacks: VALUES,
  },
  { requiredKeys: ['model', 'max_tokens'] },
);

/** With fields that nobody knows, at times more than are told apart. */
const NEWER = fc
  .tuple(REQUESTS, fc.dictionary(UNKNOWN, VALUES, { maxKeys: 40 }))
  .map(([request, fields]) => ({ ...fields, ...request }));

const HEAVY = fc.tuple(fc.constantFrom(...HEAVY_BODIES), fc.integer({ min: 1, max: 2_000_000 }));

const BODIES = fc.oneof(
  { weight: 10, arbitrary: fc.oneof(REQUESTS, NEWER).map((request) => Buffer.from(JSON.stringify(request))) },
  { weight: 5, arbitrary: fc.uint8Array({ maxLength: 4_096 }) },
  { weight: 1, arbitrary: HEAVY.map(([{ make }, bytes]) => make(bytes)).filter((body) => body.length > 0) },
);

/** What one step may take of the event loop. Milliseconds of this thread's work. */
const MAX_STEP_MS = 50;
const REPEATS = [1, 2, 3];

/**
 * Whatever a body holds, it is read or refused, no step of that takes long, and what is read has a bound: the same as of
 * the values that JSON.parse makes of it. No unknown field or beta is passed over.
 */
export const requestReader = fuzzTarget('request-reader', fc.tuple(BODIES, BETAS), ([body, betas]) => {
  const { facts, longestMs } = readInSteps(body, betas);
  // Once it may be the compiler's time, or that of a machine with more to do.
  if (longestMs > MAX_STEP_MS && REPEATS.every(() => readInSteps(body, betas).longestMs > MAX_STEP_MS))
    throw new Error(`a step took ${longestMs} ms`);
  if (!facts.ok) return true;
  const { maxTokensSpan: _, ...read } = facts.value;
  const { maxTokensSpan: __, ...parsed } = factsOfParsed(body, betas);
  if (!isDeepStrictEqual(withoutSpans(read), withoutSpans(parsed))) throw new Error('JSON.parse reads it otherwise');
  const unfound = unfoundNames(body, betas, facts.value);
  if (unfound.length > 0) throw new Error(`not found to be unknown: ${unfound.join(' ')}`);
  return read.inputTokens >= 0 && read.maxTokens >= 0;
});

function readInSteps(
  body: Uint8Array,
  betas: readonly string[],
): { facts: Result<RequestFacts, Refusal>; longestMs: number } {
  const reading = requestReading(body, betas);
  let longestMs = 0;
  for (;;) {
    const begun = process.threadCpuUsage();
    const step = reading.next();
    const { user, system } = process.threadCpuUsage(begun);
    longestMs = Math.max(longestMs, (user + system) / 1_000);
    if (step.done !== true) continue;
    return { facts: step.value.ok ? ok(step.value.value.facts) : err(step.value.error), longestMs };
  }
}

function factsOfParsed(body: Uint8Array, betas: readonly string[]): RequestFacts {
  const fields = parsedFields(body);
  try {
    return readAll(
      readFacts({ fields, spans: new ValueSpans(new Map()), memory: 0 }, body.length, new UnknownNames(betas)),
    );
  } catch (error) {
    if (error instanceof RequestRejected)
      throw new Error(`JSON.parse reads what is refused: ${error.message}`, { cause: error });
    throw error;
  }
}

function parsedFields(body: Uint8Array): JsonFields {
  return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body)) as JsonFields;
}

/** The made-up betas, and fields of the request itself, that the facts do not name; none if there are too many to be told apart. */
function unfoundNames(body: Uint8Array, betas: readonly string[], { unknown }: RequestFacts): string[] {
  const found = new Set(unknown.map(({ name }) => name));
  if (found.has('more unknown names')) return [];
  const fields = Object.entries(parsedFields(body)).filter(
    ([name, value]) => name.startsWith('new_') && value !== null,
  );
  return [...fields.map(([name]) => name), ...betas.map((beta) => `anthropic-beta=${beta}`)].filter(
    (name) => !found.has(name),
  );
}

/** Facts without the places of their values, which only the gateway's reader knows. */
function withoutSpans(value: object): unknown {
  return JSON.parse(JSON.stringify(value, (name, one: unknown) => (name.endsWith('Span') ? undefined : one)));
}

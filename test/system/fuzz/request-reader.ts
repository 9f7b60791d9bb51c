import fc from 'fast-check';
import { readRequest } from '../../../policy/request/request.ts';
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

const { value: VALUES } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.oneof(WORDS, fc.string(), fc.integer(), fc.double(), fc.boolean(), fc.constant(null)),
    fc.dictionary(NAMES, tie('value'), { maxKeys: 4 }),
    fc.array(tie('value'), { maxLength: 4 }),
  ),
}));

const REQUESTS = fc.record(
  {
    model: fc.oneof(fc.constant('claude-sonnet-5-5'), VALUES),
    max_tokens: fc.oneof(fc.nat(), VALUES),
    messages: VALUES,
    system: VALUES,
    tools: VALUES,
    metadata: VALUES,
    thinking: VALUES,
    fallbacks: VALUES,
  },
  { requiredKeys: ['model', 'max_tokens'] },
);

const BODIES = fc.oneof(
  REQUESTS.map((request) => Buffer.from(JSON.stringify(request))),
  fc.uint8Array({ maxLength: 4_096 }),
);

/** Whatever a body holds, it is read or refused, and what is read has a bound. */
export const requestReader = fuzzTarget('request-reader', BODIES, (body) => {
  const facts = readRequest(body);
  return !facts.ok || (facts.value.inputTokens >= 0 && facts.value.maxTokens >= 0);
});

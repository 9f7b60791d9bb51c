import type { Behaviour } from './behaviour.ts';
import { Problem } from './envelope.ts';
import type { Usage } from './prices.ts';

/** The body of a Messages request, as far as the stand-in looks at it. */
export interface MessagesRequest {
  model: string;
  max_tokens: number;
  messages: unknown[];
  stream?: boolean;
  tools?: unknown[];
  thinking?: { type?: string; budget_tokens?: number };
  metadata?: unknown;
  speed?: string;
  inference_geo?: string;
}

/** What the API itself insists on. The last of two equal fields counts, as in JavaScript. @throws Problem */
export function parseRequest(body: Buffer): MessagesRequest {
  let call: Partial<MessagesRequest>;
  try {
    call = JSON.parse(body.toString()) as Partial<MessagesRequest>;
  } catch {
    throw new Problem(400, 'invalid_request_error', 'The request body is not valid JSON');
  }
  const { model, max_tokens: maxTokens, messages } = call;
  if (typeof model !== 'string') throw new Problem(400, 'invalid_request_error', 'model: Field required');
  if (!model.startsWith('claude-')) throw new Problem(404, 'not_found_error', `model: ${model}`);
  if (!Number.isSafeInteger(maxTokens) || Number(maxTokens) < 0) {
    throw new Problem(400, 'invalid_request_error', 'max_tokens: Field required');
  }
  if (!Array.isArray(messages) || messages.length === 0) {
    throw new Problem(400, 'invalid_request_error', 'messages: at least one message is required');
  }
  return call as MessagesRequest;
}

/** One call's answer, before it takes the form of JSON or of a stream. */
export interface Message {
  id: string;
  model: string;
  blocks: Block[];
  stopReason: 'end_turn' | 'max_tokens' | 'tool_use' | 'refusal';
  /** What it costs. */
  usage: Usage;
  /** What it says that it used; null for nothing. */
  reported: Readonly<Record<string, unknown>> | null;
}

export type Block =
  | { type: 'thinking'; thinking: string; signature: string }
  | { type: 'text'; text: string }
  | { type: 'tool_use'; id: string; name: string; input: unknown };

/** Output tokens where the call does not ask for a number. */
const OUTPUT_TOKENS = 40;
/** Four characters: one token of output, so that counting characters counts tokens. */
const TOKEN = 'toll';
/** The largest text that is really made; larger usage is only reported. */
const TEXT_TOKENS = 4_000;

/**
 * Makes the answer. Input tokens are a quarter of the body's bytes; a tool that has answered is not called again. With
 * interleaved thinking, all of a thinking budget is used, also beyond `max_tokens`.
 */
export function answer(
  id: string,
  request: MessagesRequest,
  bodyBytes: number,
  asked: Behaviour,
  isInterleaved = false,
): Message {
  const { tool, ...plain } = asked;
  const behaviour = tool && hasToolResult(request.messages) ? plain : asked;
  const said = behaviour.text === undefined ? OUTPUT_TOKENS : Math.ceil(behaviour.text.length / TOKEN.length);
  const thought = isInterleaved ? (request.thinking?.budget_tokens ?? 0) : 0;
  const used: Usage = {
    input_tokens: inputTokens(bodyBytes),
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
    output_tokens: Math.max(Math.min(request.max_tokens, said), thought),
    service_tier: 'standard',
    inference_geo: request.inference_geo ?? 'global',
    ...(request.speed === 'fast' ? { speed: 'fast' } : {}),
  };
  const reported = behaviour.usage === null ? null : { ...used, ...behaviour.usage };
  const usage = sane(reported) ? settled(reported) : used;
  const declines = behaviour.refuse === 'Before';
  return {
    id,
    model: behaviour.model ?? request.model,
    blocks: declines ? [] : blocks(id, request, behaviour, usage.output_tokens),
    stopReason: stopReason(request, behaviour, usage),
    usage: declines ? FREE : usage,
    reported,
  };
}

/** What a refusal costs that comes before any content. */
const FREE: Usage = {
  input_tokens: 0,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
  cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
  output_tokens: 0,
};

function hasToolResult(messages: readonly unknown[]): boolean {
  return JSON.stringify(messages).includes('"type":"tool_result"');
}

/** What a body of that size counts. */
export function inputTokens(bodyBytes: number): number {
  return Math.ceil(bodyBytes / 4);
}

function blocks(id: string, request: MessagesRequest, behaviour: Behaviour, outputTokens: number): Block[] {
  const thinks = request.thinking?.type === 'enabled' || request.thinking?.type === 'adaptive';
  const tokens = Math.min(outputTokens, TEXT_TOKENS);
  const thought = thinks ? Math.floor(tokens / 4) : 0;
  const list: Block[] = [];
  if (thought > 0) list.push({ type: 'thinking', thinking: TOKEN.repeat(thought), signature: 'c2lnbmF0dXJl' });
  if (behaviour.tool) list.push({ type: 'tool_use', id: id.replace('msg_', 'toolu_'), ...behaviour.tool });
  else list.push({ type: 'text', text: behaviour.text ?? TOKEN.repeat(tokens - thought) });
  return list;
}

function stopReason(request: MessagesRequest, behaviour: Behaviour, usage: Usage): Message['stopReason'] {
  if (behaviour.refuse) return 'refusal';
  if (behaviour.tool) return 'tool_use';
  return usage.output_tokens >= request.max_tokens ? 'max_tokens' : 'end_turn';
}

const COUNTS = ['input_tokens', 'cache_creation_input_tokens', 'cache_read_input_tokens', 'output_tokens'];

function sane(usage: Readonly<Record<string, unknown>> | null): usage is Readonly<Record<string, unknown>> {
  return usage !== null && COUNTS.every((name) => Number.isSafeInteger(usage[name]) && (usage[name] as number) >= 0);
}

/** Cache writes without a split are for five minutes. */
function settled(reported: Readonly<Record<string, unknown>>): Usage {
  const usage = reported as unknown as Usage;
  const split = usage.cache_creation;
  const writes = usage.cache_creation_input_tokens;
  const whole = split.ephemeral_5m_input_tokens + split.ephemeral_1h_input_tokens === writes;
  return whole
    ? usage
    : { ...usage, cache_creation: { ephemeral_5m_input_tokens: writes, ephemeral_1h_input_tokens: 0 } };
}

/** The answer as one JSON body. */
export function messageJson(message: Message): string {
  return JSON.stringify({
    ...head(message),
    content: message.blocks,
    stop_reason: message.stopReason,
    usage: message.reported ?? undefined,
  });
}

/** One event of a stream and how many tokens of output it carries. */
export interface StreamEvent {
  text: string;
  outputTokens: number;
}

/** The answer as the events of a stream, in the order in which Anthropic sends them. */
export function messageEvents(message: Message, chunks: number): StreamEvent[] {
  const started = message.reported && { ...message.reported, output_tokens: Math.min(1, message.usage.output_tokens) };
  const opening = { ...head(message), content: [], stop_reason: null, usage: started ?? undefined };
  const events = [event({ type: 'message_start', message: opening })];
  message.blocks.forEach((block, index) => {
    events.push(event({ type: 'content_block_start', index, content_block: opened(block) }));
    if (index === 0) events.push(event({ type: 'ping' }));
    for (const { delta, characters } of deltas(block, chunks)) {
      events.push(event({ type: 'content_block_delta', index, delta }, Math.ceil(characters / TOKEN.length)));
    }
    events.push(event({ type: 'content_block_stop', index }));
  });
  const ending = { stop_reason: message.stopReason, stop_sequence: null };
  events.push(event({ type: 'message_delta', delta: ending, usage: ended(message) }), event({ type: 'message_stop' }));
  return events;
}

/** One server-sent event. */
export function event(data: { type: string } & Record<string, unknown>, outputTokens = 0): StreamEvent {
  return { text: `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`, outputTokens };
}

function head({ id, model }: Message): Record<string, unknown> {
  return { id, type: 'message', role: 'assistant', model, stop_sequence: null };
}

/** `usage` of message_delta: the counts, without what only message_start has. */
function ended({ reported }: Message): Record<string, unknown> | undefined {
  if (reported === null) return undefined;
  const names = [...COUNTS, 'server_tool_use', 'iterations', 'fallback_credit'];
  return Object.fromEntries(names.filter((name) => name in reported).map((name) => [name, reported[name]]));
}

function opened(block: Block): Block {
  if (block.type === 'text') return { type: 'text', text: '' };
  if (block.type === 'thinking') return { type: 'thinking', thinking: '', signature: '' };
  return { ...block, input: {} };
}

function deltas(block: Block, chunks: number): { delta: Record<string, unknown>; characters: number }[] {
  if (block.type === 'tool_use') {
    const text = JSON.stringify(block.input);
    return pieces(text, 2).map((piece) => ({
      delta: { type: 'input_json_delta', partial_json: piece },
      characters: piece.length,
    }));
  }
  if (block.type === 'text') {
    return pieces(block.text, chunks).map((text) => ({ delta: { type: 'text_delta', text }, characters: text.length }));
  }
  const thoughts = pieces(block.thinking, chunks);
  return [
    ...thoughts.map((thinking) => ({ delta: { type: 'thinking_delta', thinking }, characters: thinking.length })),
    { delta: { type: 'signature_delta', signature: block.signature }, characters: 0 },
  ];
}

/** At most `count` pieces, each a whole number of tokens long except the last. */
function pieces(text: string, count: number): string[] {
  const size = Math.max(1, Math.ceil(text.length / TOKEN.length / count)) * TOKEN.length;
  return Array.from({ length: Math.ceil(text.length / size) }, (_, index) =>
    text.slice(index * size, (index + 1) * size),
  );
}

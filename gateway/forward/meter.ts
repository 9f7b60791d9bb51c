import { mergeDelta, readUsage, type Usage } from '../../policy/prices/usage.ts';
import { EventScanner } from './sse.ts';

/** What an answer said about its usage, as far as it was seen. */
export interface Metered {
  /** Null where the answer has not said anything yet. */
  readonly usage: Usage | null;
  /** The model that served, null where the answer did not say. */
  readonly model: string | null;
  /** The answer was seen to its end: what it has not said by then it never says. */
  readonly complete: boolean;
  /** The `error.type` of a stream that ended with one. */
  readonly errorType: string | null;
  /** Text, thinking and tool input of a stream that went by since its usage was last told. Bytes of UTF-8. */
  readonly unpricedBytes: number;
  /** The same from its beginning. */
  readonly textBytes: number;
  /** How long the model thought and showed nothing of it. Milliseconds. */
  readonly hiddenMs: number;
}

/** An answer of which nothing was seen. */
export const UNMETERED: Metered = {
  usage: null,
  model: null,
  complete: false,
  errorType: null,
  unpricedBytes: 0,
  textBytes: 0,
  hiddenMs: 0,
};

/** The `error.type` of an error's body, null where it says none. Never throws. */
export function readErrorType(body: Buffer): string | null {
  return errorTypeOf(parse(body.toString('utf8')));
}

function errorTypeOf({ error }: Answer): string | null {
  return typeof error?.type === 'string' ? error.type.slice(0, 100) : null;
}

/** Reads the usage of a whole answer. Never throws. */
export function meterAnswer(body: Buffer): Metered {
  const answer = parse(body.toString('utf8'));
  const usage = answer.usage === undefined ? null : readUsage(answer.usage);
  const declined = answer.stop_reason === REFUSED && Array.isArray(answer.content) && answer.content.length === 0;
  return { ...UNMETERED, usage: usage && { ...usage, declined }, model: modelOf(answer), complete: true };
}

/** The `stop_reason` of a model that would not answer, or not go on. */
const REFUSED = 'refusal';

const EVENTS = [
  'message_start',
  'content_block_start',
  'content_block_delta',
  'message_delta',
  'message_stop',
  'error',
];

/** Follows a stream of server-sent events on its way by and picks its usage out. */
export class StreamMeter {
  readonly #scanner: EventScanner;
  #usage: Usage | null = null;
  #model: string | null = null;
  #hasContent = false;
  #isFinal = false;
  #isStopped = false;
  #hasFailed = false;
  #errorType: string | null = null;
  #unpricedBytes = 0;
  #pricedBytes = 0;
  readonly #elapsed: () => number;
  /** When the model began to think of which nothing was seen yet; null where it does not. */
  #hiddenSince: number | null = null;
  #hiddenMs = 0;

  /** `elapsed`: a clock that never jumps. Milliseconds. */
  constructor(elapsed: () => number) {
    this.#elapsed = elapsed;
    this.#scanner = new EventScanner(EVENTS, (event, data) => this.#take(event, data));
  }

  /** Whether the stream has said what its prompt costs. */
  get hasBegun(): boolean {
    return this.#usage !== null;
  }

  write(chunk: Buffer): void {
    this.#scanner.write(chunk);
  }

  end(): Metered {
    this.#scanner.end();
    this.#endHidden();
    const complete = this.#isStopped && !this.#hasFailed;
    // What message_start says of the output is no final usage.
    const usage = complete && !this.#isFinal ? null : this.#usage;
    const textBytes = this.#pricedBytes + this.#unpricedBytes;
    const [model, errorType, unpricedBytes] = [this.#model, this.#errorType, this.#unpricedBytes];
    return { usage, model, complete, errorType, unpricedBytes, textBytes, hiddenMs: Math.round(this.#hiddenMs) };
  }

  #take(event: string, data: string): void {
    const parsed = parse(data);
    switch (event === '' ? parsed.type : event) {
      case 'message_start':
        this.#usage = readUsage(parsed.message?.usage);
        this.#model = modelOf(parsed.message ?? {});
        break;
      case 'message_delta':
        this.#takeDelta(parsed);
        break;
      case 'content_block_start':
        this.#hasContent = true;
        this.#endHidden();
        if (isThinking(parsed)) this.#hiddenSince = this.#elapsed();
        break;
      case 'content_block_delta':
        this.#takePiece(textBytes(parsed.delta));
        break;
      case 'message_stop':
        this.#isStopped = true;
        break;
      case 'error':
        this.#hasFailed = true;
        this.#errorType = errorTypeOf(parsed);
    }
  }

  /** Thinking of which a piece is seen is counted by its pieces. */
  #takePiece(bytes: number): void {
    this.#unpricedBytes += bytes;
    if (bytes > 0) this.#hiddenSince = null;
  }

  #endHidden(): void {
    if (this.#hiddenSince !== null) this.#hiddenMs += this.#elapsed() - this.#hiddenSince;
    this.#hiddenSince = null;
  }

  #takeDelta({ usage, delta }: Answer): void {
    this.#endHidden();
    if (usage === undefined) return;
    const merged = this.#usage === null ? readUsage(usage) : mergeDelta(this.#usage, usage);
    this.#usage = { ...merged, declined: delta?.stop_reason === REFUSED && !this.#hasContent };
    this.#isFinal = true;
    this.#pricedBytes += this.#unpricedBytes;
    this.#unpricedBytes = 0;
  }
}

interface Answer {
  readonly type?: unknown;
  readonly model?: unknown;
  readonly usage?: unknown;
  readonly message?: Answer;
  readonly error?: { readonly type?: unknown };
  readonly delta?: Delta | null;
  readonly stop_reason?: unknown;
  readonly content?: unknown;
  readonly content_block?: { readonly type?: unknown };
}

/** A piece of an answer. What else there is of it (signatures, citations) is no output of its own. */
interface Delta {
  readonly text?: unknown;
  readonly thinking?: unknown;
  readonly partial_json?: unknown;
  readonly stop_reason?: unknown;
}

function isThinking({ content_block: block }: Answer): boolean {
  return block?.type === 'thinking' || block?.type === 'redacted_thinking';
}

function textBytes(delta: Delta | null | undefined): number {
  const { text, thinking, partial_json: json } = delta ?? {};
  const piece = text ?? thinking ?? json;
  return typeof piece === 'string' ? Buffer.byteLength(piece) : 0;
}

function parse(text: string): Answer {
  try {
    return (JSON.parse(text) ?? {}) as Answer;
  } catch {
    return {};
  }
}

function modelOf(answer: Answer): string | null {
  return typeof answer.model === 'string' ? answer.model : null;
}

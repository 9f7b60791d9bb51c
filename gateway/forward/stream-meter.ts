import { mergeDelta, readUsage, type Usage } from '../../policy/prices/usage.ts';
import { type AnswerJSON, errorTypeOf, MODEL_REFUSED, modelOf, parseAnswer } from './answer-fields.ts';
import type { Meter, Metered } from './meter.ts';
import { EventScanner } from './sse.ts';

const EVENTS = [
  'message_start',
  'content_block_start',
  'content_block_delta',
  'message_delta',
  'message_stop',
  'error',
];

/** Picks the usage out of a stream of server-sent events. */
export class StreamMeter implements Meter {
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
  /** When the model began to think without having shown anything of it yet; null while it does not think. */
  #hiddenSince: number | null = null;
  #hiddenMs = 0;

  /** `elapsed`: the monotonic clock. Milliseconds. */
  constructor(elapsed: () => number) {
    this.#elapsed = elapsed;
    this.#scanner = new EventScanner(EVENTS, (event, data) => this.#take(event, data));
  }

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
    // The output count of message_start is not a final usage.
    const usage = complete && !this.#isFinal ? null : this.#usage;
    const textBytes = this.#pricedBytes + this.#unpricedBytes;
    const [model, errorType, unpricedBytes] = [this.#model, this.#errorType, this.#unpricedBytes];
    return { usage, model, complete, errorType, unpricedBytes, textBytes, hiddenMs: Math.round(this.#hiddenMs) };
  }

  #take(event: string, data: string): void {
    const parsed = parseAnswer(data);
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

  /** Thinking that is shown is counted by its bytes, not by its time. */
  #takePiece(bytes: number): void {
    this.#unpricedBytes += bytes;
    if (bytes > 0) this.#hiddenSince = null;
  }

  #endHidden(): void {
    if (this.#hiddenSince !== null) this.#hiddenMs += this.#elapsed() - this.#hiddenSince;
    this.#hiddenSince = null;
  }

  #takeDelta({ usage, delta }: AnswerJSON): void {
    this.#endHidden();
    if (usage === undefined) return;
    const merged = this.#usage === null ? readUsage(usage) : mergeDelta(this.#usage, usage);
    this.#usage = { ...merged, declined: delta?.stop_reason === MODEL_REFUSED && !this.#hasContent };
    this.#isFinal = true;
    this.#pricedBytes += this.#unpricedBytes;
    this.#unpricedBytes = 0;
  }
}

function isThinking({ content_block: block }: AnswerJSON): boolean {
  return block?.type === 'thinking' || block?.type === 'redacted_thinking';
}

function textBytes(delta: AnswerJSON['delta']): number {
  const { text, thinking, partial_json: json } = delta ?? {};
  const piece = text ?? thinking ?? json;
  return typeof piece === 'string' ? Buffer.byteLength(piece) : 0;
}

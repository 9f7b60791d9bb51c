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
  /** The largest output count of a message_delta; they are cumulative, so a lower one that follows is not to be believed. */
  #reportedOutput = 0;
  #hasContent = false;
  /** The usage was reported after all content, and whether that report names the reason for which the model stopped. */
  #isReported = false;
  #hasStopReason = false;
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
    this.#scanner = new EventScanner(EVENTS, (event, data, bytes) => {
      if (data === null) this.#takeTooLong(event, bytes);
      else this.#take(event, data);
    });
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
    const isComplete = this.#isStopped && !this.#hasFailed;
    return {
      usage: this.#usage,
      // The output count of message_start is not a final usage.
      isFinal: this.#isReported && (isComplete || this.#hasStopReason),
      model: this.#model,
      isComplete,
      hasContent: this.#hasContent || this.#scanner.hasOther,
      isApiError: false,
      hasErrorEvent: this.#hasFailed,
      errorType: this.#errorType,
      unpricedBytes: this.#unpricedBytes,
      textBytes: this.#pricedBytes + this.#unpricedBytes,
      hiddenMs: Math.round(this.#hiddenMs),
    };
  }

  #take(event: string, data: string): void {
    const parsed = parseAnswer(data);
    switch (event === '' ? parsed.type : event) {
      case 'message_start':
        this.#takeStart(parsed.message ?? {});
        break;
      case 'message_delta':
        this.#takeDelta(parsed);
        break;
      case 'content_block_start':
        this.#takeBlock(parsed);
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
        break;
      case 'ping':
        break;
      default:
        this.#hasContent = true;
    }
  }

  #takeStart(message: AnswerJSON): void {
    // Of two messages in one stream only the last one would be priced.
    this.#usage = this.#usage === null ? readUsage(message.usage) : { ...this.#usage, absurd: true };
    this.#model = modelOf(message);
  }

  #takeBlock(block: AnswerJSON): void {
    this.#takeContent();
    this.#endHidden();
    if (isThinking(block)) this.#hiddenSince = this.#elapsed();
  }

  /** An event whose data is longer than is read: only content can be. */
  #takeTooLong(event: string, bytes: number): void {
    if (event === 'content_block_start') this.#takeContent();
    else if (event === 'content_block_delta') this.#takePiece(bytes);
    else {
      this.#usage = { ...(this.#usage ?? readUsage(null)), absurd: true };
      this.#hasContent = true;
    }
  }

  #takeContent(): void {
    this.#hasContent = true;
    this.#isReported = false;
  }

  /** Thinking that is shown is counted by its bytes, not by its time. */
  #takePiece(bytes: number): void {
    this.#takeContent();
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
    const output = Math.max(merged.output, this.#reportedOutput);
    this.#usage = { ...merged, output, declined: delta?.stop_reason === MODEL_REFUSED && !this.#hasContent };
    this.#reportedOutput = output;
    this.#isReported = true;
    this.#hasStopReason = typeof delta?.stop_reason === 'string';
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

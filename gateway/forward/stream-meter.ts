import { isApiError } from '../../policy/cost/api-error.ts';
import { UsageReports } from '../../policy/prices/usage-reports.ts';
import { type AnswerJSON, errorTypeOf, MODEL_REFUSED, modelOf, parseAnswer } from './answer-fields.ts';
import type { Meter, Metered } from './meter.ts';
import { EventScanner } from './sse.ts';

/** What some upstreams send as the last data of a stream, instead of message_stop. */
const DONE = '[DONE]';

/** Picks the usage out of a stream of server-sent events, whichever events it is in. */
export class StreamMeter implements Meter {
  readonly isStream = true;
  readonly #scanner: EventScanner;
  readonly #reports = new UsageReports();
  #model: string | null = null;
  #hasBegun = false;
  #hasContent = false;
  /** Behind all content: the output was reported; the reason for which the model stopped was named. */
  #isReported = false;
  #hasStopReason = false;
  /** The model refused before any content. */
  #hasDeclined = false;
  #isStopped = false;
  #hasFailed = false;
  #hasErrorEvent = false;
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
    this.#scanner = new EventScanner((event, data, bytes) => {
      if (data === null) this.#takeTooLong(event, bytes);
      else this.#take(event, data);
    });
  }

  get hasBegun(): boolean {
    return this.#reports.saysInput;
  }

  write(chunk: Buffer): void {
    this.#scanner.write(chunk);
  }

  end(): Metered {
    this.#scanner.end();
    this.#endHidden();
    const usage = this.#reports.read();
    const isComplete = this.#isStopped && !this.#hasFailed;
    return {
      usage: usage && { ...usage, declined: this.#hasDeclined && !this.#hasContent },
      // The output count of message_start is not a final usage.
      isFinal: this.#isReported && (isComplete || this.#hasStopReason),
      model: this.#model,
      isComplete,
      // A message that has begun and does not say what its prompt costs is not nothing.
      hasContent: this.#hasContent || this.#scanner.hasOther || (this.#hasBegun && usage === null),
      isApiError: false,
      hasErrorEvent: this.#hasErrorEvent,
      errorType: this.#errorType,
      unpricedBytes: this.#unpricedBytes,
      textBytes: this.#pricedBytes + this.#unpricedBytes,
      hiddenMs: Math.round(this.#hiddenMs),
    };
  }

  #take(event: string, data: string): void {
    if (data === DONE) {
      this.#isStopped = true;
      return;
    }
    const parsed = parseAnswer(data);
    const { type, delta, message } = parsed;
    const kind = typeof type === 'string' ? type : event;
    this.#takeKind(kind, parsed);
    if (delta?.stop_reason != null) this.#takeStopReason(delta.stop_reason);
    this.#takeUsage(parsed.usage);
    this.#takeUsage(delta?.usage);
    if (kind !== 'message_start') this.#takeUsage(message?.usage);
  }

  #takeKind(kind: string, parsed: AnswerJSON): void {
    switch (kind) {
      case 'content_block_delta':
        this.#takePiece(textBytes(parsed.delta));
        break;
      case 'content_block_start':
        this.#takeBlock(parsed);
        break;
      case 'message_start':
        this.#takeStart(parsed.message ?? {});
        break;
      case 'message_delta':
        this.#endHidden();
        break;
      case 'message_stop':
        this.#isStopped = true;
        break;
      case 'error':
        this.#hasFailed = true;
        this.#hasErrorEvent = isApiError(parsed);
        this.#errorType = errorTypeOf(parsed);
        break;
      case 'ping':
        break;
      default:
        // The end of a block, or something that nobody knows.
        this.#hasContent = true;
    }
  }

  #takeStart(message: AnswerJSON): void {
    // Of two messages in one stream only the last one would be priced.
    if (this.#hasBegun) this.#reports.spoil();
    this.#hasBegun = true;
    this.#reports.begin(message.usage);
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
      this.#reports.spoil();
      this.#hasContent = true;
    }
  }

  #takeContent(): void {
    this.#hasContent = true;
    this.#isReported = false;
    this.#hasStopReason = false;
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

  #takeUsage(report: unknown): void {
    if (report == null || !this.#reports.add(report)) return;
    this.#isReported = true;
    this.#pricedBytes += this.#unpricedBytes;
    this.#unpricedBytes = 0;
  }

  #takeStopReason(reason: unknown): void {
    this.#hasStopReason = typeof reason === 'string';
    this.#hasDeclined = reason === MODEL_REFUSED;
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

import { mergeDelta, readUsage, type Usage } from '../policy/usage.ts';
import { EventScanner } from './sse.ts';

/** What an answer said about its usage, as far as it was seen. */
export interface Metered {
  /** Null where the answer has not said anything yet. */
  readonly usage: Usage | null;
  /** The model that served, null where the answer did not say. */
  readonly model: string | null;
  /** The answer was seen to its end: what it has not said by then it never says. */
  readonly complete: boolean;
  /** Bytes of output that went by: what an answer that was cut has produced at least. */
  readonly outputBytes: number;
}

/** An answer of which nothing was seen. */
export const UNMETERED: Metered = { usage: null, model: null, complete: false, outputBytes: 0 };

/** Reads the usage of a whole answer. Never throws. */
export function meterAnswer(body: Buffer): Metered {
  const answer = parse(body.toString('utf8'));
  const usage = answer.usage === undefined ? null : readUsage(answer.usage);
  return { usage, model: modelOf(answer), complete: true, outputBytes: 0 };
}

/** `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":""}}` and `data: ` around each piece. */
const ENVELOPE_BYTES = 80;

/** Follows a stream of server-sent events on its way by and picks its usage out. */
export class StreamMeter {
  readonly #scanner: EventScanner;
  #usage: Usage | null = null;
  #model: string | null = null;
  #isFinal = false;
  #isStopped = false;
  #hasFailed = false;
  #outputBytes = 0;

  constructor() {
    this.#scanner = new EventScanner(['message_start', 'message_delta', 'message_stop', 'error'], {
      onEvent: (event, data) => this.#take(event, data),
      onOther: (bytes) => (this.#outputBytes += Math.max(1, bytes - ENVELOPE_BYTES)),
    });
  }

  write(chunk: Buffer): void {
    this.#scanner.write(chunk);
  }

  end(): Metered {
    this.#scanner.end();
    const complete = this.#isStopped && !this.#hasFailed;
    // What message_start says of the output is no final usage.
    const usage = complete && !this.#isFinal ? null : this.#usage;
    return { usage, model: this.#model, complete, outputBytes: this.#outputBytes };
  }

  #take(event: string, data: string): void {
    const parsed = parse(data);
    switch (event === '' ? parsed.type : event) {
      case 'message_start':
        this.#usage = readUsage(parsed.message?.usage);
        this.#model = modelOf(parsed.message ?? {});
        break;
      case 'message_delta':
        if (parsed.usage === undefined) break;
        this.#usage = this.#usage === null ? readUsage(parsed.usage) : mergeDelta(this.#usage, parsed.usage);
        this.#isFinal = true;
        break;
      case 'message_stop':
        this.#isStopped = true;
        break;
      case 'error':
        this.#hasFailed = true;
        break;
      default:
        this.#outputBytes += Math.max(1, data.length - ENVELOPE_BYTES);
    }
  }
}

interface Answer {
  readonly type?: unknown;
  readonly model?: unknown;
  readonly usage?: unknown;
  readonly message?: Answer;
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

import { Pool } from 'undici';
import type { Behaviour } from '../test/fakes/upstream/behaviour.ts';

/** One call of a benchmark. */
export interface Call {
  model?: string;
  maxTokens?: number;
  stream?: boolean;
  /** How long the prompt is, in bytes. */
  promptBytes?: number;
  /** How the stand-in behaves. */
  behaviour?: Behaviour;
  headers?: Readonly<Record<string, string>>;
  /** The caller leaves when this fires. */
  signal?: AbortSignal;
}

/** An answer. Times in milliseconds since the call was sent. */
export interface Answer {
  status: number;
  /** When the first byte of the body came. */
  firstByte: number;
  total: number;
  text: string;
}

/** A client of the Messages API with its own connections. It never retries. */
export class MessagesClient {
  readonly #pool: Pool;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(baseURL: string, apiKey: string, connections: number) {
    this.#pool = new Pool(baseURL, { connections, pipelining: 1, headersTimeout: 60_000, bodyTimeout: 120_000 });
    this.#headers = { 'x-api-key': apiKey, 'anthropic-version': '2023-06-01', 'content-type': 'application/json' };
  }

  /** Sends one call and reads its answer; `onFirstByte` is called with the status when the body begins. */
  async send(call: Call, onFirstByte?: (status: number) => void): Promise<Answer> {
    const started = performance.now();
    const headers = { ...this.#headers, ...call.headers, ...directive(call.behaviour) };
    const { statusCode, body } = await this.#pool.request({
      method: 'POST',
      path: '/v1/messages',
      headers,
      body: bodyOf(call),
      ...(call.signal ? { signal: call.signal } : {}),
    });
    const chunks: Buffer[] = [];
    let firstByte = 0;
    for await (const chunk of body) {
      if (chunks.length === 0) {
        firstByte = performance.now() - started;
        onFirstByte?.(statusCode);
      }
      chunks.push(chunk as Buffer);
    }
    return {
      status: statusCode,
      firstByte,
      total: performance.now() - started,
      text: Buffer.concat(chunks).toString(),
    };
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}

function directive(behaviour: Behaviour | undefined): Record<string, string> {
  return behaviour === undefined ? {} : { 'x-stainless-stand-in': JSON.stringify(behaviour) };
}

function bodyOf({ model = 'claude-sonnet-5-5', maxTokens = 200, stream = false, promptBytes = 800 }: Call): string {
  return JSON.stringify({
    model,
    max_tokens: maxTokens,
    stream,
    messages: [{ role: 'user', content: 'x'.repeat(promptBytes) }],
  });
}

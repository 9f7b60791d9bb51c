import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** An answer of the upstream, byte for byte. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** A request as it came. */
export interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** An upstream that gives each key the answer prescribed for it, whatever is asked, and keeps what it received. */
export class ReplayingUpstream {
  readonly #replies = new Map<string, Reply>();
  readonly #received = new Map<string, Received[]>();
  readonly #server = createServer((request, response) => {
    void (async () => {
      const key = String(request.headers['x-api-key']);
      this.#received.get(key)?.push({ headers: request.headers, body: await buffer(request) });
      const { status, headers, body } = this.#replies.get(key) ?? { status: 500, headers: {}, body: Buffer.alloc(0) };
      response.writeHead(status, headers).end(body);
    })();
  });

  async start(): Promise<string> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await once(this.#server.close(), 'close');
  }

  prescribe(key: string, reply: Reply): void {
    this.#replies.set(key, reply);
    this.#received.set(key, []);
  }

  /** All requests with a key, in the order in which they came. */
  received(key: string): readonly Received[] {
    return this.#received.get(key) ?? [];
  }
}

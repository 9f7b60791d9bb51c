import { parseRedisUrl } from '../../config/redis-address.ts';
import { overflow } from '../amount-checks.ts';
import { LedgerUnreachable } from '../ledger.ts';
import { keyPrefix } from './keys.ts';
import { type Client, openClient } from './open-client.ts';
import type { Script } from './scripts.ts';

export interface ConnectionOptions {
  /** One of the forms of `parseRedisUrl`. */
  readonly url: string;
  /** The certificates by which servers with TLS are trusted, in PEM; absent: those of the system. */
  readonly ca?: string | undefined;
  /** The installation's name: prefix and hash tag of all its keys. */
  readonly installation: string;
  /** How long one command may take before Redis counts as unreachable. Milliseconds. */
  readonly commandTimeout?: number;
  /** Called when Redis becomes reachable or unreachable, never twice in a row with the same. */
  readonly onReachable?: (reachable: boolean, error?: LedgerUnreachable) => void;
}

/** A script's answer over RESP2: integers as numbers, bulk strings as strings, nil as null. */
export type Reply = readonly unknown[];

/** How soon a client that gave up connects again. Milliseconds. */
const RECONNECT_MS = 250;

/** A connection that reconnects by itself, queues nothing while it is down and never repeats a command. */
export class Connection {
  readonly #redis: Client;
  readonly #prefix: string;
  #isClosed = false;
  /** Why there is no connection, while there is none. */
  #reason = 'no connection yet';

  constructor(options: ConnectionOptions) {
    this.#prefix = keyPrefix(options.installation);
    const { commandTimeout = 1000, ca } = options;
    this.#redis = openClient(parseRedisUrl(options.url), { commandTimeout, ca });
    this.#watch(options.onReachable ?? (() => {}));
  }

  #watch(onReachable: (reachable: boolean, error?: LedgerUnreachable) => void): void {
    let reachable: boolean | null = null;
    const change = (next: boolean): void => {
      if (reachable !== next) onReachable(next, next ? undefined : new LedgerUnreachable(this.#reason));
      reachable = next;
    };
    // The message only: the error itself carries the command, which may be AUTH with the password.
    this.#redis.on('error', (error: Error) => (this.#reason = error.message));
    this.#redis.on('ready', () => {
      this.#reason = 'connection closed';
      change(true);
    });
    this.#redis.on('close', () => change(false));
    // A fail-over that is announced while the client connects makes it give up for good.
    this.#redis.on('end', () => {
      if (!this.#isClosed) setTimeout(() => void this.#redis.connect().catch(() => {}), RECONNECT_MS).unref();
    });
  }

  /** The key of this installation that ends in `name`. */
  key(name: string): string {
    return `${this.#prefix}:${name}`;
  }

  /** Runs a script; sends its text only where Redis does not know it yet, e.g. after a fail-over. */
  async run(script: Script, args: readonly string[]): Promise<Reply> {
    try {
      return (await this.#redis.evalsha(script.sha, 1, this.#prefix, ...args)) as Reply;
    } catch (error) {
      if (!isReply(error, 'NOSCRIPT')) throw this.#translate(error);
    }
    return this.attempt((redis) => redis.eval(script.source, 1, this.#prefix, ...args) as Promise<Reply>);
  }

  /** Runs a plain command, with the errors of `run`. */
  async attempt<T>(command: (redis: Client) => Promise<T>): Promise<T> {
    try {
      return await command(this.#redis);
    } catch (error) {
      throw this.#translate(error);
    }
  }

  /** A script's own error stays; all else is `LedgerUnreachable`. None of ioredis is kept: it carries the arguments. */
  #translate(error: unknown): Error {
    const message = error instanceof Error ? error.message : String(error);
    if (isReply(error, 'OVERFLOW')) return overflow();
    if (isReply(error, 'ERR')) return new Error(message);
    // For a command without a connection ioredis reports its own settings, and not what is wrong.
    return new LedgerUnreachable(message.includes('enableOfflineQueue') ? this.#reason : message);
  }

  close(): void {
    this.#isClosed = true;
    this.#redis.disconnect();
  }
}

function isReply(error: unknown, code: string): boolean {
  return error instanceof Error && error.name === 'ReplyError' && error.message.startsWith(code);
}

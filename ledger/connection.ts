import { Redis } from 'ioredis';
import { overflow } from './amounts.ts';
import { LedgerUnreachable } from './ledger.ts';
import type { Script } from './scripts.ts';
import type { Reply } from './wire.ts';

/** How Redis is reached. */
export interface ConnectionOptions {
  /** `redis://:password@host:port/db`, or `rediss://`. */
  readonly url: string;
  /** How long one command may take before it counts as unreachable. Milliseconds. */
  readonly commandTimeout?: number;
  /** Called when Redis comes within reach or goes out of it, never twice in a row with the same. */
  readonly onReachable?: (reachable: boolean, error?: LedgerUnreachable) => void;
}

/** A connection that reconnects by itself, queues nothing while it is down and never repeats a command. */
export class Connection {
  readonly redis: Redis;
  readonly #prefix: string;

  constructor(options: ConnectionOptions, prefix: string) {
    this.#prefix = prefix;
    this.redis = new Redis(options.url, {
      // RESP2 is spoken by every Redis, Valkey and proxy, and nothing here needs more.
      protocol: 2,
      disableClientInfo: true,
      commandTimeout: options.commandTimeout ?? 1000,
      connectTimeout: 2000,
      // A host that vanished without a word: give the connection up.
      socketTimeout: 5000,
      enableOfflineQueue: false,
      // What is asked in one turn of the event loop goes out in one write.
      enableAutoPipelining: true,
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      retryStrategy: (times) => Math.min(times * 50, 1000),
    });
    this.#watch(options.onReachable ?? (() => {}));
  }

  #watch(onReachable: (reachable: boolean, error?: LedgerUnreachable) => void): void {
    let reachable: boolean | null = null;
    let reason = 'connection closed';
    const change = (next: boolean): void => {
      if (reachable !== next) onReachable(next, next ? undefined : new LedgerUnreachable(reason));
      reachable = next;
    };
    // The message only: the error itself carries the command, which may be AUTH with the password.
    this.redis.on('error', (error: Error) => (reason = error.message));
    this.redis.on('ready', () => change(true));
    this.redis.on('close', () => change(false));
  }

  /** Runs a script; sends its text only where Redis does not know it yet, e.g. after a fail-over. */
  async run(script: Script, args: readonly string[]): Promise<Reply> {
    try {
      return (await this.redis.evalsha(script.sha, 1, this.#prefix, ...args)) as Reply;
    } catch (error) {
      if (!isReply(error, 'NOSCRIPT')) throw translate(error);
    }
    return this.attempt(() => this.redis.eval(script.source, 1, this.#prefix, ...args) as Promise<Reply>);
  }

  /** Runs a plain command, with the errors of `run`. */
  async attempt<T>(command: () => Promise<T>): Promise<T> {
    try {
      return await command();
    } catch (error) {
      throw translate(error);
    }
  }

  close(): void {
    this.redis.disconnect();
  }
}

function isReply(error: unknown, code: string): boolean {
  return error instanceof Error && error.name === 'ReplyError' && error.message.startsWith(code);
}

/**
 * A script's own mistakes stay mistakes; everything else (down, loading, full, read-only) is out of reach. No error of
 * ioredis goes further: it carries the command with all its arguments.
 */
function translate(error: unknown): Error {
  const message = error instanceof Error ? error.message : String(error);
  if (isReply(error, 'OVERFLOW')) return overflow();
  return isReply(error, 'ERR') ? new Error(message) : new LedgerUnreachable(message);
}

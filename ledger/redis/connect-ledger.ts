import type { Ledger } from '../ledger.ts';
import { LedgerSession } from '../session/ledger-session.ts';
import { DEFAULT_USAGE_LIMIT } from '../streams.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import { RedisOperatorLedger } from './operator-ledger.ts';
import { parseServerInfo, type ServerInfo } from './server-info.ts';
import { RedisTransport } from './transport.ts';

/** Which ledger, and how it is reached. */
export interface LedgerOptions extends ConnectionOptions {
  /** The epoch in which the ledger is expected, null while it is not known; asked at each call. */
  readonly epoch: () => string | null;
  /** How many usage records may wait in the stream before nothing more is admitted. */
  readonly usageLimit?: number;
}

/** A ledger in Redis, and the connection to it. */
export interface RedisLedger extends Ledger {
  /** What INFO says about the server. Throws `LedgerUnreachable`. */
  server(): Promise<ServerInfo>;
  /** Closes the connection; commands under way fail. */
  close(): void;
}

/**
 * Connects to the ledger of an installation in the background and returns at once: until Redis answers, and whenever it
 * stops answering, every method throws `LedgerUnreachable`.
 */
export function connectLedger(options: LedgerOptions): RedisLedger {
  const { epoch, usageLimit = DEFAULT_USAGE_LIMIT } = options;
  const connection = new Connection(options);
  return {
    gateway: new LedgerSession(new RedisTransport(connection, epoch, usageLimit), epoch),
    operator: new RedisOperatorLedger(connection, epoch),
    server: async () => parseServerInfo(await connection.attempt((redis) => redis.info())),
    close: () => connection.close(),
  };
}

import type { Ledger } from '../operator-ledger.ts';
import { LedgerSession } from '../session/ledger-session.ts';
import { DEFAULT_USAGE_LIMIT } from '../streams.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import { RedisOperatorLedger } from './operator-ledger.ts';
import { RedisTransport } from './transport.ts';

/** The facts about a Redis server that a ledger depends on. */
export interface ServerInfo {
  /** For example `7.2.4`; of Valkey, the Redis version with which it is compatible. */
  readonly version: string;
  readonly hasAppendOnlyFile: boolean;
  /** What it does when its memory is full; only `noeviction` loses no money. */
  readonly evictionPolicy: string;
  /** Bytes. */
  readonly usedMemory: number;
  /** Bytes; null where there is no limit. */
  readonly maxMemory: number | null;
}

export interface LedgerOptions extends ConnectionOptions {
  /** The epoch in which the ledger is expected, null while it is not known; asked at each call. */
  readonly epoch: () => string | null;
  /** How many usage records may wait in the stream before nothing more is admitted. */
  readonly usageLimit?: number;
}

export interface RedisLedger extends Ledger {
  /** What INFO says about the server. Throws `LedgerUnreachable`. */
  server(): Promise<ServerInfo>;
  /** Closes the connection; commands under way fail. */
  close(): void;
}

/** Connects in the background and returns at once; while Redis does not answer, methods throw `LedgerUnreachable`. */
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

/** Parses the reply to INFO. A field that a managed service leaves out gets its harmless value. */
function parseServerInfo(info: string): ServerInfo {
  const lines = info.split(/\r?\n/).filter((line) => line.includes(':'));
  const fields = new Map(lines.map((line) => line.split(':', 2) as [string, string]));
  const limit = Number(fields.get('maxmemory') ?? 0);
  return {
    version: fields.get('redis_version') ?? 'of an unknown version',
    hasAppendOnlyFile: fields.get('aof_enabled') !== '0',
    evictionPolicy: fields.get('maxmemory_policy') ?? 'noeviction',
    usedMemory: Number(fields.get('used_memory') ?? 0),
    maxMemory: limit === 0 ? null : limit,
  };
}

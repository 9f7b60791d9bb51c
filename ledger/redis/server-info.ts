/** The facts about a Redis server that a ledger depends on. */
export interface ServerInfo {
  /** For example `7.2.4`; of Valkey, the Redis version with which it is compatible. */
  readonly version: string;
  /** Whether it writes an append-only file. */
  readonly hasAppendOnlyFile: boolean;
  /** What it does when its memory is full; only `noeviction` loses no money. */
  readonly evictionPolicy: string;
  /** Bytes. */
  readonly usedMemory: number;
  /** Bytes; null where there is no limit. */
  readonly maxMemory: number | null;
}

/** Parses the reply to INFO. A field that a managed service leaves out gets its harmless value. */
export function parseServerInfo(info: string): ServerInfo {
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

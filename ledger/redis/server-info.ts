/** What a Redis says of itself, as far as a ledger depends on it. */
export interface ServerInfo {
  /** `7.2.4`. Valkey says which Redis it is compatible with. */
  readonly version: string;
  /** Whether an append-only file is kept. */
  readonly keepsFile: boolean;
  /** What it does when its memory is full; only `noeviction` forgets no money. */
  readonly evictionPolicy: string;
  /** Bytes. */
  readonly usedMemory: number;
  /** Bytes; null where there is no limit. */
  readonly maxMemory: number | null;
}

/** Reads the answer to INFO. What a managed service leaves out has its harmless value. */
export function parseServerInfo(info: string): ServerInfo {
  const lines = info.split(/\r?\n/).filter((line) => line.includes(':'));
  const said = new Map(lines.map((line) => line.split(':', 2) as [string, string]));
  const limit = Number(said.get('maxmemory') ?? 0);
  return {
    version: said.get('redis_version') ?? 'of an unknown version',
    keepsFile: said.get('aof_enabled') !== '0',
    evictionPolicy: said.get('maxmemory_policy') ?? 'noeviction',
    usedMemory: Number(said.get('used_memory') ?? 0),
    maxMemory: limit === 0 ? null : limit,
  };
}

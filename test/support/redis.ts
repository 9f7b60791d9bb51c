import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Redis, type RedisOptions, startRedis as start } from '../../hack/services/redis.ts';

/**
 * Starts a redis-server of the test's own; the test stops it. To bring back one that was stopped or killed, pass its
 * `directory`, `port` and `password` again.
 */
export function startRedis(options: Partial<RedisOptions> = {}): Promise<Redis & { directory: string }> {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'tollgate-redis-'));
  return start({ ...options, directory }).then((redis) => ({ ...redis, directory }));
}

import type { Reading, ReadingQuery } from '../../policy/core/counter-reading.ts';
import type { LedgerState, SharedOperations } from '../ledger.ts';
import type { Connection, Reply } from './connection.ts';
import { decodeReading, decodeState, encodeQuery } from './operator-codec.ts';
import { scripts } from './scripts.ts';

/** How many leases one run of the sweep script takes, so that it never blocks Redis for long. */
const SWEEP_CHUNK = 100;
/** About how many counters one run of a script reads: thousands of budgets need a few round trips. */
const READ_CHUNK = 200;

export class RedisSharedOperations implements SharedOperations {
  protected readonly connection: Connection;
  readonly #expectedEpoch: () => string | null;

  constructor(connection: Connection, expectedEpoch: () => string | null) {
    this.connection = connection;
    this.#expectedEpoch = expectedEpoch;
  }

  async read(queries: readonly ReadingQuery[]): Promise<readonly Reading[]> {
    const replies = await Promise.all(
      chunksByCounters(queries).map((chunk) => this.connection.run(scripts.readCounters, chunk.flatMap(encodeQuery))),
    );
    return replies.flatMap((chunk) => chunk.map((reply) => decodeReading(reply as Reply)));
  }

  async state(): Promise<LedgerState> {
    return decodeState(await this.connection.run(scripts.readState, []), this.#expectedEpoch());
  }

  async sweep(): Promise<number> {
    let swept = 0;
    for (;;) {
      const [count, more] = await this.connection.run(scripts.sweep, [`${SWEEP_CHUNK}`]);
      swept += count as number;
      if (more !== 1) return swept;
    }
  }
}

function chunksByCounters(queries: readonly ReadingQuery[]): ReadingQuery[][] {
  const chunks: ReadingQuery[][] = [];
  let room = 0;
  for (const query of queries) {
    if (room <= 0) {
      chunks.push([]);
      room = READ_CHUNK;
    }
    chunks.at(-1)?.push(query);
    room -= 1 + (query.per ? query.top + query.also.length : 0);
  }
  return chunks;
}

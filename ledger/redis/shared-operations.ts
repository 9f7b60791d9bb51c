import type { Counter, Reading, ReadingQuery, ValueCounter } from '../../policy/core/counter-reading.ts';
import { decodeNano } from '../../policy/core/money.ts';
import type { LedgerState, SharedOperations } from '../ledger.ts';
import type { Connection, Reply } from './connection.ts';
import { type PartialQuery, slicesOf } from './reading-slices.ts';
import { scripts } from './scripts.ts';

/** How many leases one run of the sweep script takes, so that it never blocks Redis for long. */
const SWEEP_CHUNK = 100;

export class RedisSharedOperations implements SharedOperations {
  protected readonly connection: Connection;
  readonly #expectedEpoch: () => string | null;

  constructor(connection: Connection, expectedEpoch: () => string | null) {
    this.connection = connection;
    this.#expectedEpoch = expectedEpoch;
  }

  /** One script after another: other clients' scripts come in between. */
  async read(queries: readonly ReadingQuery[]): Promise<readonly Reading[]> {
    const readings: Reading[] = [];
    for (const slice of slicesOf(queries)) {
      const replies = await this.connection.run(scripts.readCounters, slice.flatMap(encodeQuery));
      for (const [index, { query }] of slice.entries()) {
        readings[query] = merge(readings[query], decodeReading(replies[index] as Reply));
      }
    }
    return readings;
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

/** The arguments of `read-counters` for one query. */
function encodeQuery({ counter, per, top, also, sharedValue }: PartialQuery): string[] {
  return per ? [counter, `${top}`, sharedValue ?? '', `${also.length}`, ...also] : [counter, '-1', '', '0'];
}

/** The reply of `read-counters` for one query; without values it has the pool alone. */
function decodeReading(reply: Reply): Reading {
  const [total, valueCount = 0, exhaustedCount = 0, ...list] = reply;
  const values: ValueCounter[] = [];
  for (let i = 0; i < list.length; i += 2) {
    values.push({ value: list[i] as string, ...decodeCounter(list[i + 1] as Reply) });
  }
  return {
    total: decodeCounter(total as Reply),
    values,
    valueCount: valueCount as number,
    exhaustedCount: exhaustedCount as number,
  };
}

/** Adds the values that a further slice has read. */
function merge(before: Reading | undefined, reading: Reading): Reading {
  if (before === undefined) return reading;
  const listed = new Set(before.values.map(({ value }) => value));
  return { ...before, values: [...before.values, ...reading.values.filter(({ value }) => !listed.has(value))] };
}

function decodeCounter(fields: Reply): Counter {
  const [spent, certain, committed, requests, refused, wouldRefuse, exhaustedAt, tooLarge, corrected] =
    fields as readonly (string | null)[];
  return {
    spentNano: decodeNano(spent ?? '0'),
    certainNano: decodeNano(certain ?? '0'),
    committedNano: decodeNano(committed ?? '0'),
    requests: Number(requests ?? 0),
    refused: Number(refused ?? 0),
    wouldRefuse: Number(wouldRefuse ?? 0),
    exhaustedAtNano: exhaustedAt == null ? null : decodeNano(exhaustedAt),
    correctedNano: decodeNano(corrected ?? '0'),
    tooLargeNano: tooLarge == null ? null : decodeNano(tooLarge),
  };
}

/** The reply of `read-state` for a client that expects this epoch. */
function decodeState(reply: Reply, expectedEpoch: string | null): LedgerState {
  const [now, epoch, sequence, streamLength, presumedCount, since, deep, missing] = reply;
  return {
    now: now as number,
    epoch: epoch as string | null,
    lost: epoch === null ? 'empty' : epoch === expectedEpoch ? null : 'otherEpoch',
    sequence: Number(sequence ?? 0),
    streamLength: streamLength as number,
    presumedCount: presumedCount as number,
    recovering:
      since === null
        ? null
        : { since: Number(since), deep: deep as string | null, missing: (missing as string[]).toSorted() },
  };
}

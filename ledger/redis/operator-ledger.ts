import { checkAmount } from '../amount-checks.ts';
import type { BatchLines, LoggedBatch, OpenBatch } from '../message-batches.ts';
import type { CounterMinimum, LivingGateway, OperatorLedger, PresumedCall } from '../operator-ledger.ts';
import type { RefusalEntry, StreamEntry } from '../streams.ts';
import * as codec from './operator-codec.ts';
import { scripts } from './scripts.ts';
import { RedisSharedOperations } from './shared-operations.ts';

/** How many calls one run of a script resolves, so that it never blocks Redis for long. */
const RESOLVE_CHUNK = 100;
/** How many counters, or batches, one run of a script restores. */
const RESTORE_CHUNK = 200;

export class RedisOperatorLedger extends RedisSharedOperations implements OperatorLedger {
  async gateways(): Promise<readonly LivingGateway[]> {
    return codec.decodeGateways(await this.#hash('reports'));
  }

  async raiseFences(fences: ReadonlyMap<string, number>): Promise<void> {
    if (fences.size === 0) return;
    const args = [...fences].flatMap(([workspace, version]) => [workspace, `${version}`]);
    await this.connection.run(scripts.raiseFences, args);
  }

  async fences(): Promise<ReadonlyMap<string, number>> {
    const fences = await this.#hash('fences');
    return new Map(Object.entries(fences).map(([workspace, version]) => [workspace, Number(version)]));
  }

  async establish(epoch: string): Promise<void> {
    await this.connection.run(scripts.establish, [epoch]);
  }

  async beginRebuild(epoch: string): Promise<void> {
    await this.connection.run(scripts.beginRebuild, [epoch]);
  }

  async raiseCounters(minimums: readonly CounterMinimum[]): Promise<void> {
    for (const chunk of chunks(minimums, RESTORE_CHUNK)) {
      await this.connection.run(scripts.raiseCounters, codec.encodeMinimums(chunk));
    }
  }

  async resume(since: number): Promise<boolean> {
    const [ended] = await this.connection.run(scripts.endRecovery, [`${since}`]);
    return ended === 1;
  }

  async presumedCalls(limit: number): Promise<readonly PresumedCall[]> {
    return limit < 1
      ? []
      : codec.decodePresumedCalls(await this.connection.run(scripts.listPresumedCalls, [`${limit}`]));
  }

  async resolvePresumed(ids: readonly string[], how: 'Book' | 'Release'): Promise<number> {
    let resolved = 0;
    for (const chunk of chunks(ids, RESOLVE_CHUNK)) {
      const [count] = await this.connection.run(scripts.resolvePresumed, [how === 'Book' ? '1' : '0', ...chunk]);
      resolved += count as number;
    }
    return resolved;
  }

  async openBatches(): Promise<readonly OpenBatch[]> {
    return codec.decodeOpenBatches(await this.connection.run(scripts.listOpenBatches, []));
  }

  async settleBatchLines(lines: BatchLines): Promise<{ settledLines: number }> {
    for (const { costNano } of lines.lines) checkAmount(costNano);
    const [settledLines] = await this.connection.run(scripts.settleBatchLines, codec.encodeBatchLines(lines));
    return { settledLines: settledLines as number };
  }

  async closeBatch(batch: string): Promise<void> {
    await this.connection.run(scripts.closeBatch, [batch]);
  }

  async restoreBatches(batches: readonly LoggedBatch[]): Promise<void> {
    for (const { reservedNano } of batches) checkAmount(reservedNano);
    for (const chunk of chunks(batches, RESTORE_CHUNK)) {
      await this.connection.run(scripts.restoreBatches, codec.encodeLoggedBatches(chunk));
    }
  }

  async readUsage(count: number): Promise<readonly StreamEntry[]> {
    return (await this.#oldest('usage', count)).map(codec.decodeUsageEntry);
  }

  deleteUsage(entries: readonly string[]): Promise<void> {
    return this.#delete('usage', entries);
  }

  async readRefusals(count: number): Promise<readonly RefusalEntry[]> {
    return (await this.#oldest('refusals', count)).map(codec.decodeRefusalEntry);
  }

  deleteRefusals(entries: readonly string[]): Promise<void> {
    return this.#delete('refusals', entries);
  }

  #hash(name: string): Promise<Record<string, string>> {
    return this.connection.attempt((redis) => redis.hgetall(this.connection.key(name)));
  }

  #oldest(stream: string, count: number): Promise<[string, string[]][]> {
    const key = this.connection.key(stream);
    return this.connection.attempt((redis) => redis.xrange(key, '-', '+', 'COUNT', count));
  }

  async #delete(stream: string, entries: readonly string[]): Promise<void> {
    const key = this.connection.key(stream);
    if (entries.length > 0) await this.connection.attempt((redis) => redis.xdel(key, ...entries));
  }
}

function* chunks<T>(list: readonly T[], size: number): Generator<readonly T[]> {
  for (let i = 0; i < list.length; i += size) yield list.slice(i, i + size);
}

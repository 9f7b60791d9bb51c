import type { Ref } from '../../policy/core/compiled-policy.ts';
import { add, decodeNano, ZERO } from '../../policy/core/money.ts';
import { checkAmount } from '../amount-checks.ts';
import type { GatewayReport } from '../gateway-ledger.ts';
import {
  BATCH_OWNER_TTL_MS,
  type BatchLines,
  encodeOwner,
  type LoggedBatch,
  type OpenBatch,
} from '../message-batches.ts';
import type {
  CounterCorrection,
  CounterMinimum,
  LivingGateway,
  OperatorLedger,
  PresumedCall,
  ReleasedCalls,
} from '../operator-ledger.ts';
import type { RefusalEntry, RefusalRow, StreamEntry } from '../streams.ts';
import type { Reply } from './connection.ts';
import { scripts } from './scripts.ts';
import { RedisSharedOperations } from './shared-operations.ts';

/** How many calls one run of a script resolves, so that it never blocks Redis for long. */
const RESOLVE_CHUNK = 100;
/** How many counters, or batches, one run of a script restores. */
const RESTORE_CHUNK = 200;

export class RedisOperatorLedger extends RedisSharedOperations implements OperatorLedger {
  async gateways(): Promise<readonly LivingGateway[]> {
    return decodeGateways(await this.#hash('reports'));
  }

  async raiseFences(fences: ReadonlyMap<string, number>): Promise<void> {
    if (fences.size === 0) return;
    const args = [...fences].flatMap(([workspace, version]) => [workspace, `${version}`]);
    await this.connection.run(scripts.raiseFences, args);
  }

  async forgetFences(gone: ReadonlyMap<string, number>): Promise<void> {
    if (gone.size === 0) return;
    const args = [...gone].flatMap(([workspace, version]) => [workspace, `${version}`]);
    await this.connection.run(scripts.forgetFences, args);
  }

  async fences(): Promise<ReadonlyMap<string, number>> {
    const { '': _, ...fences } = await this.#hash('fences');
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
      await this.connection.run(scripts.raiseCounters, encodeMinimums(chunk));
    }
  }

  async correctCounters(corrections: readonly CounterCorrection[]): Promise<number> {
    let changed = 0;
    for (const chunk of chunks(corrections, RESTORE_CHUNK)) {
      const args = chunk.flatMap(({ counter, correctedNano }) => [counter, `${correctedNano}`]);
      const [count] = await this.connection.run(scripts.correctCounters, args);
      changed += count as number;
    }
    return changed;
  }

  async resume(since: number): Promise<boolean> {
    const [ended] = await this.connection.run(scripts.endRecovery, [`${since}`]);
    return ended === 1;
  }

  async presumedCalls(limit: number): Promise<readonly PresumedCall[]> {
    return limit < 1 ? [] : decodePresumedCalls(await this.connection.run(scripts.listPresumedCalls, [`${limit}`]));
  }

  async resolvePresumed(ids: readonly string[], how: 'Book' | 'Release'): Promise<number> {
    let resolved = 0;
    for (const chunk of chunks(ids, RESOLVE_CHUNK)) {
      const [count] = await this.connection.run(scripts.resolvePresumed, [how === 'Book' ? '1' : '0', ...chunk]);
      resolved += count as number;
    }
    return resolved;
  }

  async endBooked(ids: readonly string[]): Promise<number> {
    let ended = 0;
    for (const chunk of chunks(ids, RESOLVE_CHUNK)) {
      const [count] = await this.connection.run(scripts.endBooked, [...chunk]);
      ended += count as number;
    }
    return ended;
  }

  async releaseDue(): Promise<ReleasedCalls> {
    let released: ReleasedCalls = { calls: 0, releasedNano: ZERO };
    for (;;) {
      const [calls, nanos] = (await this.connection.run(scripts.releaseDue, [`${RESOLVE_CHUNK}`])) as [number, string];
      const releasedNano = add(released.releasedNano, decodeNano(nanos));
      released = { calls: released.calls + calls, releasedNano };
      if (calls < RESOLVE_CHUNK) return released;
    }
  }

  async openBatches(): Promise<readonly OpenBatch[]> {
    return decodeOpenBatches(await this.connection.run(scripts.listOpenBatches, []));
  }

  async settleBatchLines(lines: BatchLines): Promise<{ settledLines: number }> {
    for (const { costNano } of lines.lines) checkAmount(costNano);
    const [settledLines] = await this.connection.run(scripts.settleBatchLines, encodeBatchLines(lines));
    return { settledLines: settledLines as number };
  }

  async closeBatch(batch: string): Promise<void> {
    await this.connection.run(scripts.closeBatch, [batch]);
  }

  async restoreBatches(batches: readonly LoggedBatch[]): Promise<void> {
    for (const { reservedNano } of batches) checkAmount(reservedNano);
    for (const chunk of chunks(batches, RESTORE_CHUNK)) {
      await this.connection.run(scripts.restoreBatches, encodeLoggedBatches(chunk));
    }
  }

  async readUsage(count: number): Promise<readonly StreamEntry[]> {
    return (await this.#oldest('usage', count)).map(decodeUsageEntry);
  }

  deleteUsage(entries: readonly string[]): Promise<void> {
    return this.#delete('usage', entries);
  }

  async readRefusals(count: number): Promise<readonly RefusalEntry[]> {
    return (await this.#oldest('refusals', count)).map(decodeRefusalEntry);
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

function encodeMinimums(minimums: readonly CounterMinimum[]): string[] {
  return minimums.flatMap(({ counter, keepUntil, spentNano, presumedNano, requests, correctedNano = '' }) =>
    [counter, keepUntil, spentNano, presumedNano, requests, correctedNano].map(String),
  );
}

function decodePresumedCalls(reply: Reply): PresumedCall[] {
  return (reply as readonly [string, string, number, string][]).map(([id, worst, presumedSince, counters]) => ({
    id,
    worstNano: decodeNano(worst),
    presumedSince,
    counters: counters === '' ? [] : counters.split('\n'),
  }));
}

function decodeGateways(reports: Readonly<Record<string, string>>): LivingGateway[] {
  return Object.entries(reports).map(([incarnation, report]) => ({
    incarnation,
    ...(JSON.parse(report) as GatewayReport),
  }));
}

function encodeBatchLines({ batch, from, lines }: BatchLines): string[] {
  return [batch, `${from}`, ...lines.flatMap(({ costNano, record }) => [`${costNano}`, JSON.stringify(record)])];
}

function encodeLoggedBatches(batches: readonly LoggedBatch[]): string[] {
  const list = batches.flatMap((one) => {
    const { batch, id, meta, settledLines, reservedNano, settled, counters, keepUntil } = one;
    const counterLines = [keepUntil, ...counters].join('\n');
    const progress = [`${settledLines}`, `${reservedNano}`, settled ? '1' : '0'];
    return [batch, id, ...encodeOwner(one), meta, ...progress, counterLines];
  });
  return [`${BATCH_OWNER_TTL_MS}`, ...list];
}

function decodeOpenBatches(reply: Reply): OpenBatch[] {
  const batches = reply as readonly [string, string, Ref, string, string, string, number, string][];
  return batches.map(([batch, id, workspace, workspaceUid, namespaceUid, meta, settledLines, reserved]) => {
    const owner = { workspace, workspaceUid, namespaceUid };
    return { ...owner, batch, id, meta, settledLines, reservedNano: decodeNano(reserved) };
  });
}

type RawEntry = [string, string[]];

function decodeUsageEntry([entry, fields]: RawEntry): StreamEntry {
  const { record = '{}', counters: expiryAndNames = '0' } = fieldsOf(fields);
  const [keepUntil, ...counters] = expiryAndNames.split('\n');
  return { entry, record: parseRecord(record), counters, keepUntil: Number(keepUntil) };
}

function decodeRefusalEntry([entry, fields]: RawEntry): RefusalEntry {
  return { entry, row: parseRecord(fieldsOf(fields)['row'] ?? '{}') as unknown as RefusalRow };
}

/** An entry that is not JSON must not block those behind it: it decodes to an object without any known field. */
function parseRecord(text: string): object {
  try {
    return JSON.parse(text) as object;
  } catch {
    return { unreadable: text };
  }
}

function fieldsOf(fields: readonly string[]): Record<string, string> {
  return Object.fromEntries(fields.flatMap((name, i) => (i % 2 === 0 ? [[name, fields[i + 1] ?? '']] : [])));
}

import { setTimeout as sleep } from 'node:timers/promises';
import type { UsageRecord } from '../../policy/core/usage-record.ts';
import type { GatewayReport } from '../gateway-ledger.ts';
import type { BatchOwner } from '../message-batches.ts';
import type { Reservation } from '../reservation.ts';
import type { LedgerChange } from '../session/ledger-change.ts';
import type { LedgerClient } from '../session/session-position.ts';
import type { BeatReply, ChangeReply, JoinReply, JoinRequest, ReserveReply, Transport } from '../session/transport.ts';
import { MAX_REFUSAL_ROWS, type RefusalRow } from '../streams.ts';
import type { Connection, Reply } from './connection.ts';
import { type Script, scripts } from './scripts.ts';
import * as codec from './session-codec.ts';
import { RedisSharedOperations } from './shared-operations.ts';

/** How long `leave` waits for a replica to confirm, and how often it looks. Milliseconds. */
const REPLICATION_TIMEOUT_MS = 3_000;
const POLL_MS = 50;

/** A session's operations in Redis: each that changes money is one script over all counters that it touches. */
export class RedisTransport extends RedisSharedOperations implements Transport {
  readonly #usageLimit: number;

  constructor(connection: Connection, expectedEpoch: () => string | null, usageLimit: number) {
    super(connection, expectedEpoch);
    this.#usageLimit = usageLimit;
  }

  async reserve(client: LedgerClient, reservation: Reservation): Promise<ReserveReply> {
    const args = [...codec.encodeReservation(reservation), `${this.#usageLimit}`];
    return codec.decodeReserve(await this.#run(scripts.reserve, client, args), reservation.worstNano);
  }

  async apply(client: LedgerClient, owner: string, change: LedgerChange): Promise<ChangeReply> {
    const args = [owner, ...codec.encodeChange(change)];
    return codec.decodeChange(await this.#run(scripts[change.kind], client, args));
  }

  async beat(client: LedgerClient, successor: string, report: GatewayReport): Promise<BeatReply> {
    return codec.decodeBeat(await this.#run(scripts.beat, client, [successor, JSON.stringify(report)]));
  }

  async join(client: LedgerClient, request: JoinRequest): Promise<JoinReply> {
    const { timeline } = request;
    return codec.decodeJoin(await this.#run(scripts.joinTimeline, { ...client, timeline }, codec.encodeJoin(request)));
  }

  async leave(incarnation: string): Promise<void> {
    await this.connection.run(scripts.unregister, [incarnation]);
    const [replicas, written] = await this.#replication();
    if (replicas === 0) return;
    // Nobody will replay this session's changes.
    for (let waited = 0; waited < REPLICATION_TIMEOUT_MS; waited += POLL_MS) {
      const [, , confirmed] = await this.#replication();
      if (confirmed >= written) return;
      await sleep(POLL_MS);
    }
  }

  /** The number of replicas, and the offsets that this server has written and the best replica has confirmed. Bytes. */
  async #replication(): Promise<[number, number, number]> {
    return (await this.connection.run(scripts.readReplication, [])) as [number, number, number];
  }

  async batchOwners(batches: readonly string[]): Promise<readonly (BatchOwner | null)[]> {
    const keys = batches.map((batch) => this.connection.key(`batch:${batch}`));
    const owners = await this.connection.attempt((redis) => Promise.all(keys.map((key) => redis.get(key))));
    return owners.map(codec.decodeOwner);
  }

  async appendFreeUsage(record: UsageRecord): Promise<void> {
    const key = this.connection.key('usage');
    await this.connection.attempt((redis) => redis.xadd(key, '*', 'record', JSON.stringify(record)));
  }

  async appendRefusals(rows: readonly RefusalRow[]): Promise<void> {
    if (rows.length === 0) return;
    const args = [`${MAX_REFUSAL_ROWS}`, ...rows.map((row) => JSON.stringify(row))];
    await this.connection.run(scripts.appendRefusals, args);
  }

  #run(script: Script, client: LedgerClient, args: readonly string[]): Promise<Reply> {
    return this.connection.run(script, [...codec.encodeClient(client), ...args]);
  }
}

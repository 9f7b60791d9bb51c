import type { Reading, ReadingQuery } from '../policy/counter.ts';
import { checkAmount } from './amounts.ts';
import { Author, type Caller } from './author.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import { ENDED_MS, keyPrefix } from './keys.ts';
import { LEASE_MS } from './ledger.ts';
import type { BeatAnswer, GatewayLedger, GatewayReport, LedgerState, LivingGateway, OperatorLedger } from './ledger.ts';
import type { Reservation, ReserveAnswer, SettleAnswer, Settlement } from './ledger.ts';
import { scripts } from './scripts.ts';
import * as wire from './wire.ts';

/** Which ledger, and how it is reached. */
export interface LedgerOptions extends ConnectionOptions {
  /** The installation's name: prefix and hash tag of all its keys. */
  readonly installation: string;
  /** The epoch in which the ledger is expected, null while it is not known; asked at each call. */
  readonly epoch: () => string | null;
}

/** How many leases one run of the sweep script takes, so that it never holds Redis up. */
const SWEEP_CHUNK = 100;

/**
 * The ledger of an installation, for a gateway or the operator. Connects in the background and returns at once: until
 * Redis answers, and whenever it stops answering, every method throws `LedgerUnreachable`.
 */
export function connectLedger(options: LedgerOptions): RedisLedger {
  return new RedisLedger(options);
}

/** The ledger in Redis: every operation is one script over all counters that it touches. */
export class RedisLedger implements GatewayLedger, OperatorLedger {
  readonly #connection: Connection;
  readonly #prefix: string;
  readonly #expectedEpoch: () => string | null;
  readonly #author: Author;

  constructor(options: LedgerOptions) {
    this.#prefix = keyPrefix(options.installation);
    this.#expectedEpoch = options.epoch;
    this.#author = new Author(options.epoch);
    this.#connection = new Connection(options, this.#prefix);
  }

  begin(incarnation: string): void {
    this.#author.begin(incarnation);
  }

  async reserve(reservation: Reservation): Promise<ReserveAnswer> {
    checkAmount(reservation.worstNano);
    const caller = this.#author.caller();
    // Before it is sent: a reserve whose answer is lost must be found by the release that follows.
    this.#author.own(reservation.id);
    const args = [...wire.encodeCaller(caller), ...wire.encodeReservation(reservation)];
    const reply = await this.#connection.run(scripts.reserve, args);
    const { answer, sequence } = wire.decodeReserve(reply, reservation.worstNano);
    if (answer.kind === 'admitted') this.#author.note(caller, sequence);
    else this.#author.disown(reservation.id);
    return answer;
  }

  async settle(settlement: Settlement): Promise<SettleAnswer> {
    checkAmount(settlement.costNano);
    checkAmount(settlement.presumedNano);
    checkAmount(settlement.costNano + settlement.presumedNano);
    const caller = this.#author.caller();
    const args = [
      ...wire.encodeCaller(caller),
      this.#author.ownerOf(settlement.id),
      ...wire.encodeSettlement(settlement),
    ];
    return this.#ended(settlement.id, caller, await this.#connection.run(scripts.settle, args));
  }

  async release(id: string): Promise<SettleAnswer> {
    const caller = this.#author.caller();
    const args = [...wire.encodeCaller(caller), this.#author.ownerOf(id), `${ENDED_MS}`, id];
    return this.#ended(id, caller, await this.#connection.run(scripts.release, args));
  }

  async beat(report: GatewayReport): Promise<BeatAnswer> {
    const caller = this.#author.caller();
    const args = [
      ...wire.encodeCaller(caller),
      `${LEASE_MS}`,
      this.#author.registered ? '0' : '1',
      JSON.stringify(report),
    ];
    const { answer, sequence } = wire.decodeBeat(await this.#connection.run(scripts.beat, args));
    if (answer.kind === 'alive') {
      this.#author.note(caller, sequence);
      this.#author.register(caller);
    }
    return answer;
  }

  async sweep(): Promise<number> {
    let swept = 0;
    for (;;) {
      const [count, more] = await this.#connection.run(scripts.sweep, [`${LEASE_MS}`, `${SWEEP_CHUNK}`]);
      swept += count as number;
      if (more !== 1) return swept;
    }
  }

  async leave(): Promise<void> {
    await this.#connection.run(scripts.leave, [this.#author.caller().incarnation]);
  }

  async read(queries: readonly ReadingQuery[]): Promise<readonly Reading[]> {
    return Promise.all(
      queries.map(async (query) =>
        wire.decodeReading(await this.#connection.run(scripts.read, wire.encodeQuery(query))),
      ),
    );
  }

  async state(): Promise<LedgerState> {
    return wire.decodeState(await this.#connection.run(scripts.state, []), this.#expectedEpoch());
  }

  async gateways(): Promise<readonly LivingGateway[]> {
    const { redis } = this.#connection;
    return wire.decodeGateways(await this.#connection.attempt(() => redis.hgetall(`${this.#prefix}:reports`)));
  }

  async raiseFences(fences: ReadonlyMap<string, number>): Promise<void> {
    if (fences.size === 0) return;
    const args = [...fences].flatMap(([workspace, version]) => [workspace, `${version}`]);
    await this.#connection.run(scripts.fences, args);
  }

  async fences(): Promise<ReadonlyMap<string, number>> {
    const { redis } = this.#connection;
    const fences = await this.#connection.attempt(() => redis.hgetall(`${this.#prefix}:fences`));
    return new Map(Object.entries(fences).map(([workspace, version]) => [workspace, Number(version)]));
  }

  async establish(epoch: string): Promise<void> {
    await this.#connection.run(scripts.establish, [epoch]);
  }

  /** Ends the connection; what is under way fails. */
  close(): void {
    this.#connection.close();
  }

  #ended(id: string, caller: Caller, [answer, sequence]: wire.Reply): SettleAnswer {
    this.#author.disown(id);
    if (sequence !== undefined) this.#author.note(caller, Number(sequence));
    return answer as SettleAnswer;
  }
}

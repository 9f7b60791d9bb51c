import { add, max, MAX_NANO, type Nano, subtract, ZERO } from '../../policy/core/money.ts';
import type { UsageRecord } from '../../policy/core/usage-record.ts';
import { overflow } from '../amount-checks.ts';
import { RELEASE_AFTER_MS, TOMBSTONE_MS } from '../durations.ts';
import type { Settlement } from '../reservation.ts';
import type { CounterChange } from './counter.ts';
import type { Lease, MemoryState, PresumedLease } from './state.ts';

/** The status of a call, and its lease if it has one. */
export type FoundCall =
  | { readonly status: 'open' | 'swept' | 'booked'; readonly lease: Lease }
  | { readonly status: 'ended' | 'unknown'; readonly lease?: undefined };

export type LeasedCall = Extract<FoundCall, { lease: Lease }>;

type Origin = PresumedLease['origin'];

/** How the money of leases moves: what redis/scripts/shared/leases.lua does. */
export class MemoryLeases {
  readonly #state: MemoryState;
  readonly #clock: () => number;

  /** `clock`: milliseconds since the epoch. */
  constructor(state: MemoryState, clock: () => number) {
    this.#state = state;
    this.#clock = clock;
  }

  find(holder: string, id: string): FoundCall {
    const open = this.#state.openOf(holder).get(id);
    if (open !== undefined) return { status: 'open', lease: open };
    if (this.#state.hasTombstone(id, this.#clock())) return { status: 'ended' };
    const presumed = this.#state.presumed.get(id);
    if (presumed?.origin === 'rest') return { status: 'ended' };
    if (presumed !== undefined) return { status: 'swept', lease: presumed.lease };
    const booked = this.#state.booked.get(id);
    return booked === undefined ? { status: 'unknown' } : { status: 'booked', lease: booked };
  }

  /** Settles a call; its tombstone stays for `ttl` milliseconds. @throws RangeError where a counter would overflow. */
  settle(holder: string, call: LeasedCall, settlement: Settlement, ttl = TOMBSTONE_MS): void {
    const { id, costNano, presumedNano, releases = false, record } = settlement;
    this.replace(call, costNano, add(costNano, presumedNano), 1);
    this.delete(holder, id);
    this.#state.writeTombstone(id, this.#clock() + ttl);
    this.append(record, call.lease);
    if (presumedNano === 0n) return;
    const releaseAt = releases ? this.#clock() + RELEASE_AFTER_MS : null;
    this.#presume(id, { ...call.lease, worstNano: presumedNano, gapNano: ZERO }, 'rest', releaseAt);
  }

  /** Gives a call back that cost nothing. */
  release(holder: string, id: string, call: LeasedCall): void {
    this.retractPresumed(id, call);
    this.replace(call, ZERO, ZERO);
    this.delete(holder, id);
  }

  /** Replaces all that a lease reserves by its cost and what is certain: the cost and what stays presumed. */
  replace({ status, lease }: LeasedCall, costNano: Nano, certainNano: Nano, requests = 0): void {
    const { worstNano, gapNano } = lease;
    this.#move(lease, {
      spentNano: status === 'booked' ? subtract(costNano, worstNano) : costNano,
      certainNano: status === 'open' ? certainNano : subtract(certainNano, worstNano),
      committedNano: subtract(certainNano, worstNano),
      gapsNano: subtract(ZERO, gapNano),
      requests,
    });
  }

  /** Settles a part of a lease: its cost comes out of what is reserved, as far as that goes. Returns the new lease. */
  settlePart(lease: Lease, costNano: Nano, requests: number): Lease {
    const worstNano = max(ZERO, subtract(lease.worstNano, costNano));
    const committedNano = subtract(add(costNano, worstNano), lease.worstNano);
    this.#move(lease, { spentNano: costNano, certainNano: costNano, committedNano, requests });
    return { ...lease, worstNano };
  }

  /** Reserves another amount in an open lease. Returns the new lease. */
  resize(lease: Lease, worstNano: Nano): Lease {
    const committedNano = subtract(worstNano, lease.worstNano);
    this.#move(lease, { spentNano: ZERO, certainNano: ZERO, committedNano, requests: 0 });
    return { ...lease, worstNano };
  }

  /** Makes all that an open lease reserves presumed. */
  sweep(id: string, lease: Lease): void {
    this.#move(lease, { spentNano: ZERO, certainNano: lease.worstNano, committedNano: ZERO, requests: 0 });
    this.#presume(id, lease, 'swept', null);
  }

  /** Turns a presumed or booked lease back into an open one. */
  reopen({ status, lease }: LeasedCall): void {
    const backNano = subtract(ZERO, lease.worstNano);
    const spentNano = status === 'booked' ? backNano : ZERO;
    this.#move(lease, {
      spentNano,
      certainNano: status === 'open' ? ZERO : backNano,
      committedNano: ZERO,
      requests: 0,
    });
  }

  /** Ends presumed money without its cost; a late settle of a swept call corrects that. False where there is none. */
  resolve(id: string, isBooked: boolean): boolean {
    const presumed = this.#state.presumed.get(id);
    if (presumed === undefined) return false;
    const { origin, lease } = presumed;
    const costNano = isBooked ? lease.worstNano : ZERO;
    this.replace({ status: 'swept', lease }, costNano, costNano);
    this.delete('', id);
    this.#appendResolved(id, origin, lease, costNano);
    if (origin === 'swept') this.#state.booked.set(id, { ...lease, worstNano: costNano, gapNano: ZERO });
    return true;
  }

  /** Drops presumed money whose counters have expired: its cost will not become known. */
  dropExpired(): void {
    const { presumed, booked } = this.#state;
    const now = this.#clock();
    for (const [id, { origin, lease }] of presumed) {
      if (lease.keepUntil > now) continue;
      this.#appendResolved(id, origin, lease, lease.worstNano);
      presumed.delete(id);
    }
    for (const [id, lease] of booked) if (lease.keepUntil <= now) booked.delete(id);
  }

  /** Deletes the lease, but moves no money. */
  delete(holder: string, id: string): void {
    if (this.#state.openOf(holder).delete(id)) return;
    this.#state.presumed.delete(id);
    this.#state.booked.delete(id);
  }

  /** The usage log has a presumed record of a call that was swept: it gets a released one. */
  retractPresumed(id: string, { status, lease }: LeasedCall): void {
    if (status !== 'open') this.#appendResolved(id, 'swept', lease, ZERO);
  }

  append(record: UsageRecord, { counters, keepUntil }: Lease): void {
    const names = counters.map(({ name }) => name);
    this.#state.usage.push({ entry: this.#state.nextEntry(), record, counters: names, keepUntil });
  }

  /** @throws RangeError where a counter would overflow; then none is changed. */
  #move(lease: Lease, change: CounterChange): void {
    const { counters } = this.#state;
    const inFlightNano = subtract(change.committedNano, change.certainNano);
    const changed = lease.counters.flatMap((counter) => {
      const kept = counters.kept(counter);
      const current =
        kept ?? (change.committedNano < 0n ? null : counters.dropped(counter, lease.workspace, this.#clock()));
      return current === null ? [] : [{ current, isKept: kept !== null }];
    });
    if (changed.some(({ current }) => add(current.committedNano, change.committedNano) > MAX_NANO)) throw overflow();
    for (const { current, isKept } of changed) {
      // A counter that was dropped has forgotten the gap of the lease.
      current.change(isKept ? change : { ...change, gapsNano: ZERO });
      current.changeInFlight(lease.workspace, inFlightNano);
      counters.store(current);
    }
  }

  #presume(id: string, lease: Lease, origin: Origin, releaseAt: number | null): void {
    this.#state.presumed.set(id, { origin, lease, since: this.#clock(), releaseAt });
    this.append({ id: recordId(id, origin), state: 'presumed', worst_nano: `${lease.worstNano}` }, lease);
  }

  #appendResolved(id: string, origin: Origin, lease: Lease, costNano: Nano): void {
    const state = costNano === 0n ? 'released' : 'booked';
    const amounts = { cost_nano: `${costNano}`, worst_nano: `${lease.worstNano}` };
    this.append({ id: recordId(id, origin), state, ...amounts, estimated: true }, lease);
  }
}

function recordId(id: string, origin: Origin): string {
  return origin === 'rest' ? `${id}/rest` : id;
}

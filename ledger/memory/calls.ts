import type { UsageRecord } from '../../policy/core/usage-record.ts';
import { MAX_NANO, overflow } from '../amount-checks.ts';
import { TOMBSTONE_MS } from '../keys.ts';
import type { Settlement } from '../ledger.ts';
import type { MemoryState, CounterCell, Lease } from './state.ts';

/** Where a call stands, and its lease. */
export type CallState =
  | { readonly kind: 'open' | 'swept' | 'booked'; readonly lease: Lease }
  | { readonly kind: 'ended' | 'unknown'; readonly lease?: undefined };

/** A call that has a lease. */
export type LeasedCall = Extract<CallState, { lease: Lease }>;

/** Changes of a counter. Nano-dollars, and settled calls. */
interface Change {
  readonly spentNano: bigint;
  readonly certainNano: bigint;
  readonly committedNano: bigint;
  readonly requests: number;
}

/** How the money of calls moves, for `MemoryLedger`: what scripts/calls.lua does. */
export class MemoryCalls {
  readonly #books: MemoryState;
  readonly #now: () => number;

  constructor(books: MemoryState, now: () => number) {
    this.#books = books;
    this.#now = now;
  }

  find(owner: string, id: string): CallState {
    const open = this.#books.openOf(owner).get(id);
    if (open !== undefined) return { kind: 'open', lease: open };
    if (this.#books.hasEnded(id, this.#now())) return { kind: 'ended' };
    const presumed = this.#books.presumed.get(id);
    if (presumed?.origin === 'rest') return { kind: 'ended' };
    if (presumed !== undefined) return { kind: 'swept', lease: presumed.lease };
    const booked = this.#books.booked.get(id);
    return booked === undefined ? { kind: 'unknown' } : { kind: 'booked', lease: booked };
  }

  /** Settles a call; remembered for `endedFor` milliseconds. Throws `RangeError` where it cannot be held. */
  settle(owner: string, call: LeasedCall, settlement: Settlement, endedFor = TOMBSTONE_MS): void {
    const { id, costNano, presumedNano, record } = settlement;
    this.replace(call, costNano, costNano + presumedNano, 1);
    this.forget(owner, id);
    this.#books.entomb(id, this.#now() + endedFor);
    this.append(record, call.lease);
    if (presumedNano > 0n) this.presume(id, call.lease, 'rest', presumedNano);
  }

  /** Puts cost and what is certain in place of all that a lease holds. */
  replace({ kind, lease }: LeasedCall, costNano: bigint, certainNano: bigint, requests = 0): void {
    const { worstNano } = lease;
    move(lease, {
      spentNano: kind === 'booked' ? costNano - worstNano : costNano,
      certainNano: kind === 'open' ? certainNano : certainNano - worstNano,
      committedNano: certainNano - worstNano,
      requests,
    });
    for (const cell of lease.cells) cell.gaps -= lease.gapNano;
  }

  /** Books lines of a batch: what they cost comes out of what is held, as far as that goes. Returns the lease then. */
  shrink(lease: Lease, costNano: bigint, requests: number): Lease {
    const worstNano = costNano < lease.worstNano ? lease.worstNano - costNano : 0n;
    const committedNano = costNano + worstNano - lease.worstNano;
    move(lease, { spentNano: costNano, certainNano: costNano, committedNano, requests });
    return { ...lease, worstNano };
  }

  /** An open lease holds another amount from now on. Returns it then. */
  resize(lease: Lease, worstNano: bigint): Lease {
    const committedNano = worstNano - lease.worstNano;
    move(lease, { spentNano: 0n, certainNano: 0n, committedNano, requests: 0 });
    return { ...lease, worstNano };
  }

  /** Makes all that an open lease holds certain. */
  sweep(id: string, lease: Lease): void {
    move(lease, { spentNano: 0n, certainNano: lease.worstNano, committedNano: 0n, requests: 0 });
    this.presume(id, lease, 'swept', lease.worstNano, lease.gapNano);
  }

  /** Takes back what made a lease certain, as if its call were in flight again. */
  reopen({ kind, lease }: LeasedCall): void {
    const back = -lease.worstNano;
    const spentNano = kind === 'booked' ? back : 0n;
    move(lease, { spentNano, certainNano: kind === 'open' ? 0n : back, committedNano: 0n, requests: 0 });
  }

  presume(id: string, lease: Lease, origin: 'swept' | 'rest', worstNano: bigint, gapNano = 0n): void {
    const kept = { ...lease, worstNano, gapNano };
    this.#books.presumed.set(id, { origin, lease: kept, since: this.#now() });
    const name = origin === 'rest' ? `${id}/rest` : id;
    this.append({ id: name, state: 'presumed', worst_nano: `${worstNano}` }, kept);
  }

  /** Ends what is presumed without knowing what it cost; a late settle corrects that. */
  resolve(id: string, isBooked: boolean): boolean {
    const presumed = this.#books.presumed.get(id);
    if (presumed === undefined) return false;
    const { origin, lease } = presumed;
    const costNano = isBooked ? lease.worstNano : 0n;
    this.replace({ kind: 'swept', lease }, costNano, costNano);
    this.forget('', id);
    this.#decided(id, origin, lease, costNano);
    if (origin === 'swept') this.#books.booked.set(id, { ...lease, worstNano: costNano, gapNano: 0n });
    return true;
  }

  /** Drops what is presumed of periods whose counters are gone. */
  forgetPast(): void {
    const { presumed, booked } = this.#books;
    const now = this.#now();
    for (const [id, { origin, lease }] of presumed) {
      if (lease.keepUntil > now) continue;
      this.#decided(id, origin, lease, lease.worstNano);
      presumed.delete(id);
    }
    for (const [id, lease] of booked) if (lease.keepUntil <= now) booked.delete(id);
  }

  forget(owner: string, id: string): void {
    if (this.#books.openOf(owner).delete(id)) return;
    this.#books.presumed.delete(id);
    this.#books.booked.delete(id);
  }

  /** The log has heard of a call that is given back: it hears of that too. */
  retract(id: string, { kind, lease }: LeasedCall): void {
    if (kind !== 'open') this.#decided(id, 'swept', lease, 0n);
  }

  append(record: UsageRecord, { cells, keepUntil }: Lease): void {
    const counters = cells.map(({ name }) => name);
    this.#books.usage.push({ entry: this.#books.nextEntry(), record, counters, keepUntil });
  }

  #decided(id: string, origin: 'swept' | 'rest', lease: Lease, costNano: bigint): void {
    const state = costNano === 0n ? 'released' : 'booked';
    const name = origin === 'rest' ? `${id}/rest` : id;
    this.append({ id: name, state, cost_nano: `${costNano}`, estimated: true }, lease);
  }
}

/** Throws `RangeError` where a counter cannot hold it, and changes nothing. */
function move({ cells }: Pick<Lease, 'cells'>, { spentNano, certainNano, committedNano, requests }: Change): void {
  if (cells.some(({ committed }: CounterCell) => committed + committedNano > MAX_NANO)) throw overflow();
  for (const cell of cells) {
    cell.spent += spentNano;
    cell.certain += certainNano;
    cell.committed += committedNano;
    cell.requests += requests;
    cell.score += Number(spentNano);
  }
}

import { LEASE_MS, REPLAY_TIMEOUT_MS, MIN_RECOVERY_MS } from '../ledger.ts';
import type { LostReason } from '../ledger.ts';
import type { LedgerClient } from '../session/client-identity.ts';
import type { JoinRequest } from '../session/session.ts';
import type { MemoryState } from './state.ts';

/** The line of a ledger in memory and its recoveries: what scripts/ledger.lua, recovery.lua and join.lua do. */
export class Timeline {
  readonly #books: MemoryState;
  readonly #now: () => number;

  constructor(books: MemoryState, now: () => number) {
    this.#books = books;
    this.#now = now;
  }

  /** What is wrong with the ledger for a caller of this epoch. */
  lost(epoch: string): LostReason | null {
    if (this.#books.epoch === null) return 'empty';
    return this.#books.epoch === epoch ? null : 'otherEpoch';
  }

  /** What follows is numbered on from here, whatever was numbered so in a history that is lost. */
  begin(): void {
    const books = this.#books;
    books.run = books.server;
    books.line = `${books.server}/${(books.lines += 1)}`;
    books.from = books.sequence;
    books.recovery.clear();
  }

  /** The ledger may miss what anybody did, so all who live are expected to tell. */
  recover(): void {
    const books = this.#books;
    const since = this.#now();
    this.begin();
    books.recovering = { since, deep: books.recovering?.deep ?? null, short: books.recovering?.short ?? false };
    books.sparedUntil = since + LEASE_MS;
    for (const incarnation of books.beats.keys()) books.recovery.set(incarnation, 'expected');
  }

  /** Begins a recovery where the server is another one, or the caller misses a change of its own. */
  watch(caller: LedgerClient): void {
    if (this.#books.run !== this.#books.server || this.#misses(caller)) this.recover();
  }

  /** As `watch`, for what is done in any case. */
  notice(caller: LedgerClient): void {
    if (this.#books.epoch === caller.epoch && this.#misses(caller)) this.recover();
  }

  /** A log that lost its end keeps all before it: who finds its own last change misses nothing older. */
  #misses({ incarnation, line, seen }: LedgerClient): boolean {
    return this.#books.line === line && (this.lastChange(incarnation) ?? 0) < seen;
  }

  /** The number of its last change, also where it is off the list; null where nothing is known of it. */
  lastChange(incarnation: string): number | null {
    const { lastChanges, formerChanges } = this.#books;
    return lastChanges.get(incarnation) ?? formerChanges.get(incarnation) ?? null;
  }

  /** Numbers a change; null for who is not known or has not joined the line. */
  number({ incarnation, line }: Pick<LedgerClient, 'incarnation' | 'line'>): number | null {
    const books = this.#books;
    books.sequence += 1;
    const numbers = [books.lastChanges, books.formerChanges].find((map) => map.has(incarnation));
    if (numbers === undefined || books.line !== line) return null;
    numbers.set(incarnation, books.sequence);
    return books.sequence;
  }

  /** The number of the caller's last change, where it counts. */
  lastOf({ incarnation, line }: LedgerClient): number | null {
    return this.#books.line === line ? this.lastChange(incarnation) : null;
  }

  /** False where something happened meanwhile that the next beat tells. */
  join(incarnation: string, joining: JoinRequest): boolean {
    const books = this.#books;
    const isHere = books.run === books.server && books.lastChanges.has(incarnation);
    if (!isHere || books.line !== joining.line) return false;
    const deep = joining.deep === '' && joining.aged > books.from ? 'tooOld' : joining.deep;
    if (deep !== '') {
      const isNoticed = books.recovering !== null;
      if (!isNoticed) this.recover();
      this.deepen(deep);
      if (!isNoticed) return false;
    }
    if (books.recovering !== null) this.#hear(incarnation, joining);
    return true;
  }

  #hear(incarnation: string, { missed, highest, past, peers }: JoinRequest): void {
    const { recovering, recovery, from } = this.#books;
    if (recovering !== null && (missed || highest > from)) this.#books.recovering = { ...recovering, short: true };
    for (const name of [...past, incarnation]) recovery.set(name, 'replayed');
    for (const peer of peers) if (!recovery.has(peer)) recovery.set(peer, 'expected');
  }

  /** Why the recovery ends only with `resume`; the first reason stays. */
  deepen(reason: string): void {
    const { recovering } = this.#books;
    if (recovering !== null) this.#books.recovering = { ...recovering, deep: recovering.deep ?? reason };
  }

  /** Ends a recovery that is due. */
  advance(): void {
    const books = this.#books;
    if (books.recovering === null || books.recovering.deep !== null) return;
    const isMissing = this.missing.length > 0;
    const waited = this.#now() - books.recovering.since;
    if (waited < MIN_RECOVERY_MS || (isMissing && waited < REPLAY_TIMEOUT_MS)) return;
    if (isMissing && books.recovering.short) this.deepen('silentGateway');
    else this.end();
  }

  end(): void {
    this.#books.recovering = null;
    this.#books.recovery.clear();
  }

  /** Who has not told yet what it did. */
  get missing(): string[] {
    const expected = [...this.#books.recovery].filter(([, standing]) => standing === 'expected');
    return expected.map(([incarnation]) => incarnation).toSorted();
  }
}

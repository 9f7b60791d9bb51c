import type { LoggedBatch } from '../ledger/message-batches.ts';
import type { CounterCorrection, CounterMinimum, OperatorLedger } from '../ledger/operator-ledger.ts';
import type { RefusalEntry, StreamEntry } from '../ledger/streams.ts';
import { arrivalOf, type DeadLetter, minimalRow, readEntry } from './call-row.ts';
import {
  type CorrectableCall,
  type Corrected,
  type Correction,
  findCorrectable,
  type NotCorrected,
  readCorrected,
  writeCorrections,
} from './corrections.ts';
import { type Database, LogUnreachable, type Query, RowRefused } from './database/database.ts';
import { lock, migrate } from './database/migrate.ts';
import { readBatches } from './message-batches.ts';
import { readTotals } from './read-totals.ts';
import { deleteOld } from './retention.ts';
import { rankSpenders, type SpenderKind, type SpenderRanking } from './top-spenders.ts';
import { type UnknownCall, unknownCalls } from './unknown-calls.ts';
import { writeRefusals } from './write-refusals.ts';
import { writeUsage } from './write-usage.ts';

interface LogOptions {
  /** Opens the database; asked again after it was out of reach. */
  readonly open: () => Promise<Database>;
  /** The streams that the log takes. */
  readonly ledger: Pick<OperatorLedger, 'readUsage' | 'deleteUsage' | 'readRefusals' | 'deleteRefusals'>;
  /** Entries that could not become a row, or not completely; the table of dead letters keeps them as they came. */
  readonly onDeadLetters?: (deadLetters: readonly DeadLetter[]) => void;
  /** Told what each turn did, whoever asked for it. */
  readonly onIngested?: (ingested: Ingested) => void;
}

/** What one turn of the ingest did. */
export interface Ingested {
  /** Entries that it took out of the stream. */
  readonly entries: number;
  /** It reached the end of the stream. */
  readonly isCaughtUp: boolean;
  /** Rows that were inserted or replaced. */
  readonly rows: number;
  /** Calls with names that nobody knew. */
  readonly unknown: readonly UnknownCall[];
}

/** Entries in one transaction. */
const CHUNK = 2_000;
/** After so many chunks `drain` and `catchUp` give up, so that a stream that fills as fast as it is read does not block their caller. */
const DRAIN_CHUNKS = 10;

/**
 * The usage log. It takes the entries of the ledger's streams into the database exactly once, however often it is
 * interrupted: entries are deleted from the stream only after their transaction was committed, and an entry that comes a
 * second time changes nothing. Several processes may ingest at once; a lock in the database makes them take turns.
 */
export class UsageLog {
  readonly #options: LogOptions;
  #opening: Promise<Database> | null = null;
  #ingesting: Promise<Ingested> | null = null;
  #oldest: number | null = null;

  constructor(options: LogOptions) {
    this.#options = options;
  }

  /** When the oldest entry that is not in the log yet arrived; null if there was none. Milliseconds since the epoch. */
  get oldest(): number | null {
    return this.#oldest;
  }

  /** Takes the oldest entries. Throws `LedgerUnreachable` or `LogUnreachable`; nothing is lost then, and the caller tries again. */
  ingest(): Promise<Ingested> {
    return (this.#ingesting ??= this.#ingest().finally(() => (this.#ingesting = null)));
  }

  /**
   * Takes everything in the usage stream, including what is appended meanwhile. Returns false if it took only a part, so
   * that it must be called again. Throws as `ingest`.
   */
  async drain(): Promise<boolean> {
    return this.#ingestUntil(({ entries }) => entries === 0);
  }

  /** Takes what is in the usage stream now. Returns false if it took only a part, so that it must be called again. Throws as `ingest`. */
  async catchUp(): Promise<boolean> {
    return this.#ingestUntil(({ isCaughtUp }) => isCaughtUp);
  }

  async #ingestUntil(isDone: (ingested: Ingested) => boolean): Promise<boolean> {
    // A turn that is already under way may have read the stream before the newest entries arrived.
    await this.#ingesting;
    for (let turn = 0; turn < DRAIN_CHUNKS; turn += 1) if (isDone(await this.ingest())) return true;
    return false;
  }

  /** The totals of all counters kept beyond `now` (milliseconds), without what open batches hold. Throws `LogUnreachable`. */
  async totals(now: number): Promise<readonly CounterMinimum[]> {
    return this.#use((database) => readTotals(database.query, now));
  }

  /** The Message Batches to put back into a ledger at `now` (milliseconds). Throws `LogUnreachable`. */
  async batches(now: number): Promise<readonly LoggedBatch[]> {
    return this.#use((database) => readBatches(database.query, now));
  }

  /** What the log has of calls, by id. Throws `LogUnreachable`. */
  async correctable(ids: readonly string[]): Promise<ReadonlyMap<string, CorrectableCall>> {
    return this.#use((database) => findCorrectable(database.query, ids));
  }

  /** As `writeCorrections` of corrections.ts. `now` in milliseconds. Throws `LogUnreachable`. */
  async correct(corrections: readonly Correction[], now: number): Promise<readonly Corrected[] | NotCorrected> {
    return this.#use((database) => inTransaction(database, (query) => writeCorrections(query, corrections, now)));
  }

  /** What people have corrected in the counters kept beyond `now` (milliseconds). Throws `LogUnreachable`. */
  async corrected(now: number): Promise<readonly CounterCorrection[]> {
    return this.#use((database) => readCorrected(database.query, now));
  }

  /** Who spent how much since an instant (milliseconds), with the first `most` by name. Throws `LogUnreachable`. */
  async spenders(kind: SpenderKind, since: number, most: number): Promise<SpenderRanking> {
    return this.#use((database) => rankSpenders(database.query, kind, since, most));
  }

  /** Deletes a part, as `deleteOld` of retention.ts. Returns whether there may be more. Throws `LogUnreachable`. */
  async deleteOld(now: number, keptMs: number | null): Promise<boolean> {
    return this.#use((database) => inTransaction(database, (query) => deleteOld(query, now, keptMs)));
  }

  /** Closes the database after the turn that is under way; it is opened again when it is needed. */
  async close(): Promise<void> {
    await this.#ingesting?.catch(() => {});
    await this.#discard();
  }

  async #ingest(): Promise<Ingested> {
    const { ledger } = this.#options;
    const entries = await ledger.readUsage(CHUNK);
    this.#oldest = entries[0] === undefined ? null : arrivalOf(entries[0]);
    const rows = await this.#use((database) => this.#write(database, entries));
    if (entries.length > 0) await ledger.deleteUsage(entries.map(({ entry }) => entry));
    const isCaughtUp = entries.length < CHUNK;
    if (isCaughtUp) {
      this.#oldest = null;
      await this.#ingestRefusals();
    }
    const ingested = { entries: entries.length, isCaughtUp, rows, unknown: unknownCalls(entries) };
    this.#options.onIngested?.(ingested);
    return ingested;
  }

  async #ingestRefusals(): Promise<void> {
    const { ledger } = this.#options;
    const entries = await ledger.readRefusals(CHUNK);
    if (entries.length === 0) return;
    await this.#use((database) => this.#writeRefusals(database, entries));
    await ledger.deleteRefusals(entries.map(({ entry }) => entry));
  }

  async #writeRefusals(database: Database, entries: readonly RefusalEntry[]): Promise<void> {
    const write = async (some: readonly RefusalEntry[], problem?: string) =>
      this.#report(await inTransaction(database, (query) => writeRefusals(query, some, problem)));
    await inHalves(entries, write, (one, problem) => write([one], problem));
  }

  async #write(database: Database, entries: readonly StreamEntry[]): Promise<number> {
    if (entries.length === 0) return 0;
    let written = 0;
    const write = async (some: readonly StreamEntry[]): Promise<void> => {
      const read = some.map(readEntry);
      const rows = read.flatMap(({ row }) => row ?? []);
      const deadLetters = read.flatMap(({ deadLetter }) => deadLetter ?? []);
      written += await inTransaction(database, (query) => writeUsage(query, rows, deadLetters));
      this.#report(deadLetters);
    };
    await inHalves(entries, write, async (one, problem) => {
      written += await this.#writeMinimal(database, one, problem);
    });
    return written;
  }

  /** Counts the money whatever is wrong with the other columns; if that is refused too, only the dead letter is left. */
  async #writeMinimal(database: Database, entry: StreamEntry, problem: string): Promise<number> {
    const deadLetters = [{ ...entry, problem }];
    const write = (rows: Parameters<typeof writeUsage>[1]) =>
      inTransaction(database, (query) => writeUsage(query, rows, deadLetters));
    const written = await write(readEntry(entry).row === null ? [] : [minimalRow(entry)]).catch((error: unknown) => {
      if (error instanceof RowRefused) return write([]);
      throw error;
    });
    this.#report(deadLetters);
    return written;
  }

  #report(deadLetters: readonly DeadLetter[]): void {
    if (deadLetters.length > 0) this.#options.onDeadLetters?.(deadLetters);
  }

  /** A database that failed is opened again the next time. */
  async #use<T>(work: (database: Database) => Promise<T>): Promise<T> {
    try {
      return await work(await (this.#opening ??= this.#open()));
    } catch (error) {
      if (!(error instanceof RowRefused)) void this.#discard();
      throw error;
    }
  }

  async #open(): Promise<Database> {
    const database = await this.#options.open();
    try {
      await migrate(database);
    } catch (error) {
      await database.close().catch(() => {});
      throw error instanceof LogUnreachable
        ? error
        : new LogUnreachable(`the tables could not be created: ${String(error)}`);
    }
    return database;
  }

  async #discard(): Promise<void> {
    const opened = this.#opening;
    this.#opening = null;
    await opened?.then((database) => database.close()).catch(() => {});
  }
}

/** Writes all entries at once. If the database rejects one of them, tries halves, down to that entry, which goes to `alone`. */
async function inHalves<Entry>(
  entries: readonly Entry[],
  write: (some: readonly Entry[]) => Promise<void>,
  alone: (one: Entry, problem: string) => Promise<void>,
): Promise<void> {
  try {
    await write(entries);
  } catch (error) {
    if (!(error instanceof RowRefused)) throw error;
    if (entries.length === 1) return alone(entries[0]!, error.message);
    const middle = Math.ceil(entries.length / 2);
    await inHalves(entries.slice(0, middle), write, alone);
    await inHalves(entries.slice(middle), write, alone);
  }
}

function inTransaction<T>(database: Database, work: (query: Query) => Promise<T>): Promise<T> {
  return database.transaction(async (query) => {
    await lock(query);
    return work(query);
  });
}

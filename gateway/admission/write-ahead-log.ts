import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { UncheckedCall, Reservation, Settlement } from '../../ledger/ledger.ts';
import { decodeJSON, encodeJSON } from '../../policy/core/canonical-json.ts';
import { DurableFile } from './durable-file.ts';

/** One line of the file: a call was admitted, it ended and cost this, or there is nothing to book for it any more. */
type Line = { readonly reservation: Reservation } | { readonly settlement: Settlement } | { readonly struck: string };

/** A call that the ledger has not booked. */
interface Kept {
  readonly reservation: Reservation;
  hasEnded: boolean;
}

const SUFFIX = '.jsonl';

/**
 * The calls that were admitted while the ledger was out of reach, kept on disk until it has booked them: one folder a
 * Pod, one file a process. A process that starts finds there what those before it left.
 */
export class WriteAheadLog {
  /** What processes before this one left: to be booked, each with what it cost or with null where nobody knows. */
  readonly left: readonly UncheckedCall[];
  readonly #file: DurableFile;
  readonly #calls = new Map<string, Kept>();
  /** The calls of each older file that are not booked yet. */
  readonly #older = new Map<string, Set<string>>();

  /** `folder`: the Pod's. Rejects where a file in it cannot be read; a folder that is not there is empty. */
  static async open(folder: string, name: string): Promise<WriteAheadLog> {
    const names = (await readdir(folder).catch(none)).filter((file) => file.endsWith(SUFFIX));
    const paths = names.map((file) => join(folder, file));
    const texts = await Promise.all(paths.map((path) => readFile(path, 'utf8')));
    return new WriteAheadLog(
      new DurableFile(join(folder, `${name}${SUFFIX}`)),
      new Map(paths.map((p, i) => [p, texts[i]!])),
    );
  }

  private constructor(file: DurableFile, older: ReadonlyMap<string, string>) {
    this.#file = file;
    const left: UncheckedCall[] = [];
    for (const [path, text] of older) {
      const bookings = readLines(text);
      left.push(...bookings);
      if (bookings.length === 0) remove(path);
      else this.#older.set(path, new Set(bookings.map(({ reservation }) => reservation.id)));
    }
    this.left = left;
  }

  /** Rejects where the disk takes nothing. */
  async prove(): Promise<void> {
    await this.#file.append('');
    this.#file.clear();
  }

  /** How many calls of this process, and of those before it, the ledger has not booked. */
  get unbookedCount(): number {
    return [...this.#older.values()].reduce((sum, ids) => sum + ids.size, this.#calls.size);
  }

  /** The calls of this process that have not ended. */
  get inFlight(): readonly Reservation[] {
    return [...this.#calls.values()].filter(({ hasEnded }) => !hasEnded).map(({ reservation }) => reservation);
  }

  /** The reservation of a call that was admitted here and is not booked; undefined of any other. */
  find(id: string): Reservation | undefined {
    return this.#calls.get(id)?.reservation;
  }

  /** Resolves once it is on disk, and only then may the call be sent; rejects where the disk does not take it. */
  async admit(reservation: Reservation): Promise<void> {
    this.#calls.set(reservation.id, { reservation, hasEnded: false });
    try {
      await this.#write({ reservation });
    } catch (error) {
      this.forget(reservation.id);
      throw error;
    }
  }

  /** A call has ended. Rejects where the disk does not take that: then only this process knows what it cost. */
  async end(id: string, settlement: Settlement | null): Promise<void> {
    const kept = this.#calls.get(id);
    if (kept === undefined) return;
    kept.hasEnded = true;
    await this.#write(settlement === null ? { struck: id } : { settlement });
  }

  /** A call that the ledger admitted has ended, and the ledger is not there to be told. Rejects as `end`. */
  async keep(reservation: Reservation, settlement: Settlement): Promise<void> {
    this.#calls.set(reservation.id, { reservation, hasEnded: true });
    await Promise.all([this.#write({ reservation }), this.#write({ settlement })]);
  }

  /** The ledger has booked it, which it remembers for minutes only. Files of which it has booked everything go. */
  forget(id: string): void {
    if (this.#calls.delete(id)) this.#strike(id);
    for (const [path, ids] of this.#older) {
      if (!ids.delete(id) || ids.size > 0) continue;
      this.#older.delete(path);
      remove(path);
    }
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  #strike(id: string): void {
    if (this.#calls.size === 0) this.#file.clear();
    // Should the disk not take it, it is lines of a file that goes once the other calls are booked.
    else this.#write({ struck: id }).catch(() => undefined);
  }

  #write(line: Line): Promise<void> {
    return this.#file.append(encodeJSON(line));
  }
}

/** What is not a whole line was never confirmed to whoever wrote it: that call was not sent. */
function readLines(text: string): UncheckedCall[] {
  const bookings = new Map<string, UncheckedCall>();
  for (const line of text.split('\n').map(parse)) {
    if (line === null) continue;
    if ('reservation' in line) {
      bookings.set(line.reservation.id, { reservation: line.reservation, settlement: null });
    } else if ('struck' in line) bookings.delete(line.struck);
    else {
      const booking = bookings.get(line.settlement.id);
      if (booking !== undefined) bookings.set(line.settlement.id, { ...booking, settlement: line.settlement });
    }
  }
  return [...bookings.values()];
}

function parse(line: string): Line | null {
  try {
    return decodeJSON(line) as Line;
  } catch {
    return null;
  }
}

/** A file that stays is booked again by the next process, which changes nothing. */
function remove(path: string): void {
  rm(path, { force: true }).catch(() => undefined);
}

function none(error: NodeJS.ErrnoException): string[] {
  if (error.code === 'ENOENT') return [];
  throw error;
}

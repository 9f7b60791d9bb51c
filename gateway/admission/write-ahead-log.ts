import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Reservation, Settlement, UncheckedCall } from '../../ledger/reservation.ts';
import { decodeJSON, encodeJSON } from '../../policy/core/canonical-json.ts';
import { DurableFile } from './durable-file.ts';

/** One line of the file: a call was admitted, it ended and cost this, or there is nothing left to settle for it. */
type Entry = { readonly reservation: Reservation } | { readonly settlement: Settlement } | { readonly dropped: string };

/** A call that the ledger has not settled. */
interface KeptCall {
  readonly reservation: Reservation;
  hasEnded: boolean;
}

const SUFFIX = '.jsonl';

/**
 * The calls that were admitted while the ledger was out of reach, kept on disk until it has settled them: a folder for
 * each Pod, in it a file for each process. A process that starts finds there what earlier ones left.
 */
export class WriteAheadLog {
  /** What earlier processes left to settle: each call with what it cost, or with null if that is not known. */
  readonly left: readonly UncheckedCall[];
  readonly #file: DurableFile;
  readonly #calls = new Map<string, KeptCall>();
  /** The calls of each older file that are not settled yet. */
  readonly #older = new Map<string, Set<string>>();

  /** `folder`: the Pod's. Rejects if a file in it cannot be read; a missing folder counts as empty. */
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
      const calls = readCalls(text);
      left.push(...calls);
      if (calls.length === 0) remove(path);
      else this.#older.set(path, new Set(calls.map(({ reservation }) => reservation.id)));
    }
    this.left = left;
  }

  /** Rejects if the disk cannot be written. */
  async prove(): Promise<void> {
    await this.#file.append('');
    this.#file.clear();
  }

  /** How many calls of this process and of earlier ones the ledger has not settled. */
  get unsettledCount(): number {
    return [...this.#older.values()].reduce((sum, ids) => sum + ids.size, this.#calls.size);
  }

  /** The calls of this process that have not ended. */
  get inFlight(): readonly Reservation[] {
    return [...this.#calls.values()].filter(({ hasEnded }) => !hasEnded).map(({ reservation }) => reservation);
  }

  /** The reservation of a call that was admitted here and is not settled; undefined for any other. */
  find(id: string): Reservation | undefined {
    return this.#calls.get(id)?.reservation;
  }

  /** Resolves once it is on disk; only then may the call be sent. Rejects if the disk does not take it. */
  async admit(reservation: Reservation): Promise<void> {
    this.#calls.set(reservation.id, { reservation, hasEnded: false });
    try {
      await this.#write({ reservation });
    } catch (error) {
      this.forget(reservation.id);
      throw error;
    }
  }

  /** A call has ended. Rejects if the disk does not take that: then only this process knows what it cost. */
  async end(id: string, settlement: Settlement | null): Promise<void> {
    const kept = this.#calls.get(id);
    if (kept === undefined) return;
    kept.hasEnded = true;
    await this.#write(settlement === null ? { dropped: id } : { settlement });
  }

  /** A call that the ledger admitted has ended while the ledger is out of reach. Rejects as `end`. */
  async keep(reservation: Reservation, settlement: Settlement): Promise<void> {
    this.#calls.set(reservation.id, { reservation, hasEnded: true });
    await Promise.all([this.#write({ reservation }), this.#write({ settlement })]);
  }

  /** The ledger has settled the call. A file of which every call is settled is removed. */
  forget(id: string): void {
    if (this.#calls.delete(id)) this.#drop(id);
    for (const [path, ids] of this.#older) {
      if (!ids.delete(id) || ids.size > 0) continue;
      this.#older.delete(path);
      remove(path);
    }
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  #drop(id: string): void {
    if (this.#calls.size === 0) this.#file.clear();
    // If the disk does not take it, the file is removed all the same once the other calls are settled.
    else this.#write({ dropped: id }).catch(() => undefined);
  }

  #write(entry: Entry): Promise<void> {
    return this.#file.append(encodeJSON(entry));
  }
}

/** A torn line was never confirmed to its writer, so that call was not sent. */
function readCalls(text: string): UncheckedCall[] {
  const calls = new Map<string, UncheckedCall>();
  for (const entry of text.split('\n').map(parse)) {
    if (entry === null) continue;
    if ('reservation' in entry) {
      calls.set(entry.reservation.id, { reservation: entry.reservation, settlement: null });
    } else if ('dropped' in entry) calls.delete(entry.dropped);
    else {
      const call = calls.get(entry.settlement.id);
      if (call !== undefined) calls.set(entry.settlement.id, { ...call, settlement: entry.settlement });
    }
  }
  return [...calls.values()];
}

function parse(line: string): Entry | null {
  try {
    return decodeJSON(line) as Entry;
  } catch {
    return null;
  }
}

/** A file that stays is settled again by the next process, which changes nothing. */
function remove(path: string): void {
  rm(path, { force: true }).catch(() => undefined);
}

function none(error: NodeJS.ErrnoException): string[] {
  if (error.code === 'ENOENT') return [];
  throw error;
}

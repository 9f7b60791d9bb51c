import { mkdirSync } from 'node:fs';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type Database, LogUnreachable, type Query, translate } from './database.ts';
import { lockFolder } from './folder-lock.ts';
import type { Answer, Question } from './pglite-thread.ts';

/**
 * A thread that takes longer for one statement hangs, and the log with it: it is given up. A slow machine makes a new
 * database in less. Milliseconds.
 */
const PATIENCE_MS = 300_000;

/**
 * Postgres in a thread of this process, with its data in a folder that nobody else may have open. Throws
 * `LogUnreachable` where another process has the folder.
 */
export async function openPGlite(folder: string): Promise<Database> {
  mkdirSync(folder, { recursive: true });
  const release = await lockFolder(folder);
  const thread = new Thread(folder);
  try {
    await thread.ask('select 1', []);
  } catch (error) {
    await thread.end();
    await release();
    throw error;
  }
  return {
    query: (sql, params = []) => thread.inTurn(() => thread.ask(sql, params)),
    transaction: (work) => thread.inTurn(() => transaction((sql, params = []) => thread.ask(sql, params), work)),
    close: async () => {
      await thread.inTurn(() => thread.end());
      await release();
    },
  };
}

async function transaction<T>(query: Query, work: (query: Query) => Promise<T>): Promise<T> {
  await query('begin');
  try {
    const result = await work(query);
    await query('commit');
    return result;
  } catch (error) {
    await query('rollback').catch(() => {});
    throw error;
  }
}

interface Waiting {
  readonly resolve: (rows: readonly unknown[]) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** The thread that Postgres runs in: what it computes holds nobody else up. It has one session, so work takes turns. */
class Thread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ended: Promise<void>;
  #asked = 0;
  #hasEnded = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(folder: string) {
    this.#worker = new Worker(new URL(`pglite-thread${extname(import.meta.filename)}`, import.meta.url), {
      workerData: folder,
    });
    this.#worker.on('message', (answer: Answer) => this.#take(answer));
    this.#worker.on('error', (error: Error) => this.#fail(error.message));
    this.#ended = new Promise((resolve) =>
      this.#worker.once('exit', () => {
        this.#hasEnded = true;
        this.#fail('Postgres has ended');
        resolve();
      }),
    );
  }

  /** Runs `work` once all before it has ended. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => {});
    return turn;
  }

  ask<Row>(sql: string, params: readonly (string | number)[]): Promise<readonly Row[]> {
    if (this.#hasEnded) return Promise.reject(new LogUnreachable('Postgres has ended'));
    this.#asked += 1;
    const id = this.#asked;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#giveUp(), PATIENCE_MS);
      this.#waiting.set(id, { resolve: resolve as Waiting['resolve'], reject, timer });
      this.#worker.postMessage({ id, sql, params } satisfies Question);
    });
  }

  /** Closes the database and resolves when the thread is gone. */
  async end(): Promise<void> {
    if (!this.#hasEnded) this.#worker.postMessage('close');
    await this.#ended;
  }

  #take({ id, rows, error }: Answer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    clearTimeout(waiting?.timer);
    if (rows === undefined) waiting?.reject(translate(error));
    else waiting?.resolve(rows);
  }

  #giveUp(): void {
    this.#hasEnded = true;
    this.#fail('Postgres does not answer');
    void this.#worker.terminate();
  }

  #fail(reason: string): void {
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(new LogUnreachable(reason));
    }
    this.#waiting.clear();
  }
}

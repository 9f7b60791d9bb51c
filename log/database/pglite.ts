import { createHash } from 'node:crypto';
import { mkdirSync, realpathSync } from 'node:fs';
import { createServer } from 'node:net';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type Database, LogUnreachable, type Query, translate } from './database.ts';
import { answerQuestions } from './folder-socket.ts';
import type { Statement, StatementResult } from './pglite-thread.ts';
import { readOnly } from './read-only.ts';

/**
 * A thread that takes longer for one statement is considered hung and terminated. A slow machine creates a new database
 * in less. Milliseconds.
 */
const STATEMENT_TIMEOUT_MS = 300_000;

/** Starts Postgres in a thread. One process at a time may open a folder; throws `LogUnreachable` if another has it. */
export async function openPGlite(folder: string): Promise<Database> {
  mkdirSync(folder, { recursive: true });
  const release = await lockFolder(folder);
  const thread = new Thread(folder);
  try {
    await thread.run('select 1', []);
  } catch (error) {
    await thread.end();
    await release();
    throw error;
  }
  const database: Database = {
    query: (sql, params = []) => thread.inTurn(() => thread.run(sql, params)),
    transaction: (work) => thread.inTurn(() => transaction((sql, params = []) => thread.run(sql, params), work)),
    close: async () => {
      await endAnswers();
      await thread.inTurn(() => thread.end());
      await release();
    },
  };
  const endAnswers = await answerQuestions(folder, (sql) => readOnly(database, sql));
  return database;
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

interface PendingStatement {
  readonly resolve: (rows: readonly unknown[]) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** Runs Postgres outside the event loop. It has one session, so transactions take turns. */
class Thread {
  readonly #worker: Worker;
  readonly #pending = new Map<number, PendingStatement>();
  readonly #ended: Promise<void>;
  #lastId = 0;
  #hasEnded = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(folder: string) {
    this.#worker = new Worker(new URL(`pglite-thread${extname(import.meta.filename)}`, import.meta.url), {
      workerData: folder,
    });
    this.#worker.on('message', (result: StatementResult) => this.#take(result));
    this.#worker.on('error', (error: Error) => this.#fail(error.message));
    this.#ended = new Promise((resolve) =>
      this.#worker.once('exit', () => {
        this.#hasEnded = true;
        this.#fail('Postgres has exited');
        resolve();
      }),
    );
  }

  /** Runs `work` after all work that was queued before it. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => {});
    return turn;
  }

  run<Row>(sql: string, params: readonly (string | number)[]): Promise<readonly Row[]> {
    if (this.#hasEnded) return Promise.reject(new LogUnreachable('Postgres has exited'));
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#terminate(), STATEMENT_TIMEOUT_MS);
      this.#pending.set(id, { resolve: resolve as PendingStatement['resolve'], reject, timer });
      this.#worker.postMessage({ id, sql, params } satisfies Statement);
    });
  }

  /** Closes the database and resolves when the thread is gone. */
  async end(): Promise<void> {
    if (!this.#hasEnded) this.#worker.postMessage('close');
    await this.#ended;
  }

  #take({ id, rows, error }: StatementResult): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    clearTimeout(pending?.timer);
    if (rows === undefined) pending?.reject(translate(error));
    else pending?.resolve(rows);
  }

  #terminate(): void {
    this.#hasEnded = true;
    this.#fail('Postgres does not answer');
    void this.#worker.terminate();
  }

  #fail(reason: string): void {
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(new LogUnreachable(reason));
    }
    this.#pending.clear();
  }
}

/**
 * Locks a folder for this process and returns the function that releases it. The lock is a name in Linux's abstract
 * socket namespace: it leaves no file behind, and the kernel releases it when the process dies. On other systems (macOS)
 * only the operators' Lease prevents two writers. Throws `LogUnreachable` if another process holds the lock.
 */
function lockFolder(folder: string): Promise<() => Promise<void>> {
  if (process.platform !== 'linux') return Promise.resolve(() => Promise.resolve());
  const name = createHash('sha256').update(realpathSync(folder)).digest('hex');
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', () => reject(new LogUnreachable(`another process has the log's folder ${folder} open`)));
    server.listen(`\0tollgate-log-${name}`, () => {
      server.unref();
      resolve(() => new Promise((done) => server.close(() => done())));
    });
  });
}

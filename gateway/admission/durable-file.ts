import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

interface PendingLine {
  readonly line: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** A file to which lines are appended, each flushed to the disk before it counts as written. Made when first needed. */
export class DurableFile {
  readonly path: string;
  #handle: FileHandle | null = null;
  #pending: PendingLine[] = [];
  #isCleared = false;
  #working: Promise<void> | null = null;

  constructor(path: string) {
    this.path = path;
  }

  /** Resolves once the line survives a loss of power; rejects if the disk does not take it. */
  append(line: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ line, resolve, reject });
      this.#working ??= this.#work();
    });
  }

  /** Drops every line so far, also those that still wait to be written: their calls are settled. */
  clear(): void {
    for (const { resolve } of this.#pending.splice(0)) resolve();
    if (this.#handle === null && this.#working === null) return;
    this.#isCleared = true;
    this.#working ??= this.#work();
  }

  /** Waits for writes under way. An empty file is removed. */
  async close(): Promise<void> {
    await this.#working;
    const handle = this.#handle;
    if (handle === null) return;
    const { size } = await handle.stat();
    await handle.close();
    if (size === 0) await rm(this.path, { force: true });
  }

  /** Writes all pending lines with one flush of the disk, however many calls come together. */
  async #work(): Promise<void> {
    while (this.#pending.length > 0 || this.#isCleared) {
      const batch = this.#pending.splice(0);
      const isCleared = this.#isCleared;
      this.#isCleared = false;
      try {
        const handle = (this.#handle ??= await create(this.path));
        if (isCleared) await handle.truncate(0);
        // A failed write may have left half a line, so begin on a new one.
        if (batch.length > 0) await handle.appendFile(`\n${batch.map(({ line }) => line).join('\n')}\n`);
        await handle.datasync();
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#working = null;
  }
}

/** Readable by its owner only, because it says who called what. The folder is flushed too, so that the name survives. */
async function create(path: string): Promise<FileHandle> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const handle = await open(path, 'a', 0o600);
  const directory = await open(folder, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
  return handle;
}

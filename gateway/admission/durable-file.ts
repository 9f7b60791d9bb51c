import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

interface Waiting {
  readonly line: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** A file of lines that are on the disk, and not on their way there, once they count as written. Made when first needed. */
export class DurableFile {
  readonly path: string;
  #handle: FileHandle | null = null;
  #waiting: Waiting[] = [];
  #isCleared = false;
  #working: Promise<void> | null = null;

  constructor(path: string) {
    this.path = path;
  }

  /** Resolves once the line would be found after a loss of power; rejects where the disk does not take it. */
  append(line: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ line, resolve, reject });
      this.#working ??= this.#work();
    });
  }

  /** Drops every line so far, also those that still wait to be written: whoever waits for them wants them no more. */
  clear(): void {
    for (const { resolve } of this.#waiting.splice(0)) resolve();
    if (this.#handle === null && this.#working === null) return;
    this.#isCleared = true;
    this.#working ??= this.#work();
  }

  /** Waits for what is under way. A file that was cleared goes. */
  async close(): Promise<void> {
    await this.#working;
    const handle = this.#handle;
    if (handle === null) return;
    const { size } = await handle.stat();
    await handle.close();
    if (size === 0) await rm(this.path, { force: true });
  }

  /** All that waits is written at once: one flush of the disk, however many calls come together. */
  async #work(): Promise<void> {
    while (this.#waiting.length > 0 || this.#isCleared) {
      const batch = this.#waiting.splice(0);
      const isCleared = this.#isCleared;
      this.#isCleared = false;
      try {
        const handle = (this.#handle ??= await create(this.path));
        if (isCleared) await handle.truncate(0);
        // A write that failed may have left half a line: these begin on one of their own.
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

/** Only its owner may read it: it says who called what. Its name is on the disk as well. */
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

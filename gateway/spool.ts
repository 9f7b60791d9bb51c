import type { ReadStream } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * A body on disk, because it is too long to be held. Only this process can read it, and the file has no name: whatever
 * ends the process, nothing stays behind.
 */
export class Spool {
  readonly #file: FileHandle;
  #size = 0;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Throws where the folder cannot be written. */
  static async open(folder: string, name: string): Promise<Spool> {
    const path = join(folder, `tollgate-${name}`);
    const file = await open(path, 'wx+', 0o600);
    await unlink(path);
    return new Spool(file);
  }

  /** Bytes that were written. */
  get size(): number {
    return this.#size;
  }

  /** Throws where there is no room. */
  async write(chunk: Uint8Array): Promise<void> {
    await this.#file.appendFile(chunk);
    this.#size += chunk.length;
  }

  /** Everything that was written, from the start, once: the bytes are gone when the stream is destroyed. */
  read(): ReadStream {
    // By the handle and never by its number, which is another file's as soon as it is closed.
    return this.#file.createReadStream({ start: 0 });
  }

  /** The bytes are gone. */
  async close(): Promise<void> {
    await this.#file.close();
  }
}

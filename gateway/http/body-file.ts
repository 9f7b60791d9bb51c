import type { ReadStream } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { QuotaShare } from './byte-quota.ts';

/**
 * A body on disk, because it is too long to be held. Only this process can read it, and the file has no name: whatever
 * ends the process, nothing stays behind.
 */
export class BodyFile {
  readonly #file: FileHandle;
  readonly #disk: QuotaShare;
  #size = 0;

  private constructor(file: FileHandle, disk: QuotaShare) {
    this.#file = file;
    this.#disk = disk;
  }

  /** Throws where the folder cannot be written. */
  static async open(folder: string, name: string, disk: QuotaShare): Promise<BodyFile> {
    const path = join(folder, `tollgate-${name}`);
    const file = await open(path, 'wx+', 0o600);
    await unlink(path);
    return new BodyFile(file, disk);
  }

  /** Bytes that were written. */
  get size(): number {
    return this.#size;
  }

  /** Says whose batch it is. */
  belongTo(owner: string): void {
    this.#disk.belongTo(owner);
  }

  /** False where all spools together, or those of the owner, are at their bound. Throws where the disk has no room. */
  async write(chunk: Uint8Array): Promise<boolean> {
    if (!this.#disk.grow(chunk.length)) return false;
    await this.#file.appendFile(chunk);
    this.#size += chunk.length;
    return true;
  }

  /** Everything that was written, from the start, once: the bytes are gone when the stream is destroyed. */
  read(): ReadStream {
    // By the handle and never by its number, which is another file's as soon as it is closed.
    return this.#file.createReadStream({ start: 0 });
  }

  /** The bytes are gone. */
  async close(): Promise<void> {
    await this.#file.close();
    this.#disk.close();
  }
}

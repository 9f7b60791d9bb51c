import type { ReadStream } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { QuotaShare } from './byte-quota.ts';

/** A body too long for memory, in a file that is unlinked once open: only this process reads it, and none is left. */
export class BodyFile {
  readonly #file: FileHandle;
  readonly #disk: QuotaShare;
  #size = 0;

  private constructor(file: FileHandle, disk: QuotaShare) {
    this.#file = file;
    this.#disk = disk;
  }

  /** Throws if the folder cannot be written. */
  static async open(folder: string, name: string, disk: QuotaShare): Promise<BodyFile> {
    const path = join(folder, `tollgate-${name}`);
    const file = await open(path, 'wx+', 0o600);
    await unlink(path);
    return new BodyFile(file, disk);
  }

  /** How many bytes were written. */
  get size(): number {
    return this.#size;
  }

  /** False if the quota of all body files, or of the owner's, is used up. Throws if the disk is full. */
  async write(chunk: Uint8Array): Promise<boolean> {
    if (!this.#disk.grow(chunk.length)) return false;
    await this.#file.appendFile(chunk);
    this.#size += chunk.length;
    return true;
  }

  /** Everything that was written, once: the bytes are gone when the stream is destroyed. */
  read(): ReadStream {
    // By the handle, not by its descriptor: once closed, the number can be another file's.
    return this.#file.createReadStream({ start: 0 });
  }

  async close(): Promise<void> {
    await this.#file.close();
    this.#disk.close();
  }
}

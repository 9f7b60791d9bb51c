import { createWriteStream, mkdirSync, type WriteStream } from 'node:fs';
import { dirname } from 'node:path';

/** A log of the run with times, in a file; lines that are announced are also printed. */
export class RunLog {
  readonly #file: WriteStream;
  readonly #announce: (line: string) => void;
  readonly #started: number;

  constructor(file: string, announce: (line: string) => void) {
    mkdirSync(dirname(file), { recursive: true });
    this.#file = createWriteStream(file, { flags: 'w' });
    this.#announce = announce;
    this.#started = Date.now();
  }

  /** Writes a line to the file. */
  write(line: string): void {
    this.#file.write(`${this.#elapsed()} ${line}\n`);
  }

  /** Writes a line to the file and prints it. */
  announce(line: string): void {
    this.write(line);
    this.#announce(`${this.#elapsed()} ${line}`);
  }

  close(): void {
    this.#file.end();
  }

  #elapsed(): string {
    return `${((Date.now() - this.#started) / 1000).toFixed(1).padStart(6)} s`;
  }
}

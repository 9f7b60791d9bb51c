import { createWriteStream, mkdirSync, type WriteStream } from 'node:fs';
import { dirname } from 'node:path';

/** What was done when, in a file and, as far as it is asked for, on the screen. */
export class Chronicle {
  readonly #file: WriteStream;
  readonly #say: (line: string) => void;
  readonly #began: number;

  constructor(file: string, say: (line: string) => void) {
    mkdirSync(dirname(file), { recursive: true });
    this.#file = createWriteStream(file, { flags: 'w' });
    this.#say = say;
    this.#began = Date.now();
  }

  /** Writes a line down. */
  note(line: string): void {
    this.#file.write(`${this.#elapsed()} ${line}\n`);
  }

  /** Writes a line down and says it. */
  say(line: string): void {
    this.note(line);
    this.#say(`${this.#elapsed()} ${line}`);
  }

  close(): void {
    this.#file.end();
  }

  #elapsed(): string {
    return `${((Date.now() - this.#began) / 1000).toFixed(1).padStart(6)} s`;
  }
}

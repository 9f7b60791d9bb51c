/** Prints the steps of the demo with their times, and the checks at its end. */
export class Output {
  readonly #started: number;
  readonly #clock: () => number;
  readonly #write: (line: string) => void;
  #failures = 0;

  /** `clock` gives milliseconds. */
  constructor(clock: () => number, write: (line: string) => void) {
    this.#started = clock();
    this.#clock = clock;
    this.#write = write;
  }

  /** Seconds since the beginning. */
  get seconds(): number {
    return (this.#clock() - this.#started) / 1000;
  }

  /** How many checks failed. */
  get failures(): number {
    return this.#failures;
  }

  /** A step, with the time at which it was reached. */
  step(text: string): void {
    this.#write(`[${this.seconds.toFixed(1).padStart(5)} s] ${text}`);
  }

  /** Output of a command, or details of a step. */
  print(text: string): void {
    this.#write(text);
  }

  /** A result that is compared with what Tollgate promises. */
  check(holds: boolean, text: string): void {
    if (!holds) this.#failures++;
    this.#write(`  ${holds ? 'ok    ' : 'FAILED'}  ${text}`);
  }
}

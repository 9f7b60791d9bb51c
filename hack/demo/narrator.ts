/** Tells what happens and how long it takes, and remembers what was not as promised. */
export class Narrator {
  readonly #started: number;
  readonly #clock: () => number;
  readonly #print: (line: string) => void;
  #broken = 0;

  /** `clock` gives milliseconds. */
  constructor(clock: () => number, print: (line: string) => void) {
    this.#started = clock();
    this.#clock = clock;
    this.#print = print;
  }

  /** Seconds since the beginning. */
  get seconds(): number {
    return (this.#clock() - this.#started) / 1000;
  }

  /** How many promises did not hold. */
  get broken(): number {
    return this.#broken;
  }

  /** A step, with the time at which it was reached. */
  step(text: string): void {
    this.#print(`[${this.seconds.toFixed(1).padStart(5)} s] ${text}`);
  }

  /** Output of a command or details of a step. */
  show(text: string): void {
    this.#print(text);
  }

  /** One promise and whether it held. */
  promise(held: boolean, text: string): void {
    if (!held) this.#broken++;
    this.#print(`  ${held ? 'kept  ' : 'BROKEN'}  ${text}`);
  }
}

/** How long an answer is given again. Milliseconds. */
const FRESH_MS = 1_000;
/** How many reads of one namespace wait for their turn at most. */
const MAX_WAITING = 64;

interface Answer {
  readonly text: Promise<string>;
  /** By the monotonic clock; Infinity while it is read. Milliseconds. */
  freshUntil: number;
}

/** The reads of one namespace, one after the other. */
interface Turns {
  last: Promise<unknown>;
  waiting: number;
}

/**
 * Answers that are read from the ledger, each at most once a second however often it is asked for. A namespace reads one at
 * a time, so that one with many keys and budgets is a single reader among all that the ledger serves.
 */
export class BudgetAnswers {
  readonly #elapsed: () => number;
  readonly #answers = new Map<string, Answer>();
  /** By namespace; only while it reads. */
  readonly #turns = new Map<string, Turns>();

  /** `elapsed`: the monotonic clock. Milliseconds. */
  constructor(elapsed: () => number) {
    this.#elapsed = elapsed;
  }

  /** The answer that `name` stands for, fresh or by `read`; null if too many reads of the namespace wait. Rejects as `read`. */
  get(namespace: string, name: string, read: () => Promise<string>): Promise<string> | null {
    this.#dropStale();
    const known = this.#answers.get(name);
    if (known !== undefined) return known.text;
    const turns = this.#turns.get(namespace) ?? { last: Promise.resolve(), waiting: 0 };
    if (turns.waiting >= MAX_WAITING) return null;
    const text = this.#inTurn(namespace, turns, async () => {
      const started = this.#elapsed();
      const answer = await read();
      this.#answers.set(name, { text, freshUntil: started + FRESH_MS });
      return answer;
    });
    this.#answers.set(name, { text, freshUntil: Infinity });
    // The callers see the error; the next one reads again.
    text.catch(() => this.#answers.delete(name));
    return text;
  }

  #inTurn<T>(namespace: string, turns: Turns, read: () => Promise<T>): Promise<T> {
    turns.waiting += 1;
    const result = turns.last.then(read);
    turns.last = result
      .catch(() => {})
      .then(() => {
        turns.waiting -= 1;
        if (turns.waiting === 0) this.#turns.delete(namespace);
      });
    this.#turns.set(namespace, turns);
    return result;
  }

  #dropStale(): void {
    const now = this.#elapsed();
    for (const [name, { freshUntil }] of this.#answers) if (freshUntil <= now) this.#answers.delete(name);
  }
}

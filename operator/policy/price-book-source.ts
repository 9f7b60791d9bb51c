import type { ConfigMap } from '../../kube/kinds.ts';
import type { CompileInput } from '../../policy/compile/compile-input.ts';
import { parsePriceBook, priceBookProblem } from '../../policy/prices/price-book-file.ts';
import type { PriceBook } from '../../policy/prices/price-book.ts';

const ENTRY = 'prices.json';

/** The price book to compile with: the administrator's own if there is a valid one, otherwise the shipped one. */
export class PriceBookSource {
  readonly #shipped: string;
  #current: CompileInput['prices'];
  #problem: string | undefined;
  #parsed: { readonly text: string; readonly book: PriceBook } | undefined;

  /** `shipped`: the text of a valid book. */
  constructor(shipped: string) {
    this.#shipped = shipped;
    this.#current = { text: shipped, fallback: false };
  }

  /** `fallback`: the administrator's book is invalid, so the compiler keeps the prices that it accepted last. */
  get current(): CompileInput['prices'] {
    return this.#current;
  }

  /** The same, parsed; the same object until it changes. */
  get book(): PriceBook {
    const { text } = this.#current;
    if (this.#parsed?.text !== text) this.#parsed = { text, book: parsePriceBook(JSON.parse(text)) };
    return this.#parsed.book;
  }

  /** What is wrong with the administrator's book, in one sentence; undefined where nothing is. */
  get problem(): string | undefined {
    return this.#problem;
  }

  take(own: ConfigMap | undefined): void {
    const text = own?.data?.[ENTRY];
    this.#problem = own === undefined ? undefined : problemOf(text);
    const isOwn = text !== undefined && this.#problem === undefined;
    this.#current = { text: isOwn ? text : this.#shipped, fallback: this.#problem !== undefined };
  }
}

function problemOf(text: string | undefined): string | undefined {
  if (text === undefined) return `The ConfigMap has no entry ${ENTRY}. The last accepted prices stay in force.`;
  const problem = jsonProblem(text);
  if (problem === null) return undefined;
  return `${ENTRY} is not used: ${problem.slice(0, 800)}. The last accepted prices stay in force.`;
}

function jsonProblem(text: string): string | null {
  try {
    return priceBookProblem(JSON.parse(text));
  } catch {
    return 'the price book is not JSON';
  }
}

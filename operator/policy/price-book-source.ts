import { parsePriceBook, PRICES_FILE } from '../../policy/prices/price-book-file.ts';
import type { PriceBook } from '../../policy/prices/price-book.ts';
import { OwnFile } from './own-file.ts';

/** The price book to compile with: the administrator's own if there is a valid one, otherwise the shipped one. */
export class PriceBookSource extends OwnFile {
  #parsed: { readonly text: string; readonly book: PriceBook } | undefined;

  /** `shipped`: the text of a valid book. */
  constructor(shipped: string) {
    super(PRICES_FILE, shipped);
  }

  /** The current one, parsed; the same object until it changes. */
  get book(): PriceBook {
    const { text } = this.current;
    if (this.#parsed?.text !== text) this.#parsed = { text, book: parsePriceBook(JSON.parse(text)) };
    return this.#parsed.book;
  }
}

/** The bytes [start, end) of a body. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** By a list at the top of the body, the field of its objects that may be edited. */
export type EditedFields = ReadonlyMap<string, string>;

/** Where values are in a body, noted while it is read. */
export class ValueSpans {
  readonly #edited: EditedFields;
  readonly #top = new Map<string, Span>();
  /** By list: for each of its objects, where its first field begins, and the span of its edited field. */
  readonly #objects = new Map<string, { readonly start: number; field: Span | null }[]>();

  constructor(edited: EditedFields) {
    this.#edited = edited;
  }

  addTop(name: string, start: number, end: number): void {
    this.#top.set(name, { start, end });
  }

  /** An object of a list at the top begins; `start` is behind its brace. */
  openObject(list: string, start: number): void {
    if (!this.#edited.has(list)) return;
    const objects = this.#objects.get(list) ?? [];
    objects.push({ start, field: null });
    this.#objects.set(list, objects);
  }

  /** A field of the object that was opened last. */
  addField(list: string, name: string, start: number, end: number): void {
    if (this.#edited.get(list) === name) this.#objects.get(list)!.at(-1)!.field = { start, end };
  }

  /** The bytes of a top-level field's value; undefined if it is absent. */
  top(name: string): Span | undefined {
    return this.#top.get(name);
  }

  /** The bytes of the edited field of object `index` of a list; where it is absent, the empty span behind the object's brace. */
  in(list: string, index: number): Span {
    const { start, field } = this.#objects.get(list)?.[index] ?? { start: 0, field: null };
    return field ?? { start, end: start };
  }
}

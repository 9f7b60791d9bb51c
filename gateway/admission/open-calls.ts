/**
 * The calls that have, or may have, a reservation in the ledger. A call is added before its reserve is sent and removed
 * once it is settled or released, so a reservation of this gateway that is not in here was never sent upstream.
 */
export class OpenCalls {
  readonly #ids = new Set<string>();

  get count(): number {
    return this.#ids.size;
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  add(id: string): void {
    this.#ids.add(id);
  }

  remove(id: string): void {
    this.#ids.delete(id);
  }
}

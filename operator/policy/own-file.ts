import type { ConfigMap } from '../../kube/kinds.ts';
import { type OwnFileKind, ownFileProblem } from '../../policy/schema/own-file.ts';

/** A file to compile with: the administrator's own in a ConfigMap, if there is a valid one, otherwise the shipped one. */
export class OwnFile {
  readonly #kind: OwnFileKind;
  readonly #shipped: string;
  #current: { readonly text: string; readonly fallback: boolean };
  #problem: string | undefined;

  /** `shipped`: the text of the valid file that this version ships. */
  constructor(kind: OwnFileKind, shipped: string) {
    this.#kind = kind;
    this.#shipped = shipped;
    this.#current = { text: shipped, fallback: false };
  }

  /** `fallback`: the administrator's file is invalid, so the compiler keeps the one that it accepted last. */
  get current(): { readonly text: string; readonly fallback: boolean } {
    return this.#current;
  }

  /** What is wrong with the administrator's file, in one sentence; undefined where nothing is. */
  get problem(): string | undefined {
    return this.#problem;
  }

  take(own: ConfigMap | undefined): void {
    const text = own?.data?.[this.#kind.entry];
    this.#problem = own === undefined ? undefined : ownFileProblem(this.#kind, own.data);
    const isOwn = text !== undefined && this.#problem === undefined;
    this.#current = { text: isOwn ? text : this.#shipped, fallback: this.#problem !== undefined };
  }
}

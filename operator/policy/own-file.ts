import type { ConfigMap } from '../../kube/kinds.ts';

interface OwnFileOptions {
  /** The entry of the ConfigMap. */
  readonly entry: string;
  /** The text of the valid file that this version ships. */
  readonly shipped: string;
  /** What is wrong with a parsed file, in one sentence; null if nothing is. */
  readonly problemOf: (value: unknown) => string | null;
  /** What stays in force, for sentences: `The last accepted prices stay in force.` */
  readonly stays: string;
}

/** A file to compile with: the administrator's own in a ConfigMap, if there is a valid one, otherwise the shipped one. */
export class OwnFile {
  readonly #options: OwnFileOptions;
  #current: { readonly text: string; readonly fallback: boolean };
  #problem: string | undefined;

  constructor(options: OwnFileOptions) {
    this.#options = options;
    this.#current = { text: options.shipped, fallback: false };
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
    const { entry, shipped } = this.#options;
    const text = own?.data?.[entry];
    this.#problem = own === undefined ? undefined : this.#problemOf(text);
    const isOwn = text !== undefined && this.#problem === undefined;
    this.#current = { text: isOwn ? text : shipped, fallback: this.#problem !== undefined };
  }

  #problemOf(text: string | undefined): string | undefined {
    const { entry, stays } = this.#options;
    if (text === undefined) return `The ConfigMap has no entry ${entry}. ${stays}`;
    const problem = this.#jsonProblem(text);
    return problem === null ? undefined : `${entry} is not used: ${problem.slice(0, 800)}. ${stays}`;
  }

  #jsonProblem(text: string): string | null {
    try {
      return this.#options.problemOf(JSON.parse(text));
    } catch {
      return 'it is not JSON';
    }
  }
}

import type { JsonFields } from '../json/json-access.ts';
import { definitionTokens } from './client-tools.ts';

/** The definitions of tools by name, since each reference to a tool puts its definition into the prompt again. */
export class ToolDefinitions {
  readonly #named = new Map<string | null, Definitions>();

  /** Adds a tool; null for a toolset, whose tools are not named. False if another one has the name. */
  add(name: string | null, tool: JsonFields): boolean {
    const isNew = name === null || !this.#named.has(name);
    const sameName = this.#named.get(name) ?? { uncounted: [], tokens: 0 };
    sameName.uncounted.push(tool);
    this.#named.set(name, sameName);
    return isNew;
  }

  /** The tokens of a referenced tool. A name without a tool is of a toolset, or the upstream refuses it. */
  tokensOf(name: string): number {
    const definitions = this.#named.get(name) ?? this.#named.get(null);
    if (definitions === undefined) return 0;
    for (const tool of definitions.uncounted.splice(0)) definitions.tokens += definitionTokens(tool);
    return definitions.tokens;
  }
}

/** The tools of one name; their tokens are counted at the first reference. */
interface Definitions {
  readonly uncounted: JsonFields[];
  tokens: number;
}

import { invalid, isObject, quoted } from '../json/json-access.ts';
import { LongText } from '../json/long-text.ts';
import { riskOf, type Risk, textRisk, worse } from './name-risk.ts';
import type { Shape } from './shape.ts';

/**
 * What this version does not know in a request: a field, a value of a known field (also a type of block or tool), or a
 * beta. The policy decides about it: it may be listed as harmless, and otherwise the highest bound is reserved for it.
 */
export interface UnknownName {
  /**
   * By what it is listed and counted: its path without the places in lists, and `=` before a value or a beta:
   * `cache_control.scope`, `messages[].content[].type=video`, `anthropic-beta=dreams-2027-01-01`.
   */
  readonly name: string;
  /** Where it is first, as a refusal tells the caller: `messages[3].content[0].type video`. */
  readonly path: string;
  readonly risk: Risk;
}

/** More in one request have no names of their own, and none of them can be listed. */
const MAX_NAMES = 32;

/** So many values below unknown names are looked through; more of them could hold anything. */
const MAX_VALUES = 2_000;

/** A body with more unknown names, the same ones counted each time, is refused: they would hold up other calls. */
const MAX_OCCURRENCES = 10_000;

/** Collects the unknown names of a request. Throws `RequestRejected` where there are too many. */
export class UnknownNames {
  readonly #found = new Map<string, UnknownName>();
  #valuesLeft = MAX_VALUES;
  #occurrencesLeft = MAX_OCCURRENCES;
  /** Something below an unknown name asks for a cache write. */
  writesCache = false;
  readonly betas: readonly string[];

  /** `betas`: those of the header `anthropic-beta`. A beta by itself starts nothing; what it lets in is in the body. */
  constructor(betas: readonly string[]) {
    this.betas = betas;
    for (const beta of betas) {
      const risk = riskOf(beta);
      this.#add('anthropic-beta', quoted(beta), risk === 'Unbounded' ? null : risk, null);
    }
  }

  get found(): readonly UnknownName[] {
    return [...this.#found.values()];
  }

  /** Notes the fields of an object, or of the objects in a list, that a shape does not have. Null is absence, as SDKs echo it. */
  addFields(value: unknown, known: Shape, path: string): void {
    if (Array.isArray(value)) return value.forEach((one, i) => this.addFields(one, known, `${path}[${i}]`));
    if (!isObject(value)) return;
    for (const name in value) {
      const field = value[name];
      if (field === null) continue;
      const within = known.get(name) ?? known.get('*');
      if (within === undefined && !known.has(name)) this.#add(pathTo(path, name), '', riskOf(name), field);
      else if (within != null) this.#addWithin(field, within, pathTo(path, name));
    }
  }

  #addWithin(field: unknown, known: Shape, path: string): void {
    if (isObject(field) || Array.isArray(field)) this.addFields(field, known, path);
    else if (!known.has('=*') && !known.has(`=${String(field)}`)) this.addValue(field, [], path);
  }

  /** Notes a value at a path that is none of the known ones; undefined and null count as absent. True if it is unknown. */
  addValue(value: unknown, known: readonly string[], path: string): boolean {
    if (value === undefined || value === null || known.includes(value as string)) return false;
    const isWord = typeof value === 'string';
    this.#add(path, isWord ? quoted(value) : '', riskOf(lastOf(path)), value);
    return true;
  }

  /** Notes a block of an unknown type. */
  addBlock(block: Readonly<Record<string, unknown>>, path: string): void {
    this.#add(`${path}.type`, quoted(String(block['type'])), null, block);
  }

  /** Notes a tool of an unknown type, which may be one that the upstream runs. */
  addTool(tool: Readonly<Record<string, unknown>>, path: string): void {
    this.#add(`${path}.type`, quoted(String(tool['type'])), 'Unbounded', tool);
  }

  #add(path: string, word: string, risk: Risk, value: unknown): void {
    this.#occurrencesLeft -= 1;
    if (this.#occurrencesLeft < 0)
      throw invalid(
        'The body has more than 10,000 names that Tollgate does not know. Leave out what the API does not need.',
      );
    const most = worse(risk, this.#riskIn(value));
    const name = `${path.replace(/\[\d+\]/g, '[]')}${word === '' ? '' : `=${word}`}`;
    const known = this.#found.get(name);
    if (known === undefined && this.#found.size >= MAX_NAMES) this.#addOther(most);
    else if (known === undefined) {
      this.#found.set(name, { name, path: word === '' ? path : `${path} ${word}`, risk: most });
    } else if (worse(known.risk, most) !== known.risk) this.#found.set(name, { ...known, risk: most });
  }

  /** Notes one of those without names of their own. */
  #addOther(risk: Risk): void {
    const others = this.#found.get(OTHERS);
    this.#found.set(OTHERS, { name: OTHERS, path: OTHERS, risk: worse(risk, others?.risk ?? null) });
  }

  /** What the names and texts in a value could do. */
  #riskIn(value: unknown): Risk {
    if (typeof value === 'string' || value instanceof LongText) return textRisk(value);
    if (typeof value !== 'object' || value === null) return null;
    if (this.#valuesLeft < 0) return 'Unbounded';
    let risk: Risk = null;
    const isList = Array.isArray(value);
    // A list of a hundred thousand is not copied before its first value is looked at.
    const names = isList ? value.keys() : Object.keys(value);
    for (const key of names) {
      const name = String(key);
      this.#valuesLeft -= 1;
      if (this.#valuesLeft < 0) {
        this.writesCache = true;
        return worse(risk, 'Unbounded');
      }
      const part = (value as Readonly<Record<string, unknown>>)[name];
      if (name === 'cache_control') this.writesCache = true;
      risk = worse(risk, worse(isList ? null : riskOf(name), this.#riskIn(part)));
    }
    return risk;
  }
}

const OTHERS = 'more unknown names';

function pathTo(path: string, name: string): string {
  return path === '' ? quoted(name) : `${path}.${quoted(name)}`;
}

function lastOf(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1);
}

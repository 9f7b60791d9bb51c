/**
 * What an answer says of its usage, in one report or in several: merged field by field, and read once. Every later report
 * can only add, since all counts are cumulative; `null` says nothing; and what cannot be read stays so.
 */

import { isCount, readUsage, type Usage } from './usage.ts';

type Report = Readonly<Record<string, unknown>>;

export class UsageReports {
  #merged: Report = {};
  #isUnreadable = false;
  #saysOutput = false;

  /** A report has said what the prompt costs. */
  get saysInput(): boolean {
    return this.#merged['input_tokens'] != null;
  }

  /** A report other than the first one has said the output. */
  get saysOutput(): boolean {
    return this.#saysOutput;
  }

  /** Takes the report of an answer that has only begun: its output is a start value, which the next report replaces. */
  begin(report: unknown): void {
    this.#merge(report);
  }

  /** Returns whether the report says the output. */
  add(report: unknown): boolean {
    const start = this.#merged['output_tokens'];
    const said = this.#merge(report)?.['output_tokens'] ?? null;
    if (said === null) return false;
    if (!this.#saysOutput && isCount(start)) this.#merged = { ...this.#merged, output_tokens: said };
    this.#saysOutput = true;
    return true;
  }

  /** There was a report that cannot be read, or one too many. */
  spoil(): void {
    this.#isUnreadable = true;
  }

  /** Null if nothing was said. Of an answer that broke off, the output may be missing. */
  read(): Usage | null {
    if (!this.#isUnreadable && Object.keys(this.#merged).length === 0) return null;
    const usage = readUsage(this.#merged, ['input_tokens']);
    return this.#isUnreadable ? { ...usage, absurd: true } : usage;
  }

  #merge(report: unknown): Report | null {
    if (report == null) return null;
    if (!isObject(report)) this.#isUnreadable = true;
    else this.#merged = merged(this.#merged, report, MAX_DEPTH);
    return isObject(report) ? report : null;
  }
}

/** Nothing that is read of a usage is nested more deeply, except in lists, which are not merged. */
const MAX_DEPTH = 2;

function merged(known: Report, report: Report, depth: number): Report {
  // Not assigned one by one: `__proto__` is a name like any other in JSON.
  const values = new Map(Object.entries(known));
  for (const [name, value] of Object.entries(report)) {
    if (value != null) values.set(name, mergedValue(values.get(name), value, depth));
  }
  return Object.fromEntries(values);
}

function mergedValue(known: unknown, value: unknown, depth: number): unknown {
  if (known === undefined) return value;
  if (isObject(known) && isObject(value)) return depth > 1 ? merged(known, value, depth - 1) : value;
  if (Array.isArray(known) && Array.isArray(value)) return longerList(known, value);
  if (typeof known === 'string') return typeof value === 'string' ? dearerWord(known, value) : known;
  return isCount(known) && isCount(value) ? Math.max(known, value) : UNREADABLE;
}

/** A later list has all that an earlier one has, unless it is empty and says nothing. */
function longerList(known: readonly unknown[], list: readonly unknown[]): unknown {
  if (list.length === 0) return known;
  return list.length < known.length ? UNREADABLE : list;
}

/** Neither a count nor an object nor a list, whatever a later report says. */
const UNREADABLE = NaN;

/** Of two words for speed, region or tier the later one, unless it is the cheaper one. */
function dearerWord(known: string, word: string): string {
  return rank(word) < rank(known) ? known : word;
}

function rank(word: string): number {
  if (word === 'batch') return 0;
  return PLAIN.has(word) ? 1 : 2;
}

const PLAIN = new Set(['standard', 'global', 'not_available']);

function isObject(value: unknown): value is Report {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

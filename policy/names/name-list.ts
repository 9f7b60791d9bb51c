/**
 * The file of names: `names.json`, the names in requests that cost nothing beyond their bytes although this version does
 * not know them. An administrator may replace it at run time, as the price book. How a name is written: UnknownName.
 */

import * as v from 'valibot';
import { globs, type Matcher } from '../core/globs.ts';
import type { OwnFileKind } from '../schema/own-file.ts';
import { readBySchema } from '../schema/read-by-schema.ts';
import { mapping, text, textLike } from '../schema/schema-parts.ts';
import shipped from './names.json' with { type: 'json' };

/** So many that every workspace's calls stay quick, and that the shared shard has room for them. */
const MOST = 1_000;

const NAME = v.pipe(
  textLike(
    /^(\*\.)?[!-)+-~]+\*?$/,
    'a path such as "safeguards", "*.cache_control.scope" or "anthropic-beta=name-2027-01-01"; * only as its first part or its end',
  ),
  v.maxLength(160, 'at most 160 characters'),
);

const NAMES = v.pipe(v.array(NAME, 'a list of names'), v.maxLength(MOST, `at most ${MOST} names`));

const FILE = mapping({
  version: text('a text'),
  /** Names that cost nothing beyond their bytes. */
  harmless: NAMES,
});

/** As it is stored for the gateways. */
const STORED = v.object({ ...FILE.pipe[1].entries, exceeded: v.optional(v.array(v.string()), []) });

/** What an installation knows of names that the version does not know. */
export interface NameList {
  readonly version: string;
  readonly isHarmless: Matcher;
  /** Names under which a call cost more than its highest bound. They are refused until a person lists them as harmless. */
  readonly exceeded: ReadonlySet<string>;
}

/** The ConfigMap's entry with an administrator's own list of names. */
export const NAMES_FILE: OwnFileKind = {
  entry: 'names.json',
  problemOf(value) {
    const read = readBySchema(FILE, value, { root: 'the file' });
    return read.ok ? null : `the list of names is invalid: ${read.error.join('; ')}`;
  },
  stays: 'The last accepted list stays in force.',
};

/** The text that is stored, of the text of a valid file; a name that is listed as harmless is not kept as exceeded. */
export function storedNames(file: string, exceeded: Iterable<string>): string {
  const { version, harmless } = JSON.parse(file) as v.InferInput<typeof FILE>;
  const isHarmless = globs(harmless);
  const kept = [...new Set(exceeded)].filter((name) => !isHarmless(name)).toSorted();
  return JSON.stringify({ version, harmless, exceeded: kept.slice(0, MOST) });
}

/** Reads what `storedNames` wrote. Throws for anything else. */
export function readNameList(value: unknown): NameList {
  const { version, harmless, exceeded } = v.parse(STORED, value);
  return { version, isHarmless: globs(harmless), exceeded: new Set(exceeded) };
}

/** The list that this version ships. */
export const SHIPPED_NAMES: NameList = {
  version: shipped.version,
  isHarmless: globs(shipped.harmless),
  exceeded: new Set(),
};

/** The text of the file that this version ships. */
export const SHIPPED_NAMES_TEXT: string = JSON.stringify(shipped);

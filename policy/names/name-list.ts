/**
 * The list of names in requests that cost nothing beyond their bytes although this version does not know them. How a name
 * is written: UnknownName.
 */

import { globs, type Matcher } from '../core/globs.ts';
import shipped from './names.json' with { type: 'json' };

/** What an installation knows of names that the version does not know. */
export interface NameList {
  readonly version: string;
  readonly isHarmless: Matcher;
  /** Names under which a call cost more than its highest bound. They are refused until a person lists them as harmless. */
  readonly exceeded: ReadonlySet<string>;
}

/** The list that this version ships. */
export const SHIPPED_NAMES: NameList = {
  version: shipped.version,
  isHarmless: globs(shipped.harmless),
  exceeded: new Set(),
};

/** What an unknown name may do, judged by the words in it. */

import type { LongText } from '../json/long-text.ts';

/**
 * `Chooses`: the payer, the workspace, the tier or the model, so that the call would count against the wrong budget or at
 * the wrong price. `Unbounded`: it may bring content, servers or agents that are not in the request, as often as the
 * upstream likes. Null: neither, so that one inference at the highest bound covers it.
 */
export type Risk = 'Chooses' | 'Unbounded' | null;

const CHOOSES = new Set(
  'payer payers payment payments bill billed billing invoice account accounts org organization organizations workspace workspaces profile profiles project projects subscription credit credits tier tiers priority speed model models'.split(
    ' ',
  ),
);

const UNBOUNDED = new Set(
  'url urls uri uris href server servers host container containers agent agents subagent subagents thread threads session sessions'.split(
    ' ',
  ),
);

/** What a name may do by its words: `fallback_models` chooses a model, `imageUrl` brings what is not in the body. */
export function riskOf(name: string): Risk {
  const words = name
    .slice(0, MAX_LENGTH)
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z]+/);
  if (words.some((word) => CHOOSES.has(word))) return 'Chooses';
  const repeats = /(^|[^a-z])max_?uses?([^a-z]|$)/i.test(name.slice(0, MAX_LENGTH));
  return repeats || words.some((word) => UNBOUNDED.has(word)) ? 'Unbounded' : null;
}

/** No name of an API is longer. */
const MAX_LENGTH = 256;

/** A text that is an address brings what is behind it. */
export function textRisk(text: string | LongText): Risk {
  return ADDRESS.test(typeof text === 'string' ? text : text.beginning()) ? 'Unbounded' : null;
}

const ADDRESS = /^\s{0,8}[a-z][a-z0-9+.-]{0,30}:\/\//i;

/** The one that allows less. */
export function worse(one: Risk, other: Risk): Risk {
  if (one === 'Chooses' || other === 'Chooses') return 'Chooses';
  return one ?? other;
}

/**
 * Names that callers and tenants write (attributes, models) are read by people, in tables, terminals and log lines. Plain
 * text is what such a reader sees as it is: no control characters (a terminal obeys them, C1 ones too), no format
 * characters such as bidi overrides and zero-width ones, no line or paragraph separators, nothing that is drawn as
 * nothing, and no code points that are lone surrogates, private or unassigned.
 */

const ASCII = /^[\x20-\x7e]*$/;
const NOT_PLAIN = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;
const EACH_NOT_PLAIN = new RegExp(NOT_PLAIN, 'gu');

export function isPlain(text: string): boolean {
  return ASCII.test(text) || !NOT_PLAIN.test(text);
}

/** The one spelling of a name: Unicode allows several of "é", and each would be another customer (NFC). */
export function oneSpelling(name: string): string {
  return ASCII.test(name) ? name : name.normalize('NFC');
}

/** Writes what is not plain as `\uXXXX`, which JSON reads as the same text. */
export function escapeText(text: string): string {
  return isPlain(text) ? text : text.replace(EACH_NOT_PLAIN, escaped);
}

/** The same for a line of JSON with its line break at the end. */
export function escapeLine(line: string): string {
  return line.endsWith('\n') ? `${escapeText(line.slice(0, -1))}\n` : escapeText(line);
}

/** By UTF-16 code units, as JSON has them. */
function escaped(character: string): string {
  let units = '';
  for (let at = 0; at < character.length; at++) {
    units += `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`;
  }
  return units;
}

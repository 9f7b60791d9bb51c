/**
 * How many pages a PDF has at most. Only a file that shows its page tree openly can be counted; one that packs it into
 * compressed objects or hangs a page into the tree twice cannot, and none is ever guessed.
 */

import { MAX_IMAGE_TOKENS } from './images.ts';

/** A page counts as its text, for which this is the upper end of what is published, and as a picture of itself. */
const PAGE_TOKENS = 3000 + MAX_IMAGE_TOKENS;

/** The tokens of a PDF in base64; null where its pages cannot be counted. */
export function pdfTokens(base64: string): number | null {
  const pages = pagesOf(decode(base64));
  return pages === null ? null : pages * PAGE_TOKENS;
}

/** No more than this is looked through in one request, as characters of base64: it would hold up other calls. */
export const MAX_PDF_LENGTH: number = 4 * 1024 * 1024;

function decode(base64: string): string {
  try {
    return atob(base64);
  } catch {
    return '';
  }
}

const PACKED = /\/ObjStm|\/Encrypt/;
/** A letter of a name in hex: what the name says cannot be seen at once. */
const HIDDEN = /\/[A-Za-z]{0,8}#[4-7][0-9A-Fa-f]/;
const KIDS = /\/Kids\s*(\[[\s\dR]*\])?/g;

/** Every page is a kid of the tree once, and so is every branch of it. */
function pagesOf(file: string): number | null {
  if (!file.startsWith('%PDF-') || PACKED.test(file) || HIDDEN.test(file)) return null;
  const seen = new Set<number>();
  for (const [, list] of file.matchAll(KIDS)) {
    const kids = list === undefined ? null : kidsOf(list);
    if (kids === null || kids.some((kid) => seen.has(kid)) || new Set(kids).size < kids.length) return null;
    for (const kid of kids) seen.add(kid);
  }
  return seen.size === 0 ? null : seen.size;
}

/** Room for more pages than a request may have. */
const MAX_LIST_LENGTH = 20_000;

/** The objects of a list such as `[3 0 R 4 0 R]`; null where it is not made of references alone. */
function kidsOf(list: string): readonly number[] | null {
  if (list.length > MAX_LIST_LENGTH) return null;
  const words = list.slice(1, -1).trim().split(/\s+/);
  const kids: number[] = [];
  for (let i = 0; i < words.length; i += 3) {
    const [object, , end] = words.slice(i, i + 3);
    if (end !== 'R' || !/^\d{1,10}$/.test(object!)) return null;
    kids.push(Number(object));
  }
  return kids;
}

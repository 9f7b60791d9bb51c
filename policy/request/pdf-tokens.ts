/**
 * The maximum tokens of a PDF, by its pages. They can be counted only if the page tree is readable: not in a file that
 * compresses or encrypts it, or that lists a page twice. The number is never guessed.
 */

import { MAX_IMAGE_TOKENS } from './image-tokens.ts';

/** A page counts as its text, here at the upper end of the published range, and as an image of itself. */
const PAGE_TOKENS = 3000 + MAX_IMAGE_TOKENS;

/** The tokens of a PDF in base64; null if its pages cannot be counted. */
export function pdfTokens(base64: string): number | null {
  const pages = pagesOf(decode(base64));
  return pages === null ? null : pages * PAGE_TOKENS;
}

/** The most that is searched in one request, in characters of base64; more would hold up other calls. */
export const MAX_PDF_LENGTH: number = 4 * 1024 * 1024;

function decode(base64: string): string {
  try {
    return atob(base64);
  } catch {
    return '';
  }
}

const PACKED = /\/ObjStm|\/Encrypt/;
/** A name with letters in hex, which the other patterns would miss. */
const HIDDEN = /\/[A-Za-z]{0,8}#[4-7][0-9A-Fa-f]/;
const KIDS = /\/Kids\s*(\[[\s\dR]*\])?/g;

/** Counts the nodes of the page tree: every page and every branch is listed as a kid once. */
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

/** Room for more pages than the API takes in a request. */
const MAX_LIST_LENGTH = 20_000;

/** The objects of a list such as `[3 0 R 4 0 R]`; null if it holds anything but references. */
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

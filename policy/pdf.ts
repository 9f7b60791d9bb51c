/**
 * How many pages a PDF has at most. Only a file that shows its page tree openly can be counted; one that packs it into
 * compressed objects or hangs a page into the tree twice cannot, and none is ever guessed.
 */

import { Base64 } from './base64.ts';
import { MAX_PICTURE_TOKENS } from './pictures.ts';

/** A page counts as its text, for which this is the upper end of what is published, and as a picture of itself. */
const PAGE_TOKENS = 3000 + MAX_PICTURE_TOKENS;

/** The tokens of a PDF in base64; null where its pages cannot be counted. */
export function pdfTokens(base64: string): number | null {
  const pages = pagesOf(decode(base64));
  return pages === null ? null : pages * PAGE_TOKENS;
}

/** Longer files are not searched: that would hold up every other call. Bytes. */
const MAX_BYTES = 4 * 1024 * 1024;

function decode(base64: string): string {
  if (new Base64(base64).length > MAX_BYTES) return '';
  try {
    return atob(base64);
  } catch {
    return '';
  }
}

const PACKED = /\/ObjStm|\/Encrypt/;
const KIDS = /\/Kids\s*(\[[\s\d]*(?:R[\s\d]*)*\])?/g;
const REFERENCE = /(\d+)\s+\d+\s+R/g;
const ESCAPE = /#([0-9A-Fa-f]{2})/g;

/** Every page is a kid of the tree once, and so is every branch of it. */
function pagesOf(file: string): number | null {
  const plain = file.replace(ESCAPE, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  if (!plain.startsWith('%PDF-') || PACKED.test(plain)) return null;
  const seen = new Set<number>();
  for (const [, list] of plain.matchAll(KIDS)) {
    if (list === undefined) return null;
    for (const [, object] of list.matchAll(REFERENCE)) {
      if (seen.has(Number(object))) return null;
      seen.add(Number(object));
    }
  }
  return seen.size === 0 ? null : seen.size;
}

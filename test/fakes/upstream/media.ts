import { inflateSync } from 'node:zlib';

/** What of a request is no text: how many characters of its body, and how many tokens they are read as. */
export interface Media {
  readonly bytes: number;
  readonly tokens: number;
}

/** Patches of 28 pixels, and what a picture counts that is larger than any model looks at. */
const PATCH = 28;
const LARGEST = 4784;
/** A page of little text, and a page as a picture. */
const PAGE_TEXT = 2_000;
const PAGE_PICTURE = 1_500;

/** Sums up the pictures and PDFs of a request that come in base64. */
export function mediaOf(value: unknown): Media {
  if (typeof value !== 'object' || value === null) return { bytes: 0, tokens: 0 };
  const { type, media_type: mediaType, data } = value as { type?: unknown; media_type?: unknown; data?: unknown };
  if (type === 'base64' && typeof data === 'string') {
    const bytes = Buffer.from(data, 'base64');
    return { bytes: data.length, tokens: mediaType === 'application/pdf' ? pdf(bytes) : picture(bytes) };
  }
  return Object.values(value)
    .map(mediaOf)
    .reduce((sum, one) => ({ bytes: sum.bytes + one.bytes, tokens: sum.tokens + one.tokens }), { bytes: 0, tokens: 0 });
}

/** Only PNG is looked into, and the last of its headers counts; what else comes is as large as it can be. */
function picture(bytes: Buffer): number {
  if (bytes.length < 24 || bytes.readUInt32BE(0) !== 0x89504e47) return LARGEST;
  const size = bytes.lastIndexOf('IHDR') + 4;
  if (bytes.length < size + 8) return LARGEST;
  return Math.min(
    LARGEST,
    Math.ceil(bytes.readUInt32BE(size) / PATCH) * Math.ceil(bytes.readUInt32BE(size + 4) / PATCH),
  );
}

/** All text that a PDF shows, packed or not, four characters to a token, and its pages as pictures. */
function pdf(bytes: Buffer): number {
  const file = bytes.toString('latin1');
  const packed = [...file.matchAll(/stream\r?\n([^]*?)endstream/g)].map(([, data = '']) => inflated(data));
  const all = [file, ...packed].join('\n');
  const pages = all.match(/\/Type\s*\/Page\b/g)?.length ?? 1;
  const shown = [...all.matchAll(/\(([^()]*)\)\s*Tj/g)].reduce((sum, [, text = '']) => sum + text.length, 0);
  return pages * PAGE_PICTURE + Math.max(pages * PAGE_TEXT, Math.ceil(shown / 4));
}

function inflated(data: string): string {
  try {
    return inflateSync(Buffer.from(data, 'latin1')).toString('latin1');
  } catch {
    return '';
  }
}

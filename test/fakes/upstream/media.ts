/** What of a request is no text: how many characters of its body, and how many tokens they are read as. */
export interface Media {
  readonly bytes: number;
  readonly tokens: number;
}

/** Patches of 28 pixels, and what a picture counts that is larger than any model looks at. */
const PATCH = 28;
const LARGEST = 4784;
/** A page of text, and a page as a picture. */
const PAGE = 2_000 + 1_500;

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

/** Only PNG is looked into; what else comes is as large as it can be. */
function picture(bytes: Buffer): number {
  if (bytes.length < 24 || bytes.readUInt32BE(0) !== 0x89504e47) return LARGEST;
  return Math.min(LARGEST, Math.ceil(bytes.readUInt32BE(16) / PATCH) * Math.ceil(bytes.readUInt32BE(20) / PATCH));
}

function pdf(bytes: Buffer): number {
  const pages = bytes.toString('latin1').match(/\/Type\s*\/Page\b/g)?.length ?? 1;
  return pages * PAGE;
}

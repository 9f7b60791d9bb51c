/** The maximum tokens of an image: one for each patch of 28 × 28 pixels, by the size in its header. */

import { Base64Reader } from './base64-reader.ts';

/** The tokens of the largest image on any model, and of one whose size cannot be read. */
export const MAX_IMAGE_TOKENS = 4784;

const PATCH = 28;

/** More segments than any real image has before its size; reading ends there, so no image can hold up other calls. */
const MAX_STEPS = 200;

/** The tokens of an image in base64, in any of the four formats that the API takes. */
export function imageTokens(base64: string): number {
  const bytes = new Base64Reader(base64);
  const tokens = Math.ceil(sideOf(bytes, 'width') / PATCH) * Math.ceil(sideOf(bytes, 'height') / PATCH);
  return tokens > 0 && tokens < MAX_IMAGE_TOKENS ? tokens : MAX_IMAGE_TOKENS;
}

type Side = 'width' | 'height';
type Reader = (bytes: Base64Reader, side: Side) => number;

/** In pixels; NaN if it cannot be read. */
function sideOf(bytes: Base64Reader, side: Side): number {
  const read = READERS.find(([magic, offset]) => bytes.ascii(offset, offset + magic.length) === magic)?.[2];
  return read === undefined ? NaN : read(bytes, side);
}

const READERS: readonly (readonly [magic: string, offset: number, read: Reader])[] = [
  ['\x89PNG\r\n\x1a\n\0\0\0\rIHDR', 0, (bytes, side) => bytes.big(side === 'width' ? 16 : 20, 4)],
  ['GIF8', 0, gif],
  ['WEBPVP8X', 8, (bytes, side) => bytes.little(side === 'width' ? 24 : 27, 3) + 1],
  ['WEBPVP8L', 8, (bytes, side) => ((bytes.little(21, 4) >>> (side === 'width' ? 0 : 14)) & 0x3fff) + 1],
  ['WEBPVP8 ', 8, (bytes, side) => bytes.little(side === 'width' ? 26 : 28, 2) & 0x3fff],
  ['\xff\xd8\xff', 0, jpeg],
];

/** The screen, or the first frame if it reaches beyond the screen. */
function gif(bytes: Base64Reader, side: Side): number {
  const [at, screen] = side === 'width' ? [0, bytes.little(6, 2)] : [2, bytes.little(8, 2)];
  const flags = bytes.at(10);
  let block = 13 + (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0);
  // An extension is a label and sub-blocks, and ends with an empty one.
  for (let steps = 0; bytes.at(block) === 0x21 && steps < MAX_STEPS; steps++) {
    block += 2;
    for (; bytes.at(block) > 0 && steps < MAX_STEPS; steps++) block += bytes.at(block) + 1;
    block += 1;
  }
  if (bytes.at(block) !== 0x2c) return NaN;
  return Math.max(screen, bytes.little(block + 1 + at, 2) + bytes.little(block + 5 + at, 2));
}

/** The size is in the frame header, which comes after segments of any number and length. */
function jpeg(bytes: Base64Reader, side: Side): number {
  let at = 2;
  for (let steps = 0; bytes.at(at) === 0xff && steps < MAX_STEPS; steps++) {
    const [marker, size] = [bytes.at(at + 1), bytes.big(at + 2, 2)];
    if (isFrame(marker)) return bytes.big(at + (side === 'width' ? 7 : 5), 2);
    if (!hasLength(marker) || size < 2) return NaN;
    at += 2 + size;
  }
  return NaN;
}

function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && !NO_FRAMES.includes(marker);
}

const NO_FRAMES = [0xc4, 0xc8, 0xcc];

/** Whether a segment before the frame has a length; reading ends at any other marker. */
function hasLength(marker: number): boolean {
  return NO_FRAMES.includes(marker) || (marker >= 0xdb && marker <= 0xfe);
}

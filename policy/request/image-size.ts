/**
 * Reads the size of an image from its file. Nothing is decoded. A file that two programs could read in two ways has no
 * size: what is counted must be what the upstream sees. One that ends too early is no image, which is billed to nobody.
 */

import type { Base64Reader } from './base64-reader.ts';

/** In pixels. `end`: the byte up to which the size depends on the file. */
export interface ImageSize {
  readonly width: number;
  readonly height: number;
  readonly end: number;
}

/** Called for each part of a file; false once there were too many to look at them all. */
export type Step = () => boolean;

/** The size of a file; null if it cannot be read, or is ambiguous. */
type ReadSize = (bytes: Base64Reader, step: Step) => ImageSize | null;

/**
 * The size of an image in any of the four formats that the API takes. The first bytes say which one: a program that goes by
 * another media type than that of the file cannot read it.
 */
export const imageSize: ReadSize = (bytes, step) => {
  switch (bytes.at(0)) {
    case 0x89:
      return pngSize(bytes, step);
    case 0xff:
      return jpegSize(bytes, step);
    case 0x47:
      return gifSize(bytes, step);
    case 0x52:
      return webpSize(bytes, step);
    default:
      return null;
  }
};

const PNG = '\x89PNG\r\n\x1a\n\0\0\0\rIHDR';
/** The names of its chunks: header, pixels, end. */
const [IHDR, IDAT, IEND] = [0x49484452, 0x49444154, 0x49454e44];

/**
 * The size in the header. A second header makes it ambiguous, because some programs take the last one. No program reads on
 * behind a chunk whose name is zeros.
 */
function pngSize(bytes: Base64Reader, step: Step): ImageSize | null {
  if (bytes.ascii(0, PNG.length) !== PNG) return null;
  const [width, height] = [bytes.big(16, 4), bytes.big(20, 4)];
  let pixels: number | null = null;
  for (let at = 33; step(); at += 12 + bytes.big(at, 4)) {
    const chunk = bytes.big(at + 4, 4);
    if (chunk === IHDR) return null;
    if (chunk === IDAT) pixels ??= at;
    if (chunk === IEND || !(chunk > 0)) return { width, height, end: pixels ?? at + 8 };
  }
  return null;
}

/** More segments than any real image has before its pixels. */
const MAX_SEGMENTS = 200;
const SCAN = 0xda;

/**
 * The size in the frame header, which stands among other segments. A second one makes it ambiguous, because some programs
 * take the last one.
 */
function jpegSize(bytes: Base64Reader, step: Step): ImageSize | null {
  if (bytes.ascii(0, 2) !== '\xff\xd8') return null;
  let frame: Omit<ImageSize, 'end'> | null = null;
  let at = 2;
  for (let segments = 0; segments < MAX_SEGMENTS; segments++) {
    at = nextMarker(bytes, at, step);
    const [marker, length] = [bytes.at(at + 1), bytes.big(at + 2, 2)];
    if (marker === SCAN || Number.isNaN(marker)) return frame && { ...frame, end: at + 2 };
    if (!(length >= 2) || !(isFrame(marker) ? frame === null : hasLength(marker))) return null;
    if (isFrame(marker)) frame = { width: bytes.big(at + 7, 2), height: bytes.big(at + 5, 2) };
    at += 2 + length;
  }
  return null;
}

/** Programs skip bytes that are no marker. */
function nextMarker(bytes: Base64Reader, start: number, step: Step): number {
  let at = start;
  while (step() && bytes.at(at) < 0xff) at += 1;
  return at;
}

function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && !NO_FRAMES.includes(marker);
}

const NO_FRAMES = [0xc4, 0xc8, 0xcc];

/** Whether a segment other than a frame has a length; reading ends at any other marker. */
function hasLength(marker: number): boolean {
  return NO_FRAMES.includes(marker) || (marker >= 0xdb && marker <= 0xfe);
}

const [EXTENSION, FRAME, TRAILER] = [0x21, 0x2c, 0x3b];

/** The smallest size that holds the screen and all frames, some of which may reach beyond the screen. */
function gifSize(bytes: Base64Reader, step: Step): ImageSize | null {
  if (bytes.ascii(0, 4) !== 'GIF8') return null;
  let [width, height] = [bytes.little(6, 2), bytes.little(8, 2)];
  let [at, frames] = [13 + tableLength(bytes.at(10)), 0];
  while (step()) {
    const kind = bytes.at(at);
    if (kind === TRAILER || Number.isNaN(kind)) return frames === 0 ? null : { width, height, end: at + 1 };
    if (kind === FRAME) {
      frames += 1;
      width = Math.max(width, bytes.little(at + 1, 2) + bytes.little(at + 5, 2));
      height = Math.max(height, bytes.little(at + 3, 2) + bytes.little(at + 7, 2));
      at = endOfBlocks(bytes, at + 11 + tableLength(bytes.at(at + 9)), step);
    } else if (kind === EXTENSION) at = endOfBlocks(bytes, at + 2, step);
    else at += 1; // programs skip what is no block
  }
  return null;
}

/** The bytes of a table of colours, if the flags say that there is one. */
function tableLength(flags: number): number {
  return flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0;
}

/** Where a list of blocks ends: each begins with its length, and the last one is empty. */
function endOfBlocks(bytes: Base64Reader, start: number, step: Step): number {
  let at = start;
  for (; bytes.at(at) > 0 && step(); at += bytes.at(at) + 1);
  return at + 1;
}

/** The size of the only picture; a canvas of another size, or an animation, makes it ambiguous. */
function webpSize(bytes: Base64Reader, step: Step): ImageSize | null {
  if (bytes.ascii(0, 4) !== 'RIFF' || bytes.ascii(8, 12) !== 'WEBP') return null;
  if (bytes.ascii(12, 16) !== 'VP8X') return pictureAt(bytes, 12);
  const [width, height] = [bytes.little(24, 3) + 1, bytes.little(27, 3) + 1];
  let at = 30;
  while (step() && BEFORE_PICTURE.includes(bytes.ascii(at, at + 4)))
    at += 8 + 2 * Math.ceil(bytes.little(at + 4, 4) / 2);
  if (Number.isNaN(bytes.at(at))) return { width, height, end: at + 1 };
  const picture = pictureAt(bytes, at);
  return picture?.width === width && picture.height === height ? picture : null;
}

const BEFORE_PICTURE = ['ALPH', 'EXIF', 'ICCP', 'XMP '];

/** The picture in the chunk at an index; null for any other chunk. */
function pictureAt(bytes: Base64Reader, at: number): ImageSize | null {
  const kind = bytes.ascii(at, at + 4);
  if (kind === 'VP8 ' && bytes.ascii(at + 11, at + 14) === '\x9d\x01\x2a') {
    return { width: bytes.little(at + 14, 2) & 0x3fff, height: bytes.little(at + 16, 2) & 0x3fff, end: at + 18 };
  }
  if (kind === 'VP8L' && bytes.at(at + 8) === 0x2f) {
    const bits = bytes.little(at + 9, 4);
    return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1, end: at + 13 };
  }
  return null;
}

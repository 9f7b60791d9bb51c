/** The maximum tokens of the images of a request: one for each patch of 28 × 28 pixels, by the sizes in their files. */

import { LongText } from '../json/long-text.ts';
import { Base64Reader } from './base64-reader.ts';
import { type ImageSize, imageSize } from './image-size.ts';

/** The tokens of the largest image on any model, and of one whose size cannot be read. */
export const MAX_IMAGE_TOKENS = 4784;

const PATCH = 28;

/** More than the API takes in a request; the sizes of further ones are not read. */
const MAX_IMAGES = 600;

/** What is looked at in one request, which takes about 10 ms: parts of files, of which a real one has kilobytes, ... */
const MAX_STEPS = 20_000;
/** ... the bytes before their pixels ... */
const MAX_HEADERS = 4 * 1024 * 1024;

/** ... and the bytes of files that are written with escapes, as some programs write each slash. */
const MAX_ESCAPED = 4 * 1024 * 1024;

/** Measures the images of one request. */
export class ImageMeter {
  #images = 0;
  #steps = 0;
  #headers = 0;
  #escaped = 0;

  /** The tokens of an image in base64. */
  tokens(base64: string | LongText): number {
    this.#images += 1;
    const isRead = this.#images <= MAX_IMAGES && !this.#isTooLong(base64);
    const size = isRead ? this.#sizeOf(new Base64Reader(base64)) : null;
    const tokens = size === null ? NaN : Math.ceil(size.width / PATCH) * Math.ceil(size.height / PATCH);
    return tokens > 0 && tokens < MAX_IMAGE_TOKENS ? tokens : MAX_IMAGE_TOKENS;
  }

  #isTooLong(base64: string | LongText): boolean {
    if (base64 instanceof LongText && !base64.isPlain) this.#escaped += base64.length;
    return this.#escaped > MAX_ESCAPED;
  }

  #sizeOf(bytes: Base64Reader): ImageSize | null {
    const size = imageSize(bytes, () => ++this.#steps <= MAX_STEPS);
    this.#headers += size?.end ?? 0;
    return size !== null && this.#headers <= MAX_HEADERS && bytes.isExact(size.end) ? size : null;
  }
}

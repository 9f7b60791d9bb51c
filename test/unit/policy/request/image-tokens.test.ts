import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ascii, big, bytes, facts, image, little, withContent } from '../../../support/request-bodies.ts';

type Part = string | number[];

/** Pictures as their formats have them, with their pixels left out. */
const chunk = (name: string, ...data: Part[]): Part[] => {
  const length = Buffer.from(ascii(...data), 'base64').length;
  return [[0, 0, ...big(length)], name, ...data, [0, 0, 0, 0]];
};
const IHDR = (width: number, height: number): Part[] =>
  chunk('IHDR', [0, 0], big(width), [0, 0], big(height), [8, 2, 0, 0, 0]);
const PNG = (width: number, height: number, before: Part[] = [], behind: Part[] = []) =>
  ascii('\x89PNG\r\n\x1a\n', ...IHDR(width, height), ...before, ...chunk('IDAT', 'p'), ...behind, ...chunk('IEND'));
const SOF = (width: number, height: number): Part[] => [[0xff, 0xc2, ...big(11), 8], big(height, width), [1, 1, 17, 0]];
const JPEG = (width: number, height: number, ...before: number[][]) =>
  ascii([0xff, 0xd8], ...before, ...SOF(width, height), [0xff, 0xda, 0, 2], 'and so on');
const FRAME = (...frame: number[]): Part[] => [[0x2c], little(...frame), [0, 2, 2, 0x44, 1, 0]];
const GIF = (width: number, height: number, frame: number[] = [0, 0, width, height], flags = 0, more: Part[] = []) => {
  const table = flags & 0x80 ? Array<number>(3 * 2 ** ((flags & 7) + 1)).fill(0x2c) : [];
  const extension = [0x21, 0xff, 11, ...Array<number>(11).fill(0x2c), 3, 1, 2, 3, 0];
  return ascii('GIF89a', little(width, height), [flags, 0, 0], table, extension, ...FRAME(...frame), ...more, [0x3b]);
};
const WEBP = (...chunks: Part[]) => ascii('RIFF', [9, 9, 9, 9], 'WEBP', ...chunks);
const LOSSY = (width: number, height: number): Part[] => [
  'VP8 ',
  [10, 0, 0, 0],
  [0x30, 1, 0, 0x9d, 1, 0x2a, ...little(width | 0x4000, height)],
];
const CANVAS = (width: number, height: number): Part[] => [
  'VP8X',
  [10, 0, 0, 0],
  [0x10, 0, 0, 0, ...three(width - 1), ...three(height - 1)],
];
const three = (n: number): number[] => [n & 0xff, (n >> 8) & 0xff, n >> 16];
const WEBPS: Record<string, (width: number, height: number) => string> = {
  lossy: (width, height) => WEBP(...LOSSY(width, height)),
  lossless: (width, height) => {
    const bits = (width - 1) | ((height - 1) << 14);
    return WEBP('VP8L', [5, 0, 0, 0], [0x2f, ...little(bits & 0xffff, bits >>> 16), 0]);
  },
  extended: (width, height) =>
    WEBP(...CANVAS(width, height), 'ICCP', [3, 0, 0, 0], 'abc', [0], ...LOSSY(width, height)),
};
describe('images', () => {
  /** Tokens that a block adds to those of the same request without its base64. */
  const added = (data: string): number => {
    const withData = withContent(image(data));
    return facts(withData).inputTokens - bytes(withContent(image(''))).length;
  };

  test.each<[string, string, number]>([
    ['a PNG', PNG(640, 480), 23 * 18],
    ['a PNG of a pixel', PNG(1, 1), 1],
    ['a PNG of whole patches', PNG(56, 28), 2],
    ['a JPEG', JPEG(641, 99), 23 * 4],
    [
      'a JPEG behind its thumbnail and comments',
      JPEG(300, 200, [0xff, 0xe1, 0, 6, 0xff, 0xc0, 1, 1], [0xff, 0xfe, 0, 2]),
      11 * 8,
    ],
    ['a GIF', GIF(57, 1000), 3 * 36],
    ['a GIF with a table of colours', GIF(57, 1000, [0, 0, 1, 1], 0x81), 3 * 36],
    ['a GIF whose frame reaches beyond its screen', GIF(10, 10, [30, 0, 27, 1000]), 3 * 36],
    ['a lossy WebP', WEBPS['lossy']!(1200, 800), 43 * 29],
    ['a lossless WebP', WEBPS['lossless']!(1201, 799), 43 * 29],
    ['an extended WebP', WEBPS['extended']!(333, 222), 12 * 8],
    ['a PNG with chunks around its pixels', PNG(56, 28, chunk('gAMA', [0, 1, 2, 3]), chunk('tEXt', 'IHDR')), 2],
    ['a PNG that ends behind its header', PNG(56, 28).slice(0, 44), 2],
    ['a PNG with no chunks behind its header', ascii('\x89PNG\r\n\x1a\n', ...IHDR(56, 28), '\0'.repeat(1000)), 2],
    ['a GIF with bytes that are no block', GIF(1, 1, [0, 0, 1, 1], 0, [[1, 2, 3], ...FRAME(30, 0, 27, 1000)]), 3 * 36],
    ['a GIF with a later frame beyond its screen', GIF(10, 10, [0, 0, 5, 5], 0, FRAME(30, 0, 27, 1000)), 3 * 36],
  ])('%s counts in patches of 28 pixels', (_, data, tokens) => {
    expect(added(data)).toBe(tokens);
  });

  test.each<[string, string]>([
    ['is larger than any that is not scaled down', PNG(4000, 4000)],
    ['has no size', PNG(0, 5)],
    ['ends too early', PNG(640, 480).slice(0, 20)],
    ['is a JPEG without a frame', ascii([0xff, 0xd8, 0xff, 0xda, 0, 2, 0xff, 0xc0, 0, 17, 8, 0, 1, 0, 1])],
    ['is a JPEG with a segment of no length', JPEG(1, 1, [0xff, 0xe0, 0, 1])],
    ['is a GIF without a frame', ascii('GIF89a', little(5, 5), [0, 0, 0, 0x3b])],
    ['is of another format', ascii('BM and so on')],
    ['is not base64', '%%%%'],
    ['is a JPEG of many segments', JPEG(1, 1, ...Array.from({ length: 300 }, () => [0xff, 0xfe, 0, 2]))],
    ['is a GIF of many blocks', ascii('GIF89a', little(5, 5), [0, 0, 0, 0x21, 0xff], Array<number>(1000).fill(1))],
    ['is empty', ''],
    ['is a PNG with a second header', PNG(1, 1, IHDR(4000, 4000))],
    [
      'is a PNG with a second header behind a chunk of an odd name',
      PNG(1, 1, [...chunk(' \x01\x02\xff'), ...IHDR(4000, 4000)]),
    ],
    ['is a PNG with a second header behind its pixels', PNG(1, 1, [], IHDR(4000, 4000))],
    ['is a JPEG with a second frame', JPEG(1, 1, [0xff, 0xc0, ...big(11), 8, ...big(999, 999), 1, 1, 17, 0])],
    ['is a JPEG whose pixels never come', ascii([0xff, 0xd8], ...SOF(1, 1), [0xff, 0xd9])],
    [
      'is a JPEG with a second frame behind bytes that are no marker',
      JPEG(1, 1, [1, 2, 0xff, 0xc0, ...big(11), 8, ...big(999, 999), 1, 1, 17, 0, 3]),
    ],
    ['is a WebP with a canvas of another size', WEBP(...CANVAS(1, 1), ...LOSSY(999, 999))],
    ['is a WebP with a larger canvas', WEBP(...CANVAS(999, 999), ...LOSSY(1, 1))],
    ['is an animated WebP', WEBP(...CANVAS(1, 1), 'ANIM', [6, 0, 0, 0], 'abcdef', ...LOSSY(1, 1))],
    [
      'has a space in its header, so that all behind it is elsewhere for some',
      PNG(1, 1, chunk('tEXt', 'x'.repeat(90))).replace(/.{76}/, '$& '),
    ],
    ['has padding in its midst', PNG(1, 1, chunk('tEXt', 'x'.repeat(90))).replace(/.{76}/, '$&====')],
    ['begins with a space', ` ${PNG(1, 1)}`],
  ])('an image that %s counts as the largest', (_, data) => {
    expect(added(data)).toBe(4784);
  });

  test('an escape hides no second header', () => {
    const data = PNG(1, 1, [...chunk('tEXt', 'x'.repeat(60_000)), ...IHDR(4000, 4000)]);
    const plainBody = JSON.stringify(withContent(image(data)));
    const [before, after] = [data.slice(0, 40_000), data.slice(40_001)];
    const escape = `\\u00${data.charCodeAt(40_000).toString(16)}`;
    const body = plainBody.replace(data, before + escape + after);
    expect(facts(body).inputTokens).toBe(bytes(withContent(image(''))).length + 4784);
  });

  test('images of very many parts count as the largest, after a bounded look', () => {
    const many = PNG(1, 1, ['\0\0\0\0tEXt\0\0\0\0'.repeat(20_000)]);
    const long = PNG(1, 1, [[0, 0x40, 0, 0], 'tEXt', 'x'.repeat(0x40_0004)]);
    for (const hostile of [many, long]) {
      const body = withContent(image(hostile), image(PNG(1, 1)));
      const without = withContent(image(''), image(''));
      expect(facts(body).inputTokens - bytes(without).length).toBe(2 * 4784);
    }
  });

  test('fetched images count as the largest, and make the request uncountable', () => {
    for (const source of [
      { type: 'url', url: 'https://a.example/b.png' },
      { type: 'file', file_id: 'f' },
    ]) {
      const body = withContent({ type: 'image', source });
      expect(facts(body)).toMatchObject({
        inputTokens: bytes(body).length + 4784,
        countable: false,
        fillsContext: false,
      });
    }
  });

  test('count in every place', () => {
    const results = [
      image(PNG(28, 28)),
      { type: 'document', source: { type: 'content', content: [image(PNG(56, 28))] } },
    ];
    const body = withContent({ type: 'tool_result', tool_use_id: 'i', content: results });
    expect(facts(body).inputTokens).toBe(bytes(body).length - 2 * PNG(1, 1).length + 3);
  });

  test('beyond the limit of the API count as the largest', () => {
    const many = withContent(...Array.from({ length: 602 }, () => image(PNG(1, 1))));
    const without = withContent(...Array.from({ length: 602 }, () => image('')));
    expect(facts(many).inputTokens - bytes(without).length).toBe(600 + 2 * 4784);
  });

  test('any bytes count at least one token and at most the largest image', () => {
    const starts = [PNG(9, 9), JPEG(9, 9), GIF(9, 9), ...Object.values(WEBPS).map((webp) => webp(9, 9))];
    const start = fc.constantFrom(...starts.map((data) => Buffer.from(data, 'base64')), Buffer.alloc(0));
    fc.assert(
      fc.property(start, fc.nat({ max: 40 }), fc.uint8Array({ maxLength: 60 }), (head, keep, rest) => {
        const tokens = added(Buffer.concat([head.subarray(0, keep), rest]).toString('base64'));
        expect(tokens >= 1 && tokens <= 4784).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});

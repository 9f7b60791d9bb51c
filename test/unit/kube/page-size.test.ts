import { describe, expect, test } from '@jest/globals';
import { PageSize } from '../../../kube/page-size.ts';

/** Reads a list of objects of these sizes, and returns how many bytes of one page were read at most, and the requests. */
function read(sizes: readonly number[]): { mostBytes: number; requests: number } {
  const size = new PageSize();
  let [at, mostBytes, requests] = [0, 0, 0];
  while (at < sizes.length) {
    requests += 1;
    const page = sizes.slice(at, at + size.limit);
    const bytes = page.reduce((sum, one) => sum + one, 0);
    mostBytes = Math.max(mostBytes, Math.min(bytes, size.maxBytes));
    if (bytes > size.maxBytes) size.shrink();
    else {
      size.learn(page.length, bytes);
      at += page.length;
    }
  }
  return { mostBytes, requests };
}

describe('the pages of a list', () => {
  test('have many small objects', () => {
    expect(read(Array.from({ length: 10_000 }, () => 4_000)).requests).toBeLessThanOrEqual(55);
  });

  test.each([
    ['large', Array.from({ length: 400 }, () => 1_400_000)],
    ['first small, then large', Array.from({ length: 800 }, (_, i) => (i < 400 ? 500 : 1_400_000))],
    ['now and then large', Array.from({ length: 2_000 }, (_, i) => (i % 9 === 0 ? 1_400_000 : 500))],
    ['larger than a page may be', [...Array.from({ length: 30 }, () => 500), 12_000_000]],
  ])('are never too large where objects are %s', (_what, sizes) => {
    const { mostBytes, requests } = read(sizes);
    expect(mostBytes).toBeLessThanOrEqual(Math.max(8 * 2 ** 20, ...sizes));
    expect(requests).toBeLessThan(sizes.length + 20);
  });
});

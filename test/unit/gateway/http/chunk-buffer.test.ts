import { expect, test } from '@jest/globals';
import { ChunkBuffer } from '../../../../gateway/http/chunk-buffer.ts';

test('a body that comes a byte at a time takes no more memory than its bytes', () => {
  const chunks = new ChunkBuffer();
  const bytes = Buffer.from('0123456789'.repeat(10_000));
  for (const byte of bytes) chunks.add(Buffer.of(byte));
  expect(chunks.count).toBeLessThan(1_000);
  expect(chunks.take().equals(bytes)).toBe(true);
  expect(chunks.count).toBe(0);
});

import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { GrowingBytes } from '../../../../policy/request/growing-bytes.ts';

test('a body that comes a byte at a time is one piece', () => {
  const bytes = Buffer.from('0123456789'.repeat(20_000));
  for (const expected of [0, 10, bytes.length, 1e9, NaN]) {
    const growing = new GrowingBytes(expected);
    for (const byte of bytes) growing.add(Buffer.of(byte));
    expect(growing.length).toBe(bytes.length);
    const all = growing.take();
    expect(bytes.equals(all)).toBe(true);
    expect(all.buffer.byteLength).toBeLessThanOrEqual(8 * bytes.length);
    expect(growing.length).toBe(0);
  }
});

test('chunks of any length are joined, again after they were taken', () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.uint8Array({ maxLength: 70_000, minLength: 1 }), { maxLength: 4 })), (bodies) => {
      const growing = new GrowingBytes();
      for (const chunks of bodies) {
        for (const chunk of chunks) growing.add(chunk);
        expect(Buffer.concat(chunks).equals(growing.take())).toBe(true);
      }
    }),
    { numRuns: 20 },
  );
});

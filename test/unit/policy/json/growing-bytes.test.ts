import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { GrowingBytes } from '../../../../policy/json/growing-bytes.ts';

test('a body that comes a byte at a time is one piece', () => {
  const bytes = Buffer.from('0123456789'.repeat(20_000));
  for (const expected of [0, 10, bytes.length, 1e9, NaN]) {
    const growing = new GrowingBytes({ expected });
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

test('chunks of its own are freed once they are copied, and shared memory is not', () => {
  const growing = new GrowingBytes({ ownsChunks: true });
  const own = [new Uint8Array(10).fill(1), new Uint8Array(10).fill(2)];
  const shared = new Uint8Array(20).fill(3);
  for (const chunk of [...own, shared.subarray(0, 10)]) growing.add(chunk);
  expect(own.map(({ length }) => length)).toEqual([0, 0]);
  expect(shared).toHaveLength(20);
  expect([...growing.take()]).toEqual([1, 2, 3].flatMap((value) => Array.from({ length: 10 }).fill(value)));
});

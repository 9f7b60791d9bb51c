import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  formatCents,
  formatUsd,
  MoneyInvalid,
  parseUsd,
  usdAtLeast,
  usdAtMost,
  percentUsed,
  USD,
  nano as toNano,
  nano,
  add,
  subtract,
  sum,
  times,
  max,
  min,
  ceilDiv,
  decodeNano,
  MAX_NANO,
} from '../../../../policy/core/money.ts';

const amount = fc.bigInt({ min: 0n, max: 10n ** 21n - 1n });

describe('parseUsd', () => {
  test.each([
    ['0', 0n],
    ['25.00', 25n * USD],
    ['0.000000001', 1n],
    ['24.9986', 24_998_600_000n],
    ['999999999999.999999999', 10n ** 21n - 1n],
  ])('reads %s', (text, nano) => {
    expect(parseUsd(text)).toBe(nano);
  });

  test.each([
    '',
    '-1',
    '+1',
    '1.',
    '.5',
    '01',
    '1,000',
    '1e3',
    ' 1',
    '1 ',
    '1\n',
    '$1',
    '0x1',
    '1.0000000001',
    '1000000000000',
    '１',
  ])('refuses %j', (text) => {
    expect(() => parseUsd(text)).toThrow(MoneyInvalid);
  });
});

describe('formatUsd', () => {
  test.each([
    [0n, '0.00'],
    [25n * USD, '25.00'],
    [20_412_310_000n, '20.412310'],
    [24_998_600_000n, '24.998600'],
    [500_000_500n, '0.500000500'],
    [1n, '0.000000001'],
    [-1_500_000_000n, '-1.50'],
  ])('shows %s as %s', (nano, text) => {
    expect(formatUsd(toNano(nano))).toBe(text);
  });

  test('is exact: parseUsd reads the same amount back, with 2, 6 or 9 decimals', () => {
    fc.assert(
      fc.property(amount, (nano) => {
        expect(formatUsd(toNano(nano))).toMatch(/^\d+\.(\d\d|\d{6}|\d{9})$/);
        expect(parseUsd(formatUsd(toNano(nano)))).toBe(nano);
        expect(formatUsd(toNano(-nano))).toBe(nano === 0n ? '0.00' : `-${formatUsd(toNano(nano))}`);
      }),
    );
  });
});

test('formatCents truncates: it never shows more than was spent, and is off by less than a cent', () => {
  expect([24_999_999_999n, 9_999_999n, -1_019_000_000n].map((amount) => formatCents(nano(amount)))).toEqual([
    '24.99',
    '0.00',
    '-1.01',
  ]);
  fc.assert(
    fc.property(amount, (nano) => {
      const cut = nano - parseUsd(formatCents(toNano(nano)));
      expect(cut >= 0n && cut < USD / 100n).toBe(true);
      expect(formatCents(toNano(nano))).toMatch(/^\d+\.\d\d$/);
    }),
  );
});

test('percentUsed fits a 32-bit integer', () => {
  expect(percentUsed(toNano(10n ** 15n), toNano(1n))).toBe(2 ** 31 - 1);
});

test('percentUsed is the smallest whole percentage that is not below the exact one', () => {
  expect([
    percentUsed(toNano(0n), USD),
    percentUsed(toNano(1n), USD),
    percentUsed(USD, USD),
    percentUsed(toNano(0n), toNano(0n)),
  ]).toEqual([0, 1, 100, 100]);
  fc.assert(
    fc.property(fc.bigInt(0n, 10n ** 15n), fc.bigInt(10n ** 9n, 10n ** 15n), (spent, limit) => {
      const percent = BigInt(percentUsed(toNano(spent), toNano(limit)));
      expect(percent * limit >= spent * 100n).toBe(true);
      expect((percent - 1n) * limit < spent * 100n).toBe(true);
    }),
  );
});

test('amounts are added, subtracted, summed, multiplied and compared exactly', () => {
  const [small, large] = [nano(1n), nano(2n ** 62n)];
  expect([add(small, large), subtract(large, small), times(large, 2)]).toEqual([
    2n ** 62n + 1n,
    2n ** 62n - 1n,
    2n ** 63n,
  ]);
  expect([sum([]), sum([small, large]), max(small, large), min(small, large)]).toEqual([
    0n,
    2n ** 62n + 1n,
    large,
    small,
  ]);
  expect([ceilDiv(10n, 5n), ceilDiv(11n, 5n), ceilDiv(0n, 5n)]).toEqual([2n, 3n, 0n]);
  expect(decodeNano('9223372036854775807')).toBe(MAX_NANO);
  expect(() => decodeNano('1.5')).toThrow(SyntaxError);
});

describe('amounts in sentences', () => {
  test.each([
    [1_339_437_500n, '1.33', '1.34'],
    [25_000_000_000n, '25.00', '25.00'],
    [10_000_000n, '0.01', '0.01'],
    [18_000_000n, '0.01', '0.02'],
    [9_999_999n, '0.0099', '0.01'],
    [1_400_000n, '0.0014', '0.0014'],
    [1_234_567n, '0.0012', '0.0013'],
    [123n, '0.00000012', '0.00000013'],
    [1n, '0.000000001', '0.000000001'],
    [0n, '0.00', '0.00'],
  ])('%p is at least %p and at most %p', (amount, least, most) => {
    expect([usdAtLeast(toNano(amount)), usdAtMost(toNano(amount))]).toEqual([least, most]);
  });

  test('never say that a larger amount fits into a smaller one', () => {
    const amount = fc.oneof(fc.bigInt({ min: 0n, max: 30_000_000n }), fc.bigInt({ min: 0n, max: 10n ** 13n }));
    fc.assert(
      fc.property(amount, fc.bigInt({ min: 1n, max: 30_000_000n }), (left, more) => {
        const worst = toNano(left + more);
        expect(parseUsd(usdAtLeast(toNano(left)))).toBeLessThanOrEqual(left);
        expect(parseUsd(usdAtMost(worst))).toBeGreaterThanOrEqual(worst);
      }),
    );
  });
});

import { describe, expect, test } from '@jest/globals';
import { readCorrections } from '../../../../operator/ledger/correction-text.ts';

describe('readCorrections', () => {
  test('reads a call, an amount and a reason, on each line', () => {
    expect(readCorrections('0b0f-1 0.25 priced twice')).toEqual([
      { id: '0b0f-1', costNano: 250_000_000n, reason: 'priced twice' },
    ]);
    expect(readCorrections(' a/rest 0 an  outage \n\n\tb 12.000000001 x\n')).toEqual([
      { id: 'a/rest', costNano: 0n, reason: 'an outage' },
      { id: 'b', costNano: 12_000_000_001n, reason: 'x' },
    ]);
  });

  test.each([
    ['', null, 'It is empty.'],
    ['a', 'a', '"" is no amount in USD such as 0.25.'],
    ['a $1 refund', 'a $1 refund', '"$1" is no amount in USD such as 0.25.'],
    ['a -1 refund', 'a -1 refund', '"-1" is no amount in USD such as 0.25.'],
    ['a 1,50 refund', 'a 1,50 refund', '"1,50" is no amount in USD such as 0.25.'],
    ['a 1e3 refund', 'a 1e3 refund', '"1e3" is no amount in USD such as 0.25.'],
    ['b 1 fine\na 1', 'a 1', 'The reason is missing.'],
    ['a 1 one\na 2 two', 'a 2 two', 'The call a is there twice.'],
    [`a 1 ${'x'.repeat(201)}`, `a 1 ${'x'.repeat(201)}`, 'The reason is longer than 200 characters.'],
    [
      Array.from({ length: 1_001 }, (_, n) => `${n} 0 all`).join('\n'),
      null,
      'It has 1001 lines; at most 1000 are taken at once.',
    ],
  ])('says what is wrong with %j', (text, line, problem) => {
    expect(readCorrections(text)).toEqual({ line, problem });
  });
});

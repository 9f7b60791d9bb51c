import { describe, expect, test } from '@jest/globals';
import { readEntry } from '../../../log/call-row.ts';

describe('readEntry', () => {
  const read = (record: object) =>
    readEntry({
      entry: '1795600000000-0',
      record: Object.assign({ id: 'a', cost_nano: '5' }, record),
      counters: ['c'],
      keepUntil: 1,
    });

  test.each<[what: string, record: object, problem: RegExp]>([
    ['no id', { id: '' }, /no usable id/],
    ['an id that is not text', { id: 7 }, /no usable id/],
    ['an unknown state', { state: 'spent' }, /no state "spent"/],
    ['no cost', { cost_nano: null }, /null is no amount/],
    ['a cost that is a number', { cost_nano: 5 }, /5 is no amount/],
    ['a negative cost', { cost_nano: '-5' }, /"-5" is no amount/],
    ['a cost that no counter holds', { cost_nano: '9223372036854775808' }, /is no amount/],
    ['a presumed call without its worst case', { state: 'presumed' }, /is no amount/],
  ])('makes no row of a record with %s', (_what, record, problem) => {
    const { row, deadLetter } = read(record);
    expect(row).toBeNull();
    expect(deadLetter?.problem).toMatch(problem);
  });

  test.each<[column: string, field: string, value: string | number | boolean]>([
    ['input_tokens', 'input_tokens', 1.5],
    ['output_tokens', 'output_tokens', 2 ** 31],
    ['policy_version', 'policy_version', 2 ** 53],
    ['estimated', 'estimated', 'yes'],
    ['model', 'model', 7],
    ['tags', 'tags', '"no object"'],
    ['tags', 'tags', '{'],
  ])('leaves out a value that column %s cannot take, and makes a row of the rest', (column, field, value) => {
    const { row, deadLetter } = read({ [field]: value, feature: 'checkout' });
    expect(row).toMatchObject({ id: 'a', amountNano: 5n, values: { feature: 'checkout', cost_nano: '5' } });
    expect(row?.values).not.toHaveProperty(column);
    expect(deadLetter?.problem).toContain(`${field}: `);
  });

  test('takes the time of arrival in place of a timestamp that is not an instant', () => {
    const { row, deadLetter } = read({ timestamp: 'tomorrow' });
    expect(row?.values['time']).toBe(new Date(1_795_600_000_000).toISOString());
    expect(deadLetter?.problem).toBe('timestamp: is no instant');
  });

  test('keeps fields without a column in details, without the characters that Postgres does not take', () => {
    const { row, deadLetter } = read({
      feature: 'a\0b\u{D800}c',
      service_tier: 'priority\0',
      tags: '{"a\\u0000":"\\ud800"}',
    });
    expect(deadLetter).toBeNull();
    expect(row?.values).toMatchObject({
      feature: 'a\u{FFFD}b\u{FFFD}c',
      tags: { 'a\u{FFFD}': '\u{FFFD}' },
      details: { service_tier: 'priority\u{FFFD}' },
    });
  });

  test('cuts text that is longer than an index takes', () => {
    expect(read({ customer: 'x'.repeat(5_000) }).row?.values['customer']).toBe('x'.repeat(1_000));
  });
});

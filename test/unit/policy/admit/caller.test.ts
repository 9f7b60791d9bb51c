import { describe, expect, test } from '@jest/globals';
import { nano } from '../../../../policy/core/money.ts';
import { type Asked, only } from './planned.ts';

const USD = 1_000_000_000n;

describe('the counter value of a call', () => {
  const budgets = [{ per: ['customer', 'tier'], totalNano: nano(400n * USD) }];
  test.each<[string, string, Asked]>([
    [
      'fixed',
      '["acme","gold"]',
      { key: { attributes: { customer: 'acme', tier: 'gold' } }, claimed: { customer: 'other' } },
    ],
    ['claimed', '["umbrella",""]', { claimed: { customer: 'umbrella' } }],
    ['lacking', '["",""]', {}],
    [
      'claimed by a header that the workspace does not accept',
      '["",""]',
      { workspace: { headers: {} }, claimed: { customer: 'x' } },
    ],
  ])('%s: %s', (_name, value, asked) => {
    expect(only({ budgets, ...asked }).value).toBe(value);
  });

  test('is one of many where it is a session or an agent, in whatever workspace', () => {
    const check = (per: readonly string[], rest: Asked = {}) =>
      only({ workspace: { headers: {} }, budgets: [{ per, totalNano: nano(400n * USD) }], ...rest });
    const claimed = { session: 's-1', agent: 'a-1' };
    expect(check(['session'], { claimed })).toMatchObject({ value: '["s-1"]', valuesAreRuns: true });
    expect(check(['session', 'agent'], { claimed })).toMatchObject({ value: '["s-1","a-1"]', valuesAreRuns: true });
    expect(check(['agent'])).toMatchObject({ value: '[""]', valuesAreRuns: true });
    expect(check(['customer'])).not.toHaveProperty('valuesAreRuns');
  });

  test('is never set by callers in a budget without a total', () => {
    expect(only({ budgets: [{ per: ['customer'] }], claimed: { customer: 'fresh' } }).value).toBe('[""]');
  });

  test('has its override if the credential fixes it, but only a lower one if callers set it', () => {
    const overrides = [
      { values: ['acme'], limitNano: nano(100n * USD) },
      { values: ['trial'], limitNano: nano(1n * USD) },
    ];
    const cap = (asked: Asked) =>
      only({ budgets: [{ per: ['customer'], totalNano: nano(400n * USD), overrides }], ...asked }).bound.capNano;
    expect(cap({ key: { attributes: { customer: 'acme' } } })).toBe(100n * USD);
    expect(cap({ claimed: { customer: 'acme' } })).toBe(25n * USD);
    expect(cap({ claimed: { customer: 'trial' } })).toBe(1n * USD);
    expect(cap({ key: { attributes: { customer: 'other' } } })).toBe(25n * USD);
  });
});

import { describe, expect, test } from '@jest/globals';
import { nano } from '../../../../policy/core/money.ts';
import { type Asked, only, planned } from './planned.ts';

const USD = 1_000_000_000n;
const spanning = { selector: {}, disclosure: 'Name' } as const;
const company = { namespace: 'tollgate-system', name: 'company', spanning } as const;
const platform = { workspace: { namespaceAttributes: { namespace: 'payments', department: 'sales' } } } as const;
/** A tenant writes its keys, and its callers their headers. */
const invented = {
  key: { attributes: { department: 'invented', customer: 'acme' } },
  claimed: { user: 'ada' },
} as const;

describe('a spanning budget', () => {
  const value = (asked: Asked): string | null => only({ ...platform, ...invented, ...asked }).value;

  test('counts by what the platform fixes, whatever keys and callers say', () => {
    expect(value({ budgets: [{ ...company, per: ['department'] }] })).toBe('["sales"]');
    expect(value({ budgets: [{ ...company, per: ['namespace'] }] })).toBe('["payments"]');
    const unlabelled = { workspace: { namespaceAttributes: { namespace: 'payments', department: '' } } };
    expect(value({ ...unlabelled, budgets: [{ ...company, per: ['department'] }] })).toBe('[""]');
  });

  test('without a total has one counter for all values that tenants choose', () => {
    expect(value({ budgets: [{ ...company, per: ['customer'] }] })).toBe('[""]');
    expect(value({ budgets: [{ ...company, per: ['department', 'user'] }] })).toBe('["sales",""]');
    const gone = { workspace: { namespaceAttributes: { namespace: 'payments' } } };
    expect(value({ ...gone, budgets: [{ ...company, per: ['department'] }] })).toBe('[""]');
  });

  test('with a total counts such values, and takes no override that raises their limit', () => {
    const check = only({
      ...platform,
      ...invented,
      budgets: [
        {
          ...company,
          per: ['customer'],
          totalNano: nano(90n * USD),
          overrides: [{ values: ['acme'], limitNano: nano(80n * USD) }],
        },
      ],
    });
    expect([check.value, check.bound.capNano]).toEqual(['["acme"]', 25n * USD]);
  });

  test('says of a value that no tenant chooses that it is fixed', () => {
    const isFixed = (budget: object): boolean =>
      only({ ...platform, ...invented, budgets: [{ ...company, ...budget }] }).valueIsFixed === true;
    expect(isFixed({ per: ['department'] })).toBe(true);
    expect(isFixed({ per: ['department'], totalNano: 100n * USD })).toBe(true);
    expect(isFixed({ per: ['department', 'user'] })).toBe(true);
    expect(isFixed({ per: ['department', 'user'], totalNano: 100n * USD })).toBe(false);
    expect(isFixed({})).toBe(false);
    // In a budget of its own namespace all further values share one counter, and tenants write the keys.
    expect(isFixed({ spanning: undefined, per: ['department'] })).toBe(false);
  });

  test('has a scope of what the platform fixes; what it does not fix any more matches', () => {
    const isIn = (scope: object, workspace: NonNullable<Asked['workspace']> = platform.workspace): boolean =>
      planned({ ...invented, workspace, budgets: [{ ...company, scope }] }).ok;
    expect(isIn({ departments: ['sales'] })).toBe(true);
    expect(isIn({ departments: ['invented'] })).toBe(false);
    expect(isIn({ tags: { namespace: ['payments'] } })).toBe(true);
    expect(isIn({ tags: { namespace: ['search'] } })).toBe(false);
    expect(isIn({ customers: ['umbrella'] })).toBe(true);
    expect(isIn({ departments: ['legal'] }, { namespaceAttributes: { namespace: 'payments' } })).toBe(true);
    expect(isIn({ departments: ['sales'] }, { namespaceAttributes: { namespace: 'payments', department: '' } })).toBe(
      false,
    );
  });
});

test('an attribute that the platform left empty exempts no call', () => {
  const budgets = [{ exempt: { departments: ['*'] } }];
  expect(only({ budgets, key: { attributes: { department: '' } } }).mode).toBe('Enforce');
  expect(only({ budgets, key: { attributes: { department: 'sales' } } }).mode).toBe('Exempt');
});

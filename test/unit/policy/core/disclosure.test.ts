import { describe, expect, test } from '@jest/globals';
import { disclosedFigures, disclosureOf } from '../../../../policy/core/disclosure.ts';
import { nano } from '../../../../policy/core/money.ts';
import { budgetOf } from '../../../support/budget.ts';

const workspace = { namespace: 'payments', namespaceAttributes: { namespace: 'payments', department: 'sales' } };
const spanning = (disclosure: 'Name' | 'Percent' | 'Amounts', per: readonly string[] = []) =>
  budgetOf({ namespace: 'tollgate-system', per, spanning: { selector: {}, disclosure } });

describe('disclosureOf', () => {
  test('shows all of an own budget, and of a spanning one what it says', () => {
    expect(disclosureOf(budgetOf(), workspace)).toBe('Amounts');
    for (const level of ['Name', 'Percent', 'Amounts'] as const) {
      expect(disclosureOf(spanning(level), workspace)).toBe(level);
      expect(disclosureOf(spanning(level, ['department', 'namespace']), workspace)).toBe(level);
      // Also in the namespace of the installation, whose own budgets are not the spanning ones.
      expect(disclosureOf(spanning(level), { namespace: 'tollgate-system' })).toBe(level);
    }
  });

  test('shows the name only where tenants choose the value, and of a spanning budget of schema 2', () => {
    expect(disclosureOf(spanning('Amounts', ['customer']), workspace)).toBe('Name');
    expect(disclosureOf(spanning('Amounts', ['department']), { namespace: 'payments' })).toBe('Name');
    expect(disclosureOf(budgetOf({ namespace: 'tollgate-system' }), workspace)).toBe('Name');
  });
});

test('disclosedFigures has no amount beneath Amounts, and rounds the percentage up', () => {
  const counter = { limitNano: nano(3_000_000_000n), spentNano: nano(1_000_000_001n) };
  expect(disclosedFigures('Name', counter)).toBeNull();
  expect(disclosedFigures('Percent', counter)).toEqual({ percentUsed: 34, amounts: null });
  expect(disclosedFigures('Amounts', counter)).toEqual({ percentUsed: 34, amounts: counter });
});

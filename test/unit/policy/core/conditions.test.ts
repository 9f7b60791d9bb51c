import { describe, expect, test } from '@jest/globals';
import { condition, conditionReasons } from '../../../../policy/core/conditions.ts';
import { NOW } from '../compile/stored.ts';

describe('conditions', () => {
  test('change lastTransitionTime only with the status', () => {
    const first = condition('Exhausted', { reason: 'WithinLimit', message: 'a' }, 1, NOW, []);
    expect(first).toEqual({
      type: 'Exhausted',
      status: 'False',
      reason: 'WithinLimit',
      message: 'a',
      observedGeneration: 1,
      lastTransitionTime: '2026-11-23T14:00:00Z',
    });
    const same = condition('Exhausted', { reason: 'WithinLimit', message: 'b' }, 2, NOW + 60_000, [first]);
    expect(same).toEqual({ ...first, message: 'b', observedGeneration: 2 });
    const flipped = condition('Exhausted', { reason: 'Spent', message: 'c' }, 2, NOW + 60_000, [same]);
    expect([flipped.status, flipped.lastTransitionTime]).toEqual(['True', '2026-11-23T14:01:00Z']);
    expect(condition('Ready', { reason: 'Ready', message: '' }, 1, NOW, [flipped]).lastTransitionTime).toBe(
      '2026-11-23T14:00:00Z',
    );
  });

  test('fit into the API', () => {
    expect(condition('Accepted', { reason: 'Invalid', message: 'x'.repeat(9_999) }, 1, NOW, []).message).toHaveLength(
      4_096,
    );
    const reasons = Object.values(conditionReasons).flatMap((rows) => Object.entries(rows));
    expect(
      reasons.filter(([reason, { meaning }]) => !/^[A-Z][A-Za-z]{0,62}$/.test(reason) || !meaning.endsWith('.')),
    ).toEqual([]);
  });
});

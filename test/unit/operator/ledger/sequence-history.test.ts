import { describe, expect, test } from '@jest/globals';
import { SequenceHistory } from '../../../../operator/ledger/sequence-history.ts';

const NOW = Date.parse('2026-11-25T17:00:00Z');

describe('the sequence history', () => {
  test('knows the highest sequence, and the highest of more than its horizon ago', () => {
    const history = new SequenceHistory(15_000);
    expect([history.highest, history.highestLongBefore(NOW)]).toEqual([0, 0]);
    for (let second = 0; second <= 60; second += 1) history.add({ at: NOW + second * 1000, sequence: second * 10 });
    expect(history.highest).toBe(600);
    expect(history.highestLongBefore(NOW + 60_000)).toBe(450);
    expect(history.highestLongBefore(NOW + 60_999)).toBe(450);
    expect(history.highestLongBefore(NOW + 75_000)).toBe(600);
  });

  test('keeps the last sequence seen before a pause', () => {
    const history = new SequenceHistory(15_000);
    history.add({ at: NOW, sequence: 7 });
    history.add({ at: NOW + 600_000, sequence: 9 });
    expect(history.highestLongBefore(NOW + 600_001)).toBe(7);
    history.clear();
    expect([history.highest, history.highestLongBefore(NOW + 900_000)]).toEqual([0, 0]);
  });
});

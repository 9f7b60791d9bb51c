import { describe, expect, test } from '@jest/globals';
import { statusEvents } from '../../../../operator/events/status-events.ts';

describe('the Events of a status', () => {
  const at = '2026-11-23T12:00:00Z';
  const status = (type: string, value: 'True' | 'False' | 'Unknown', observedGeneration = 1, start = at) => ({
    conditions: [{ type, status: value, reason: 'R', message: 'Because.', observedGeneration, lastTransitionTime: at }],
    period: { start },
  });
  const reasons = (...args: Parameters<typeof statusEvents>) => statusEvents(...args).map(({ reason }) => reason);

  test.each([
    ['an edit that is rejected', undefined, status('Accepted', 'False'), ['PolicyRejected']],
    ['another edit that is rejected', status('Accepted', 'False'), status('Accepted', 'False', 2), ['PolicyRejected']],
    ['no change', status('Accepted', 'False'), status('Accepted', 'False'), []],
    ['an edit that is enforced', status('Programmed', 'True'), status('Programmed', 'True', 2), ['PolicyProgrammed']],
    ['a limit that is reached', status('Exhausted', 'False'), status('Exhausted', 'True'), ['BudgetExhausted']],
    ['a limit that was raised', status('Exhausted', 'True'), status('Exhausted', 'False'), ['BudgetRecovered']],
    ['a new period', status('Exhausted', 'True'), status('Exhausted', 'False', 1, 'later'), ['BudgetReset']],
    ['a key that the upstream refuses', undefined, status('UpstreamAccepted', 'False'), ['UpstreamKeyRefused']],
    [
      'a key that the upstream takes again',
      status('UpstreamAccepted', 'False'),
      status('UpstreamAccepted', 'True'),
      ['UpstreamKeyAccepted'],
    ],
    ['a key that the upstream takes', undefined, status('UpstreamAccepted', 'True'), []],
    ['a new budget', undefined, status('Exhausted', 'False'), []],
    ['a ledger that answers again', status('Exhausted', 'Unknown'), status('Exhausted', 'False'), []],
  ])('%s', (_name, before, after, expected) => {
    expect(reasons(before, after)).toEqual(expected);
  });

  test('the total of a budget with per, after some of its values', () => {
    const exhausted = (reason: string, message: string) => {
      const [condition] = status('Exhausted', 'True').conditions;
      return { conditions: [{ ...condition!, reason, message }] };
    };
    const values = exhausted('ValuesSpent', '1 of 3 values of spec.per are spent.');
    const total = exhausted('Spent', 'The limit of $400.00 is reached.');
    expect(statusEvents(values, total)).toMatchObject([
      { type: 'Warning', reason: 'BudgetExhausted', note: 'The limit of $400.00 is reached.' },
    ]);
    expect(statusEvents(total, values)).toEqual([]);
    expect(statusEvents(values, exhausted('ValuesSpent', '2 of 3 values of spec.per are spent.'))).toEqual([]);
  });

  test('a pilot that ends, with what it has counted', () => {
    const figures = { spentUsd: '30.00', limitUsd: '25.00' };
    const [event] = statusEvents({ state: 'Observing' }, { ...figures, state: 'Spent' });
    expect(event).toMatchObject({ reason: 'EnforcementBegan', type: 'Normal' });
    expect(event!.note).toContain('with the $30.00 of $25.00 that it has counted');
    expect(statusEvents({ state: 'Observing' }, { ...figures, state: 'Observing' })).toEqual([]);
  });
});

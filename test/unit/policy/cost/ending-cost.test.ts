import { describe, expect, test } from '@jest/globals';
import { nano } from '../../../../policy/core/money.ts';
import { isApiError } from '../../../../policy/cost/api-error.ts';
import {
  type AnswerSeen,
  type Ending,
  endingCost,
  endingOf,
  ENDINGS,
  isFree,
  releasesByItself,
} from '../../../../policy/cost/ending-cost.ts';

/** A stream that broke off before anything of it was seen. */
const BROKEN: AnswerSeen = {
  isSent: true,
  isStale: false,
  isCancelled: false,
  status: 200,
  isWhole: false,
  isApiError: false,
  hasErrorEvent: false,
  isComplete: false,
  hasContent: false,
  usage: 'None',
  milliseconds: 5_000,
};
const whole = { isWhole: true, isComplete: true };
const foreign = { status: 502, isWhole: true };
const stale = { isStale: true, status: 0 };
const refused = { status: 529, isApiError: true, ...whole };

describe('a call ends as', () => {
  test.each<[Ending, string, Partial<AnswerSeen>]>([
    ['NeverSent', 'nothing was written', { isSent: false, status: 0 }],
    ['NeverSent', 'a stale connection, before anything was written', { ...stale, isSent: false }],
    ['StaleConnection', 'a stale connection that ended at once', { ...stale, milliseconds: 2_000 }],
    ['Broken', 'a stale connection that ended later', { ...stale, milliseconds: 2_001 }],
    ['ErrorStatus', 'the API refused it', refused],
    ['ErrorStatus', 'the API refused it, and the caller had left', { ...refused, isCancelled: true }],
    ['ForeignStatus', 'a status of an edge', foreign],
    ['ForeignStatus', 'a redirect, whatever its body says', { ...refused, status: 302 }],
    ['ForeignStatus', 'an error that was not seen to its end', { status: 529 }],
    ['ForeignStatus', 'an edge that took too long for its caller', { status: 502, isCancelled: true }],
    ['Answered', 'a final usage', { ...whole, usage: 'Final' }],
    ['Answered', 'a final usage before the connection broke', { usage: 'Final' }],
    ['Answered', 'a final usage before an error event', { usage: 'Final', hasErrorEvent: true }],
    ['Answered', 'a final usage before the caller left', { usage: 'Final', isCancelled: true }],
    ['Answered', 'a final usage under a status of an edge', { ...foreign, usage: 'Final' }],
    ['ErrorFirst', 'an error event before any content', { isWhole: true, hasErrorEvent: true, usage: 'Started' }],
    ['ErrorFirst', 'an error event before anything', { isWhole: true, hasErrorEvent: true }],
    ['Broken', 'an error event after content', { hasErrorEvent: true, hasContent: true, usage: 'Started' }],
    ['Broken', 'a connection that broke', {}],
    ['Broken', 'no answer at all', { status: 0 }],
    ['Broken', 'a stream that ended without its last event', { isWhole: true, usage: 'Started' }],
    ['Cancelled', 'the caller left', { isCancelled: true, usage: 'Started' }],
    ['Unreported', 'no usage', { ...whole, hasContent: true }],
    ['Unreported', 'only the usage of its beginning', { ...whole, usage: 'Started' }],
    ['Unreported', 'a usage that cannot be read', { ...whole, usage: 'Unreadable' }],
    ['Unreported', 'the same before the connection broke', { usage: 'Unreadable' }],
    ['Unreported', 'the same before the caller left', { usage: 'Unreadable', isCancelled: true }],
  ])('%s: %s', (ending, _, seen) => {
    expect(endingOf({ ...BROKEN, ...seen })).toBe(ending);
  });
});

describe('an ending', () => {
  const amounts = (ending: Ending, costNano: bigint): readonly bigint[] => {
    const cost = endingCost(ending, nano(100n), () => nano(costNano));
    return [cost.costNano, cost.presumedNano];
  };

  test('costs what the table says, also above the worst case', () => {
    expect(amounts('Answered', 7n)).toEqual([7n, 0n]);
    expect(amounts('Answered', 700n)).toEqual([700n, 0n]);
    expect(amounts('ErrorFirst', 7n)).toEqual([7n, 0n]);
    expect(amounts('Cancelled', 7n)).toEqual([7n, 0n]);
    expect(amounts('Broken', 7n)).toEqual([7n, 93n]);
    expect(amounts('Broken', 700n)).toEqual([700n, 0n]);
    expect(amounts('ForeignStatus', 7n)).toEqual([0n, 100n]);
    expect(amounts('StaleConnection', 7n)).toEqual([0n, 100n]);
    expect(amounts('Unreported', 7n)).toEqual([0n, 100n]);
  });

  test('is free only where the API said so, or nothing was sent', () => {
    const free = (Object.keys(ENDINGS) as Ending[]).filter(isFree);
    expect(free).toEqual(['NeverSent', 'ErrorStatus', 'Errored', 'Canceled', 'Expired']);
  });

  test.each<[boolean, string, Partial<AnswerSeen>]>([
    [true, 'an edge that answers at once', { ...foreign, milliseconds: 2_000 }],
    [false, 'an edge that waited for the API', { ...foreign, milliseconds: 2_001 }],
    [false, 'an edge whose answer was cut', { status: 502, milliseconds: 1 }],
    [true, 'a stale connection that ended at once', { ...stale, milliseconds: 2_000 }],
    [false, 'a stale connection that ended later', { ...stale, milliseconds: 2_001 }],
    [false, 'a connection that broke at once', { status: 0, milliseconds: 1 }],
    [false, 'content', { isWhole: true, hasContent: true, milliseconds: 1 }],
    [false, 'the beginning of a message', { isWhole: true, usage: 'Started', milliseconds: 1 }],
    [false, 'a usage that cannot be read', { isWhole: true, usage: 'Unreadable', milliseconds: 1 }],
  ])('is released by itself (%s) after %s', (releases, _, seen) => {
    expect(releasesByItself({ ...BROKEN, ...seen })).toBe(releases);
  });
});

test.each([
  [true, { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' }, request_id: 'req_1' }],
  [true, { type: 'error', error: { type: 'api_error', message: '' } }],
  [false, { type: 'error', error: { type: 'api_error' } }],
  [false, { type: 'error', error: { type: '', message: 'x' } }],
  [false, { type: 'error', error: 'overloaded' }],
  [false, { type: 'error', error: null }],
  [false, { error: { type: 'api_error', message: 'x' } }],
  [false, { error: { code: 502, message: 'Bad gateway' } }],
  [false, [{ type: 'error', error: { type: 'api_error', message: 'x' } }]],
  [false, 'Bad gateway'],
  [false, null],
])('the form of an error of the API (%s): %j', (isError, value) => {
  expect(isApiError(value)).toBe(isError);
});

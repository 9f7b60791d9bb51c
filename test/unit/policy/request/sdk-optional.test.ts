import { describe, expect, test } from '@jest/globals';
import { facts, plain, refusal, withContent } from '../../../support/request-bodies.ts';
import { BLOCKS, TOOLS, VALUES } from './sdk-types.ts';
import { REQUIRED, withNulls } from './with-nulls.ts';

/** Whether a body is read, with nothing in it that nobody knows; or why not. */
function reading(body: unknown): string {
  const answer = refusal(body);
  if (answer !== 'read') return answer;
  const unknown = facts(body)
    .unknown.map(({ path }) => path)
    .join();
  return unknown === '' || unknown === 'billing_policy.bill_to user_profile' ? 'read' : `unknown: ${unknown}`;
}

const MODEL_OF_ADVISOR = 'tools[0].model must be a string.';
const isReasoned = (answer: string): boolean =>
  answer === 'read' || answer.includes('is not supported by Tollgate') || answer.includes(MODEL_OF_ADVISOR);

describe('every optional field of the types of the SDK', () => {
  test.each(Object.entries(VALUES))('%s may be absent, null, or have each of its values', (name, cases) => {
    const { [name as keyof typeof plain]: _, ...without } = plain;
    const absent = REQUIRED.has(name) ? [] : [without, { ...plain, [name]: null }];
    for (const body of absent) expect([body, reading(body)]).toEqual([body, 'read']);
    for (const [value] of cases) {
      expect(reading({ ...plain, [name]: value })).toBe('read');
      for (const one of withNulls(value)) expect([one, reading({ ...plain, [name]: one })]).toEqual([one, 'read']);
    }
  });

  test.each(Object.entries(TOOLS))('the tool %s', (_, [tool]) => {
    for (const one of [tool, ...withNulls(tool)]) {
      const answer = reading({ ...plain, tools: [one] });
      expect([one, isReasoned(answer), answer]).toEqual([one, true, answer]);
    }
  });

  test.each(Object.entries(BLOCKS))('the block %s', (_, cases) => {
    for (const [block] of cases) {
      for (const one of [block, ...withNulls(block)]) {
        const answer = reading(withContent(one));
        expect([one, isReasoned(answer), answer]).toEqual([one, true, answer]);
      }
    }
  });
});

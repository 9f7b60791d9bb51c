import { beforeEach, expect, test } from '@jest/globals';
import { BudgetAnswers } from '../../../../gateway/free/budget-answers.ts';

let elapsed = 0;
let answers: BudgetAnswers;
let reads: string[];
/** Ends the oldest read that has begun. */
let ends: (() => void)[];

beforeEach(() => {
  elapsed = 0;
  answers = new BudgetAnswers(() => elapsed);
  reads = [];
  ends = [];
});

function get(name: string, namespace = 'a'): Promise<string> | null {
  return answers.get(namespace, name, () => {
    reads.push(name);
    return new Promise((resolve) => ends.push(() => resolve(`${name} at ${elapsed}`)));
  });
}

/** Lets promises settle. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('an answer is read once for all who ask at the same time and within a second', async () => {
  const [one, other] = [get('x'), get('x')];
  await settle();
  expect(reads).toEqual(['x']);
  ends.shift()!();
  expect([await one, await other]).toEqual(['x at 0', 'x at 0']);
  elapsed = 999;
  expect(await get('x')).toBe('x at 0');
  elapsed = 1_000;
  const fresh = get('x');
  await settle();
  ends.shift()!();
  expect([await fresh, reads]).toEqual(['x at 1000', ['x', 'x']]);
});

test('a namespace reads one answer at a time, others meanwhile, and too many reads are refused', async () => {
  const own = Array.from({ length: 64 }, (_, n) => get(`${n}`));
  expect(get('one more')).toBeNull();
  void get('of another namespace', 'b');
  await settle();
  expect(reads).toEqual(['0', 'of another namespace']);
  ends[0]!();
  expect(await own[0]).toBe('0 at 0');
  await settle();
  expect(reads).toEqual(['0', 'of another namespace', '1']);
});

test('a read that fails is not kept, and the next one begins', async () => {
  const failing = answers.get('a', 'x', () => Promise.reject(new Error('unreachable')));
  const next = get('y');
  await expect(failing).rejects.toThrow('unreachable');
  await settle();
  ends.shift()!();
  expect(await next).toBe('y at 0');
  const again = get('x');
  await settle();
  ends.shift()!();
  expect(await again).toBe('x at 0');
});

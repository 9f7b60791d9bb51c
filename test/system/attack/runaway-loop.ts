import type { Attack } from './attack.ts';

const BODY = JSON.stringify({
  model: 'claude-sonnet-5-5',
  max_tokens: 100,
  messages: [{ role: 'user', content: 'again' }],
});

/** A program that calls again and again, also when its budget is spent. */
export const runawayLoop: Attack = {
  name: 'runaway-loop',
  threat: 'a program calls in a loop, at night, with all of its connections',
  run: async ({ tenant, variants, report }) => {
    const loop = await tenant({ name: 'runaway-loop', capUsd: '0.05' });
    const statuses = new Set<number>();
    const calls = Array.from({ length: 16 }, async (_, caller) => {
      for (let n = 0; n < 20 * variants; n++) statuses.add((await loop.send({ body: BODY }, caller)).status);
    });
    await Promise.all(calls);
    for (const status of statuses) if (status !== 200 && status !== 429) report(`a call was answered ${status}`);
    if (!statuses.has(429)) report('the budget was never spent');
  },
};

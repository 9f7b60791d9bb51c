import { spanning } from '../../../bench/installation.ts';
import type { Attack } from './attack.ts';
import { standInBody } from './stand-in-body.ts';

const HOG = 'hog';
const VICTIM = 'hog-victim';
const CALLERS = 12;
/** How long the stand-in takes for a call of the hog. Milliseconds. */
const SLOW_MS = 400;
/** How many calls of the hog the spanning budget has room for. */
const ROOM = 2;

/** Slow calls that could cost half of a spanning budget each, and cost next to nothing, while another tenant makes small ones. */
export const hoggedBudget: Attack = {
  name: 'hogged-budget',
  threat:
    "a workspace keeps a spanning budget's room for minutes and cents, by calls that could cost all of it and are read slowly",
  run: async ({ tenant, variants, report }) => {
    const hog = await tenant({
      name: HOG,
      capUsd: '20.00',
      budgets: spanning(HOG, 'hogged', `limit: { usd: '1.40' }`, [VICTIM]),
    });
    const victim = await tenant({ name: VICTIM, capUsd: '20.00' });
    const over = new AbortController();
    let answered = 0;
    const slow = standInBody({ latencyMs: SLOW_MS, usage: { output_tokens: 1 } }, { max_tokens: 64_000 });
    const loops = Array.from({ length: CALLERS }, async (_, n) => {
      while (!over.signal.aborted) {
        const { status } = await hog.send({ body: slow }, n);
        if (status === 200) answered += 1;
      }
    });
    for (let n = 0; n < 2 * variants; n++) {
      const before = answered;
      const { status, text } = await victim.send(
        { body: standInBody({ usage: { output_tokens: 1 } }, { max_tokens: 20_000 }) },
        n,
      );
      if (status !== 200) report(`a small call of another tenant was answered ${status} ${text.slice(0, 200)}`);
      // Those in flight when it came, and in each gateway one that was on its way.
      if (answered - before > 2 * ROOM) report(`${answered - before} slow calls went ahead of a small one`);
    }
    over.abort();
    await Promise.all(loops);
    if (answered === 0) report('the hog was never served');
  },
};

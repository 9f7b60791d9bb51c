import type { Behaviour } from '../../fakes/upstream/behaviour.ts';
import type { Attack } from './attack.ts';
import { standInBody } from './stand-in-body.ts';

/** Calls for each variant, and how many at once. */
const CALLS = 60;
const AT_ONCE = 20;
const OUTPUT_TOKENS = 1_000;

const apiForm = JSON.stringify({ type: 'error', error: { type: 'api_error', message: 'Internal server error' } });

/**
 * Ways in which an answer is lost that the upstream bills whole, each a cent of output. A stream that begins with the API's
 * own error event is none: it costs nothing (docs/reference/endings.md), and no caller has a say in it.
 */
const WAYS: readonly Behaviour[] = [
  { edge: { status: 502, runs: true } },
  { edge: { status: 403, runs: true }, latencyMs: 50 },
  { edge: { status: 302, runs: true } },
  { edge: { status: 500, body: apiForm, runs: true } },
  { edge: { status: 200, runs: true } },
  { edge: { status: 200, body: '', runs: true } },
  { edge: { status: 200, type: 'text/event-stream', runs: true } },
  { breakAt: 'Head' },
  { breakAt: 'Start' },
  { breakAt: 'Cut' },
  { breakAt: 'AfterUsage' },
];

/**
 * A caller knows how to have its answers lost on their way while the upstream bills them, and does so in a loop. If any
 * such ending were free, its budget would never be spent.
 */
export const lostAnswers: Attack = {
  name: 'lost-answers',
  threat: 'a caller provokes such answers to call for free',
  run: async ({ random, variants, tenant, report }) => {
    const attacker = await tenant({ name: 'lost-answers', capUsd: '0.50' });
    let refused = 0;
    for (let variant = 0; variant < variants; variant += 1) {
      const way = random.pick(WAYS);
      const behaviour = { ...way, abortBilling: 'Full', usage: { output_tokens: OUTPUT_TOKENS } } satisfies Behaviour;
      const body = standInBody(behaviour, { max_tokens: OUTPUT_TOKENS, stream: random.below(2) === 0 });
      for (let sent = 0; sent < CALLS; sent += AT_ONCE) {
        const calls = Array.from({ length: AT_ONCE }, (_, index) =>
          attacker.send({ body }, index).then(
            ({ text }) => text.includes('budget_exceeded'),
            () => false,
          ),
        );
        refused += (await Promise.all(calls)).filter(Boolean).length;
      }
    }
    if (refused === 0) report('no call was refused, although all that the cap holds was billed');
  },
};

import { budget } from '../../../bench/installation.ts';
import type { Attack } from './attack.ts';
import { standInBody } from './stand-in-body.ts';

const NAME = 'free-flood';
/** Callers at once; most of their calls wait their turn or are refused. */
const CALLERS = 64;

const PROMPT = { model: 'claude-sonnet-5-5', messages: [{ role: 'user', content: 'Hello' }] };
/** The upstream answers it with an error, so it costs nothing. */
const FAILING = standInBody({ status: 400 });

/** What a caller can ask for without end, because no budget limits it, and the statuses that it may get. */
const FREE = [
  { path: '/v1/messages', body: FAILING, statuses: [400] },
  { path: '/v1/messages/count_tokens', body: JSON.stringify(PROMPT), statuses: [200, 429] },
  { path: '/v1/models', method: 'GET', statuses: [200, 404, 429] },
  { path: '/v1/messages/batches', method: 'GET', statuses: [200, 400, 429] },
  { path: '/tollgate/v1/budgets', method: 'GET', statuses: [200, 429] },
] as const;

/** A caller floods the gateways with calls that cost nothing, each in the name of another customer. */
export const freeFlood: Attack = {
  name: NAME,
  threat: 'calls that cost nothing, without end: counting, listing, reading budgets, errors of the upstream',
  run: async ({ tenant, random, variants, report }) => {
    const each = budget(NAME, 'each', `per: [customer], limit: { usd: '1.00', totalUsd: '1.00' }`);
    const caller = await tenant({ name: NAME, capUsd: '1.00', budgets: each });
    const wrong = new Map<string, string>();
    const flood = Array.from({ length: CALLERS }, async (_, index) => {
      for (let n = 0; n < 5 * variants; n++) {
        const { statuses, ...asked } = random.pick(FREE);
        const headers = { 'x-tollgate-customer': `customer ${random.below(1_000_000)}` };
        const { status, text } = await caller.send({ ...asked, headers }, index);
        const isExpected = statuses.some((expected) => expected === status);
        const isRateLimit = status !== 429 || text.includes('rate_limit_error');
        if (!isExpected || !isRateLimit) wrong.set(`${asked.path} was answered ${status}`, text);
      }
    });
    await Promise.all(flood);
    for (const [what, text] of wrong) report(`${what}: ${text.slice(0, 300)}`);
  },
};

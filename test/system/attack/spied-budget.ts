import { spanning } from '../../../bench/installation.ts';
import { formatUsd, nano, parseUsd, subtract } from '../../../policy/core/money.ts';
import type { Attack } from './attack.ts';
import type { HostileAnswer } from './hostile-tenant.ts';
import { standInBody } from './stand-in-body.ts';

const NAME = 'spied-budget';
const OTHER = 'spied-other';
const LIMIT_USD = '0.07319';
/** Tokens of answers that might fit and that never do. */
const LENGTHS = [1, 10, 100, 1_000, 4_000, 64_000];

/** A tenant makes a spanning budget refuse it in every way, and looks for the budget's figures in all that it is told. */
export const spiedBudget: Attack = {
  name: NAME,
  threat: 'a caller finds limit and spend of a spanning budget in refusals, headers or the list of budgets',
  run: async ({ installation, tenant, random, variants, report }) => {
    const budgets = spanning(NAME, 'spied', `limit: { usd: '${LIMIT_USD}' }`, [OTHER]);
    const caller = await tenant({ name: NAME, capUsd: '5.00', budgets });
    const other = await tenant({ name: OTHER, capUsd: '5.00' });
    // So that what the budget has spent is not what its caller knows of itself.
    await other.send({ body: bodyOf(500) });
    const seen: HostileAnswer[] = [];
    for (let n = 0; n < 5 * variants; n++) {
      const body = bodyOf(n < variants ? 1_000 : random.pick(LENGTHS));
      seen.push(await caller.send({ body }, n), await caller.send({ method: 'GET', path: '/tollgate/v1/budgets' }, n));
    }
    const refused = seen.filter(({ status }) => status === 429);
    if (refused.length === 0) report('no call was refused');
    const owed = await Promise.all([caller, other].map(({ team }) => installation.owed(team)));
    const spent = nano(owed.reduce((sum, one) => sum + one.nano, 0n));
    const figures = [LIMIT_USD, formatUsd(spent), formatUsd(subtract(parseUsd(LIMIT_USD), spent))];
    const told = seen.map(({ headers, text }) => JSON.stringify(headers) + text).join('\n');
    for (const figure of figures) if (told.includes(figure)) report(`a caller was told $${figure}`);
    const reasons = new Set(refused.map(({ text }) => reasonOf(text)));
    if (reasons.size > 1) report(`refusals tell a spent budget from a small one: ${[...reasons].join(', ')}`);
  },
};

function reasonOf(text: string): unknown {
  const { error } = JSON.parse(text) as { error: { details?: { reason?: unknown } } };
  return error.details?.reason;
}

function bodyOf(maxTokens: number): string {
  return standInBody({ usage: { output_tokens: Math.min(maxTokens, 1_000) } }, { max_tokens: maxTokens });
}

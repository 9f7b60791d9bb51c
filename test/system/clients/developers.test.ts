import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parseUsd } from '../../../policy/core/money.ts';
import { budgetFiguresQuery } from '../../../policy/status/budget-figures.ts';
import { startUpstream, type Upstream } from '../../fakes/upstream/upstream.ts';
import { startRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';
import recorded from '../../unit/policy/data/claude-code.json' with { type: 'json' };
import { type Answer, ask, errorOf, type Running, startGateway } from '../gateway/harness.ts';
import { budget, handover } from '../gateway/policies.ts';

const CAP = parseUsd('100.00');
const TOLERANCE = parseUsd('60');
const daily = budget('developers', '100.00', { toleranceNano: TOLERANCE });

let redis: Awaited<ReturnType<typeof startRedis>>;
let upstream: Upstream;
let gateway: Running;

beforeAll(async () => {
  redis = await startRedis();
  upstream = await startUpstream();
  gateway = await startGateway({
    redisUrl: redis.url,
    handover: handover({ baseURL: upstream.url, budgets: [daily] }),
    // However slow the machine is: what is tried here is who waits and who is refused, not for how long.
    settings: { waitSeconds: 60 },
  });
});

afterAll(async () => {
  await gateway.stop();
  await upstream.close();
  await redis.stop();
});

/** What a turn adds to the conversation, and where Claude Code would sum it up. Bytes. */
const GROWTH = 90_000;
const LONGEST = 600_000;

/** The request that Claude Code sends by default, with all that was said and read before. */
function turnOf(turn: number): string {
  const read = 'The quick brown fox, as ever.\n'.repeat(Math.ceil(GROWTH / 30));
  const turns = Math.min(turn, Math.floor(LONGEST / GROWTH) - 1);
  const before = Array.from({ length: turns }, (_, i) => [
    {
      role: 'assistant',
      content: [{ type: 'tool_use', id: `toolu_${i}`, name: 'Read', input: { file_path: `/${i}` } }],
    },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: `toolu_${i}`, content: read }] },
  ]);
  return JSON.stringify({ ...recorded, messages: [...recorded.messages, ...before.flat()] });
}

/** A turn whose cache was cold: all of its prompt is written, and thousands of tokens come back. */
function take(turn: number): Promise<Answer> {
  const body = turnOf(turn);
  const written = Math.ceil(body.length / 4);
  const usage = {
    input_tokens: 12,
    cache_creation_input_tokens: written,
    cache_creation: { ephemeral_5m_input_tokens: written, ephemeral_1h_input_tokens: 0 },
    output_tokens: 15_000,
  };
  const headers = { 'x-stainless-stand-in': JSON.stringify({ usage, text: 'x', latencyMs: 40, paceMs: 3 }) };
  return ask(gateway.url, { path: '/v1/messages?beta=true', body, headers });
}

/** Works until the budget says no; how that went, and how many turns there were before. */
async function develop(): Promise<{ readonly refusal: Answer; readonly turns: number }> {
  for (let turn = 0; ; turn++) {
    const answer = await take(turn);
    if (answer.status !== 200) return { refusal: answer, turns: turn };
  }
}

test('twenty concurrent developers are not refused while money is left, and never exceed the tolerance', async () => {
  const longest = turnOf(99).length;
  expect(longest > 0.8 * LONGEST && longest <= LONGEST).toBe(true);
  const developers = await Promise.all(Array.from({ length: 20 }, develop));
  for (const { refusal, turns } of developers) {
    expect(turns).toBeGreaterThan(3);
    expect([refusal.status, errorOf(refusal).type]).toEqual([429, 'budget_exceeded']);
    expect(Number(errorOf(refusal)['current_spend'])).toBeGreaterThanOrEqual(100);
  }
  const counter = async () => {
    const { now } = await gateway.ledger.operator.state();
    return (await gateway.ledger.operator.read([budgetFiguresQuery(daily, now)]))[0]!.total;
  };
  await until(async () => (await counter()).committedNano === (await counter()).spentNano);
  const books = BigInt(upstream.books().total.nanoUsd);
  expect((await counter()).spentNano).toBe(books);
  expect(books >= CAP && books <= CAP + TOLERANCE).toBe(true);
});

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parseUsd } from '../../../policy/core/money.ts';
import { budgetFiguresQuery } from '../../../policy/status/budget-figures.ts';
import { type Received, startUpstream, type Upstream } from '../../fakes/upstream/upstream.ts';
import { startRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';
import { type Running, startGateway } from '../gateway/harness.ts';
import { budget, handover } from '../gateway/policies.ts';
import { claudeCode } from './claude-code.ts';

/** $2 for each run of a developer, $50 for all of them. */
const runs = budget('runs', '2.00', { per: ['session'], totalNano: parseUsd('50.00') });

/** $0.50 on Opus 5.5, below the worst case of every turn. */
const HALF_A_DOLLAR = { input_tokens: 87_500, output_tokens: 7_500 };
const AGENT = { description: 'Look', prompt: 'Look around and report.', subagent_type: 'general-purpose' };

const received: Received[] = [];
let redis: Awaited<ReturnType<typeof startRedis>>;
let upstream: Upstream;
let gateway: Running;

beforeAll(async () => {
  redis = await startRedis();
  upstream = await startUpstream({ observe: (request) => received.push(request) });
  const policy = handover({ baseURL: upstream.url, budgets: [runs] });
  gateway = await startGateway({ redisUrl: redis.url, handover: policy });
});

afterAll(async () => {
  await gateway.stop();
  await upstream.close();
  await redis.stop();
});

const claude = (prompt: string) =>
  claudeCode({ baseURL: gateway.url, apiKey: 'sk-tollgate-api' }, prompt, { CLAUDE_CODE_MAX_OUTPUT_TOKENS: '8000' });

/** Each session with what it has spent, once nothing is in flight. */
async function sessions() {
  const read = async () => {
    const { now } = await gateway.ledger.operator.state();
    return (await gateway.ledger.operator.read([budgetFiguresQuery(runs, now, { top: 10 })]))[0]!;
  };
  await until(async () => {
    const { total } = await read();
    return total.committedNano === total.certainNano;
  });
  return (await read()).values;
}

const names = (header: string) =>
  new Set(received.map(({ headers }) => headers[header]).filter((name) => name !== undefined));

test('a run that starts subagents stops at its $2, and the developer’s next one goes on', async () => {
  upstream.behave({ usage: HALF_A_DOLLAR, tool: { name: 'Agent', input: AGENT } });
  const stopped = await claude('look around with two agents');
  expect(stopped).toMatchObject({ isError: true, result: expect.stringContaining('payments/runs') });
  expect(names('x-claude-code-agent-id').size).toBeGreaterThan(0);
  const [run, ...others] = await sessions();
  expect(others).toEqual([]);
  expect(run!.spentNano).toBe(BigInt(upstream.books().total.nanoUsd));
  expect(run!.spentNano).toBeLessThanOrEqual(parseUsd('2.00'));
  upstream.behave({ usage: HALF_A_DOLLAR, text: 'Hello.' });
  expect(await claude('say hello')).toMatchObject({ isError: false, result: 'Hello.' });
  expect(names('x-claude-code-session-id').size).toBe(2);
  expect((await sessions()).length).toBe(2);
});

/** What docs/how-to/developers.md shows: the answer that says how much of the caller's budgets is used. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Upstream, startUpstream } from '../../fakes/upstream/upstream.ts';
import { startRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';
import { type Running, startGateway } from '../gateway/harness.ts';
import { budget, handover } from '../gateway/policies.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/how-to/developers.md'), 'utf8');
const SEARCH = 'sk-tollgate-search';
let redis: Awaited<ReturnType<typeof startRedis>>;
let upstream: Upstream;
let gateway: Running;

beforeAll(async () => {
  redis = await startRedis();
  upstream = await startUpstream({ behaviour: { usage: { input_tokens: 100_000, output_tokens: 20_000 } } });
  const policy = handover({
    baseURL: upstream.url,
    keys: { search: SEARCH },
    budgets: [
      budget('checkout-monthly', '1000.00', { period: { every: 'Month', timeZone: 'UTC' } }),
      budget('search-daily', '5.00', { scope: { features: ['search'] }, period: { every: 'Day', timeZone: 'UTC' } }),
    ],
    rest: {
      keys: [{ name: 'search', priority: 'Normal', attributes: { feature: 'search' } }],
    },
  });
  gateway = await startGateway({ redisUrl: redis.url, handover: policy });
});
afterAll(async () => {
  await gateway.stop();
  await upstream.close();
  await redis.stop();
});

test('what a caller sees of its budgets is what the page shows', async () => {
  const client = new Anthropic({ baseURL: gateway.url, apiKey: SEARCH });
  const messages = [{ role: 'user' as const, content: 'Hello' }];
  await client.messages.create({ model: 'claude-haiku-4-5', max_tokens: 20_000, messages });
  const read = async () => {
    const response = await fetch(`${gateway.url}/tollgate/v1/budgets`, { headers: { 'x-api-key': SEARCH } });
    return withoutTime(await response.text());
  };
  const shown = withoutTime(/^```json\n([^]*?)^```/m.exec(page)?.[1] ?? '{}');
  await until(async () => JSON.stringify(await read()).includes('"remainingUsd":"4.80"'));
  expect(await read()).toEqual(shown);
});

/** An answer, with each instant replaced by a word. */
function withoutTime(json: string): unknown {
  return JSON.parse(json.replaceAll(/\d{4}-\d\d-\d\dT00:00:00Z/g, 'midnight'));
}

import { scrape } from '../../../hack/run/scrape.ts';
import type { CompiledWorkspace } from '../../../policy/core/compiled-policy.ts';
import { parseUsd } from '../../../policy/core/money.ts';
import { startRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';
import { message, startGateway as start } from '../gateway/harness.ts';
import { budget, handover } from '../gateway/policies.ts';

/** A gateway in this process, with a Redis of its own. */
export interface ClientGateway {
  url: string;
  /** Spends the budget of `sk-tollgate-poor`, whose next call is refused, and two of the five cents of `sk-tollgate-small`. */
  spendPennies: () => Promise<void>;
  /** How many calls it refused so far, for any reason. */
  refused: () => Promise<number>;
  stop: () => Promise<void>;
}

/**
 * Starts a gateway that enforces one workspace with three keys: `sk-tollgate-rich` has a budget of $1,000,
 * `sk-tollgate-poor` one of a cent with a tolerance, `sk-tollgate-small` one of five cents without. Refusals have the
 * status given.
 */
export async function startGateway(
  upstreamUrl: string,
  status: 402 | 429 = 429,
  guards: CompiledWorkspace['guards'] = {},
): Promise<ClientGateway> {
  const redis = await startRedis();
  const policy = handover({
    baseURL: upstreamUrl,
    keys: { rich: 'sk-tollgate-rich', poor: 'sk-tollgate-poor', small: 'sk-tollgate-small' },
    budgets: [
      budget('plenty', '1000.00', { scope: { keys: ['rich'] } }),
      budget('pennies', '0.01', { scope: { keys: ['poor'] }, toleranceNano: parseUsd('1.00') }),
      budget('small', '0.05', { scope: { keys: ['small'] } }),
    ],
    rest: { guards, refusal: { status, message: 'Ask #claude-costs.' } },
  });
  const gateway = await start({ redisUrl: redis.url, handover: policy });
  const { url } = gateway;
  return {
    url,
    spendPennies: async () => {
      await spendTwoCents(url, 'sk-tollgate-poor');
      await spendTwoCents(url, 'sk-tollgate-small');
    },
    refused: () => sumOf(url, /^tollgate_refusals_total\{.*\} (\d+)$/gm),
    stop: async () => {
      await gateway.stop();
      await redis.stop();
    },
  };
}

/** One call of two cents; it is booked a moment after its answer has come. */
async function spendTwoCents(url: string, apiKey: string): Promise<void> {
  const headers = {
    'x-api-key': apiKey,
    'anthropic-version': '2023-06-01',
    'content-type': 'application/json',
    'x-stainless-stand-in': JSON.stringify({ usage: { output_tokens: 2000 } }),
  };
  await fetch(`${url}/v1/messages`, { method: 'POST', headers, body: message({ max_tokens: 2000 }) });
  await until(async () => (await sumOf(url, /^tollgate_open_calls (\d+)$/gm)) === 0);
}

/** The sum over the lines of the gateway's metrics that match. */
async function sumOf(url: string, line: RegExp): Promise<number> {
  const metrics = await scrape(url);
  return [...metrics.matchAll(line)].reduce((total, [, value]) => total + Number(value), 0);
}

import { Pool } from 'undici';

/** One call of the loop: short, and 600 tokens of answer. `user_id` tells the stand-in what usage to report. */
const CALL = JSON.stringify({
  model: 'claude-haiku-4-5',
  max_tokens: 600,
  messages: [{ role: 'user', content: 'Try again.' }],
  metadata: { user_id: 'stand-in:{"usage":{"input_tokens":25,"output_tokens":600}}' },
});

/** What one costs at $1 and $5 for a million tokens: 25 × 1,000 + 600 × 5,000 nano-dollars, $0.003025. */
export const CALL_COST = 3_025_000n;

/** A loop that repeats the call, as a program does that never looks at the answer. */
export interface Runaway {
  /** Base URLs; the calls go to them in turn. */
  gateways: readonly string[];
  apiKey: string;
  calls: number;
  /** Calls under way at once, at each gateway. */
  connections: number;
}

/** What became of the calls so far. */
export interface Tally {
  started: number;
  letThrough: number;
  refused: number;
  /** Answers that are neither, by what they were. A promise is broken where there is one. */
  other: Map<string, number>;
  /** The body of the first refusal, as the loop got it. */
  refusal: string | undefined;
}

/** A tally of nothing. */
export function emptyTally(): Tally {
  return { started: 0, letThrough: 0, refused: 0, other: new Map(), refusal: undefined };
}

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** Runs the loop to its end; the tally is kept up to date while it runs. */
export async function runAway({ gateways, apiKey, calls, connections }: Runaway, tally: Tally): Promise<void> {
  const headers = { 'x-api-key': apiKey, 'anthropic-version': '2023-06-01', 'content-type': 'application/json' };
  const pools = gateways.map((gateway) => new Pool(gateway, { connections, headersTimeout: 60_000 }));
  const worker = async (pool: Pool): Promise<void> => {
    while (tally.started < calls) {
      tally.started++;
      const answer = await pool.request({ method: 'POST', path: '/v1/messages', headers, body: CALL });
      record(tally, answer.statusCode, answer.headers, await answer.body.text());
    }
  };
  const workers = pools.flatMap((pool) => Array.from({ length: connections }, () => worker(pool)));
  await Promise.all(workers);
  await Promise.all(pools.map((pool) => pool.close()));
}

function record(tally: Tally, status: number, headers: Headers, body: string): void {
  if (status === 200) {
    tally.letThrough++;
  } else if (status === 429 && headers['x-should-retry'] === 'false' && headers['retry-after'] === undefined) {
    tally.refused++; // for good: a refusal for money is not to be retried
    tally.refusal ??= body;
  } else {
    const answer = `${status} ${body.slice(0, 200)}`;
    tally.other.set(answer, (tally.other.get(answer) ?? 0) + 1);
  }
}

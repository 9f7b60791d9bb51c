import { Pool } from 'undici';

/** A loop that repeats one call, as a program does that never looks at the answer. */
export interface Runaway {
  /** Base URLs; the calls go to them in turn. */
  gateways: readonly string[];
  apiKey: string;
  /** The same bytes for each call. */
  body: string;
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

/** Runs the loop to its end; the tally is kept up to date while it runs. */
export async function runAway({ gateways, apiKey, body, calls, connections }: Runaway, tally: Tally): Promise<void> {
  const headers = { 'x-api-key': apiKey, 'anthropic-version': '2023-06-01', 'content-type': 'application/json' };
  const pools = gateways.map((gateway) => new Pool(gateway, { connections, headersTimeout: 60_000 }));
  const worker = async (pool: Pool): Promise<void> => {
    while (tally.started < calls) {
      tally.started++;
      const answer = await pool.request({ method: 'POST', path: '/v1/messages', headers, body });
      if (answer.statusCode === 200) {
        tally.letThrough++;
        await answer.body.dump();
      } else if (tally.refusal === undefined || !isRefusal(answer.statusCode, answer.headers)) {
        count(tally, answer.statusCode, await answer.body.text());
      } else {
        tally.refused++;
        await answer.body.dump();
      }
    }
  };
  const workers = pools.flatMap((pool) => Array.from({ length: connections }, () => worker(pool)));
  await Promise.all(workers);
  await Promise.all(pools.map((pool) => pool.close()));
}

/** A refusal for money is final: 429, not to be retried. */
function isRefusal(status: number, headers: Record<string, string | string[] | undefined>): boolean {
  return status === 429 && headers['x-should-retry'] === 'false' && headers['retry-after'] === undefined;
}

function count(tally: Tally, status: number, body: string): void {
  if (status === 429 && body.includes('"budget_exceeded"')) {
    tally.refused++;
    tally.refusal ??= body;
    return;
  }
  const answer = `${status} ${body.slice(0, 200)}`;
  tally.other.set(answer, (tally.other.get(answer) ?? 0) + 1);
}

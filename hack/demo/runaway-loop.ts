import { Pool } from 'undici';

/** One call of the loop: short, and 600 tokens of answer. `user_id` sets the usage that the stand-in reports. */
const CALL = JSON.stringify({
  model: 'claude-haiku-4-5',
  max_tokens: 600,
  messages: [{ role: 'user', content: 'Try again.' }],
  metadata: { user_id: 'stand-in:{"usage":{"input_tokens":25,"output_tokens":600}}' },
});

/** Cost of one call in nano-dollars, at $1 and $5 for a million tokens: 25 × 1,000 + 600 × 5,000, which is $0.003025. */
export const CALL_COST = 3_025_000n;

/**
 * The calls from the first to the second number measure how fast this machine is: by then the budget of 8,256 calls is
 * spent, so what is measured is refused, as all that follows.
 */
const MEASURED = { from: 12_000, to: 20_000 };

/** Repeats one call, as a program does that never looks at the answer. */
export interface RunawayLoop {
  /** Base URLs; the calls go to them in turn. */
  gateways: readonly string[];
  apiKey: string;
  calls: number;
  /** Calls in flight at once, at each gateway. */
  connections: number;
  /** After so long the loop should be over: a slow machine makes fewer calls, at least 20,000. Absent: all are made. */
  targetMs?: number;
  /** Called once where the loop is shortened, with the calls that it makes instead. */
  onShortened?: (calls: number) => void;
}

/** What became of the calls so far. */
export interface Tally {
  started: number;
  letThrough: number;
  refused: number;
  /** Answers that are neither, with how often they came. None is expected. */
  other: Map<string, number>;
}

export function emptyTally(): Tally {
  return { started: 0, letThrough: 0, refused: 0, other: new Map() };
}

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** Runs the loop to its end, and keeps the tally up to date meanwhile. */
export async function runAway(loop: RunawayLoop, tally: Tally): Promise<void> {
  const { gateways, apiKey, connections } = loop;
  const headers = { 'x-api-key': apiKey, 'anthropic-version': '2023-06-01', 'content-type': 'application/json' };
  const pools = gateways.map((gateway) => new Pool(gateway, { connections, headersTimeout: 0, bodyTimeout: 0 }));
  const begun = performance.now();
  let calls = loop.calls;
  let measuredFrom = begun;
  const worker = async (pool: Pool): Promise<void> => {
    while (tally.started < calls) {
      const number = ++tally.started;
      if (number === MEASURED.from) measuredFrom = performance.now();
      if (number === MEASURED.to) calls = callsInTime(loop, begun, measuredFrom);
      const answer = await pool.request({ method: 'POST', path: '/v1/messages', headers, body: CALL });
      record(tally, answer.statusCode, answer.headers, await answer.body.text());
    }
  };
  const workers = pools.flatMap((pool) => Array.from({ length: connections }, () => worker(pool)));
  await Promise.all(workers);
  await Promise.all(pools.map((pool) => pool.close()));
}

/** How many calls the loop makes, in whole thousands, given the times at which it and the measured part began. */
function callsInTime({ calls, targetMs, onShortened }: RunawayLoop, begun: number, measuredFrom: number): number {
  if (targetMs === undefined) return calls;
  const now = performance.now();
  const perMs = (MEASURED.to - MEASURED.from) / (now - measuredFrom);
  const more = Math.max(0, perMs * (targetMs - (now - begun)));
  const inTime = MEASURED.to + Math.floor(more / 1000) * 1000;
  if (inTime >= calls) return calls;
  onShortened?.(inTime);
  return inTime;
}

function record(tally: Tally, status: number, headers: Headers, body: string): void {
  if (status === 200) {
    tally.letThrough++;
  } else if (status === 429 && headers['x-should-retry'] === 'false' && headers['retry-after'] === undefined) {
    tally.refused++; // for good: a refusal for money is not to be retried
  } else {
    const answer = `${status} ${body.slice(0, 200)}`;
    tally.other.set(answer, (tally.other.get(answer) ?? 0) + 1);
  }
}

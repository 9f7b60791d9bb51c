import { Redis } from 'ioredis';
import { budget, waitFor } from '../../../bench/installation.ts';
import type { Attack } from './attack.ts';
import { standInBody } from './stand-in-body.ts';

const NAME = 'free-values';
const CALLERS = 8;
/** How long calls may take to be settled. Milliseconds. */
const SETTLED_WITHIN_MS = 15_000;
/** Answers that cost nothing. */
const FREE = [{ status: 400 }, { status: 404 }, { status: 429 }, { status: 529 }, { refuse: 'Before' }];

/** Calls of ever new customers that cost nothing, in a budget with a counter for each customer. */
export const freeValues: Attack = {
  name: NAME,
  threat:
    'thousands of free calls, each of another customer, use up the counters of a budget or fill the ledger for everybody',
  run: async ({ installation, tenant, random, variants, report }) => {
    const limit = `per: [customer], limit: { usd: '0.10', totalUsd: '40.00' }`;
    const caller = await tenant({ name: NAME, capUsd: '40.00', budgets: budget(NAME, 'customers', limit) });
    const call = (customer: string, behaviour: object, n: number) =>
      caller.send({ headers: { 'x-tollgate-customer': customer }, body: standInBody(behaviour) }, n);
    let left = 100 * variants;
    const loop = async (_: unknown, n: number): Promise<void> => {
      while (left-- > 0) await call(`new-${left}`, FREE[random.below(FREE.length)]!, n);
    };
    await Promise.all(Array.from({ length: CALLERS }, loop));
    const { status } = await call('honest', {}, 0);
    if (status !== 200) report(`an honest customer was answered ${status}`);

    const redis = new Redis(installation.redisUrl);
    let values: string[] = [];
    const settled = await waitFor(async () => {
      values = await valuesOf(redis);
      return values.length === 1;
    }, SETTLED_WITHIN_MS);
    redis.disconnect();
    if (settled === undefined)
      report(`${values.length} customers have a counter, one has spent: ${values.slice(0, 3).join(', ')}`);
  },
};

async function valuesOf(redis: Redis): Promise<string[]> {
  const values: string[] = [];
  for await (const keys of redis.scanStream({ match: `*:counter:${NAME}/customers/*#*`, count: 1000 })) {
    values.push(...(keys as string[]).map((key) => key.slice(key.indexOf('#') + 1)));
  }
  return values;
}

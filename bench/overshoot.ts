import { formatUsd, parseUsd, nano as toNano } from '../policy/core/money.ts';
import { type Usage, charge } from '../test/fakes/upstream/prices.ts';
import type { Figure } from './figures.ts';
import { Installation, type Team, budget, spanning, waitFor } from './installation.ts';
import { type Call, MessagesClient } from './messages-client.ts';
import { SeededRandom } from './seeded-random.ts';

const GATEWAYS = 3;
const RUNS = Number(process.env['RUNS'] ?? 20);
const SEED = Number(process.env['SEED'] ?? 1);

/** Whether concurrent calls on several gateways ever spend more than a cap, and whether counters and bill agree. */
export async function measureOvershoot(): Promise<Figure[]> {
  const installation = await Installation.start(GATEWAYS);
  return [await threeBursts(installation), await manyRuns(installation)];
}

/** $0.018 a call: 250 × $2 and 1,750 × $10 for a million tokens. Its worst case is 7 % above. */
const CENTS_1_8: Call = {
  maxTokens: 1_750,
  behaviour: { usage: { input_tokens: 250, output_tokens: 1_750 }, latencyMs: 30 },
};

async function threeBursts(installation: Installation): Promise<Figure> {
  const team = await installation.team('bursts', budget('bursts', 'half-dollar', `limit: { usd: '0.50' }`));
  try {
    const callers = callersTo(installation, team, 100);
    await Promise.all(callers.flatMap((caller) => Array.from({ length: 100 }, () => caller.send(CENTS_1_8))));
    await closeAll(callers);
    const { calls, nano } = await installation.owed(team);
    const status = await agreed(installation, team, 'half-dollar', nano);
    return {
      what: '3 gateways, 3 bursts of 100 calls at once on $0.50 at $0.018 a call',
      promised: 'bill: 27 calls, $0.486; status: the same',
      measured: `bill: ${calls} calls, $${formatUsd(toNano(nano))}; status: $${formatUsd(toNano(status))}`,
      holds: calls === 27 && nano === 486_000_000n && status === nano,
    };
  } finally {
    await installation.dismiss(team);
  }
}

const CUSTOMERS = ['acme', 'globex', 'initech', 'hooli', 'stark', 'umbrella', 'wayne', 'wonka'];
const FEATURES = ['search', 'chat'];
/** Caps in US dollars, low enough that each of them is reached in some run. */
const CAPS = { workspace: '1.60', feature: '0.90', customer: '0.22', customers: '1.50', all: '1.55' };

async function manyRuns(installation: Installation): Promise<Figure> {
  const random = new SeededRandom(SEED);
  const faults: string[] = [];
  let admitted = 0;
  for (let run = 1; run <= RUNS; run++) {
    const outcome = await oneRun(installation, `run-${run}`, random);
    admitted += outcome.admitted;
    faults.push(...outcome.faults.map((fault) => `run ${run}: ${fault}`));
  }
  return {
    what: `overlapping budgets (workspace, feature, per customer, spanning), random costs, ${RUNS} runs of 1,000 calls at once on ${GATEWAYS} gateways`,
    promised: 'never over any cap; counters = bill',
    measured:
      faults.length === 0
        ? `never, equal; ${admitted} of ${RUNS * 1_000} calls admitted (seed ${SEED})`
        : faults.join('; '),
    holds: faults.length === 0,
  };
}

/** One admitted call, as its caller saw it. */
interface Spent {
  feature: string;
  customer: string;
  nano: bigint;
}

async function oneRun(
  installation: Installation,
  namespace: string,
  random: SeededRandom,
): Promise<{ admitted: number; faults: string[] }> {
  const team = await installation.team(namespace, budgetsOf(namespace));
  try {
    const callers = callersTo(installation, team, 334);
    const calls = Array.from({ length: 1_000 }, (_, index) =>
      randomCall(random, callers[index % callers.length] as MessagesClient),
    );
    const spent = (await Promise.all(calls)).filter((call) => call !== undefined);
    await closeAll(callers);
    return { admitted: spent.length, faults: await faultsOf(installation, team, spent) };
  } finally {
    await installation.dismiss(team);
  }
}

function budgetsOf(namespace: string): string {
  return [
    budget(namespace, 'workspace', `limit: { usd: '${CAPS.workspace}' }`),
    budget(namespace, 'feature', `scope: { features: [search] }, limit: { usd: '${CAPS.feature}' }`),
    budget(
      namespace,
      'customers',
      `per: [customer], limit: { usd: '${CAPS.customer}', totalUsd: '${CAPS.customers}' }`,
    ),
    spanning(namespace, `all-${namespace}`, `limit: { usd: '${CAPS.all}' }`),
  ].join('');
}

/** At most 200 tokens in and 500 out; its cost is anywhere below its worst case. */
async function randomCall(random: SeededRandom, caller: MessagesClient): Promise<Spent | undefined> {
  const feature = random.pick(FEATURES);
  const customer = random.pick(CUSTOMERS);
  const usage = { input_tokens: random.below(200), output_tokens: random.below(501) };
  const behaviour = { usage, latencyMs: random.below(50) };
  const headers = { 'x-tollgate-feature': feature, 'x-tollgate-customer': customer };
  const { status, text } = await caller.send({ maxTokens: 500, behaviour, headers });
  if (status === 429) return undefined;
  if (status !== 200) throw new Error(`status ${status}: ${text}`);
  const answer = JSON.parse(text) as { model: string; usage: Usage };
  return { feature, customer, nano: charge(answer.model, answer.usage) };
}

/** Compares the callers' sums with the upstream's bill, every cap and every counter in status. */
async function faultsOf(installation: Installation, team: Team, spent: readonly Spent[]): Promise<string[]> {
  const all = sum(spent);
  const { calls, nano } = await installation.owed(team);
  const faults: string[] = [];
  if (calls !== spent.length || nano !== all)
    faults.push(`the bill has ${calls} calls, $${formatUsd(toNano(nano))}; the callers $${formatUsd(toNano(all))}`);
  const search = sum(spent.filter(({ feature }) => feature === 'search'));
  const expected = [
    { name: 'workspace', sum: all, cap: CAPS.workspace },
    { name: 'feature', sum: search, cap: CAPS.feature },
    { name: 'customers', sum: all, cap: CAPS.customers },
  ];
  for (const { name, sum, cap } of expected) {
    const status = await agreed(installation, team, name, sum);
    if (sum > parseUsd(cap)) faults.push(`${name} spent $${formatUsd(toNano(sum))} of $${cap}`);
    if (status !== sum)
      faults.push(`${name} has $${formatUsd(toNano(status))} in status, $${formatUsd(toNano(sum))} by the callers`);
  }
  if (all > parseUsd(CAPS.all)) faults.push(`all spent $${formatUsd(toNano(all))} of $${CAPS.all}`);
  return [...faults, ...(await customerFaults(installation, team, spent))];
}

async function customerFaults(installation: Installation, team: Team, spent: readonly Spent[]): Promise<string[]> {
  const { status } = await installation.budget(team.namespace, 'customers');
  return CUSTOMERS.flatMap((name) => {
    const own = sum(spent.filter(({ customer }) => customer === name));
    const shown = parseUsd(status?.top?.find(({ values }) => values[0] === name)?.spentUsd ?? '0');
    return [
      ...(own > parseUsd(CAPS.customer) ? [`${name} spent $${formatUsd(toNano(own))} of $${CAPS.customer}`] : []),
      ...(shown === own
        ? []
        : [`${name} has $${formatUsd(shown)} in status, $${formatUsd(toNano(own))} by the callers`]),
    ];
  });
}

function sum(spent: readonly Spent[]): bigint {
  return spent.reduce((total, { nano }) => total + nano, 0n);
}

/** The spend in status, once it is the expected one or ten seconds have passed. Nano-dollars. */
async function agreed(installation: Installation, team: Team, name: string, expected: bigint): Promise<bigint> {
  let status = -1n;
  await waitFor(async () => {
    status = parseUsd((await installation.budget(team.namespace, name)).status?.spentUsd ?? '0');
    return status === expected;
  }, 10_000);
  return status;
}

function callersTo(installation: Installation, team: Team, connections: number): MessagesClient[] {
  return installation.gateways.map((gateway) => new MessagesClient(gateway, team.apiKey, connections));
}

async function closeAll(callers: readonly MessagesClient[]): Promise<void> {
  await Promise.all(callers.map((caller) => caller.close()));
}

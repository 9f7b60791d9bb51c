import { type Figure, median, ms, percentile } from './figures.ts';
import { Installation, type Team, budget, spanning } from './installation.ts';
import { MessagesClient } from './messages-client.ts';
import { startBareProxy } from './start-bare-proxy.ts';

const ROUNDS = 9;
const CALLS = 300;
const CONNECTIONS = 8;
const BURST = 4_000;

/** Routes to the stand-in: direct, through the bare proxy, through the gateway. */
const ROUTES = ['direct', 'bare', 'gateway'] as const;
type Route = (typeof ROUTES)[number];

/** What the gateway adds, against a bare proxy in the same run: latency on one connection, and throughput on eight. */
export async function measureOverhead(): Promise<Figure[]> {
  const installation = await Installation.start(1);
  const team = await installation.team('overhead', fourBudgets('overhead'));
  const bare = await startBareProxy(installation.upstream);
  const urls = { direct: installation.upstream, bare: bare.url, gateway: installation.gateways[0] ?? '' };
  try {
    return [
      latencyFigure('non-streaming', await latencies(urls, team, false)),
      latencyFigure('streaming, to the first byte', await latencies(urls, team, true)),
      await throughputFigure(urls, team),
    ];
  } finally {
    await bare.child.stop();
    await installation.dismiss(team);
  }
}

/** A budget of the workspace, one of a feature, one per customer, and a spanning one. */
export function fourBudgets(namespace: string): string {
  return [
    budget(namespace, 'workspace', `limit: { usd: '1000000.00' }`),
    budget(namespace, 'feature', `scope: { features: [search] }, limit: { usd: '1000000.00' }`),
    budget(namespace, 'customers', `per: [customer], limit: { usd: '10000.00', totalUsd: '1000000.00' }`),
    spanning(namespace, `all-${namespace}`, `limit: { usd: '1000000.00' }`),
  ].join('');
}

/** The headers with which all four budgets apply to a call. */
export const FOUR = { 'x-tollgate-feature': 'search', 'x-tollgate-customer': 'acme' };

type Urls = Readonly<Record<Route, string>>;

function callerTo(route: Route, urls: Urls, team: Team, connections: number): MessagesClient {
  return new MessagesClient(urls[route], route === 'gateway' ? team.apiKey : team.upstreamKey, connections);
}

/** Rounds of sequential calls, each route in turn. @returns for each route the p50 and p99 of its middle round */
async function latencies(
  urls: Urls,
  team: Team,
  stream: boolean,
): Promise<Record<Route, { p50: number; p99: number }>> {
  const callers = Object.fromEntries(ROUTES.map((route) => [route, callerTo(route, urls, team, 1)])) as Record<
    Route,
    MessagesClient
  >;
  const rounds: Record<Route, number[][]> = { direct: [], bare: [], gateway: [] };
  for (let round = -1; round < ROUNDS; round++) {
    for (const route of ROUTES) {
      const times = await oneByOne(callers[route], stream);
      if (round >= 0) rounds[route].push(times); // the first one warms up
    }
  }
  await Promise.all(ROUTES.map((route) => callers[route].close()));
  const middle = (route: Route, share: number) => median(rounds[route].map((times) => percentile(times, share)));
  const of = (route: Route) => ({ p50: middle(route, 0.5), p99: middle(route, 0.99) });
  return { direct: of('direct'), bare: of('bare'), gateway: of('gateway') };
}

async function oneByOne(caller: MessagesClient, stream: boolean): Promise<number[]> {
  const times: number[] = [];
  for (let call = 0; call < CALLS; call++) {
    const answer = await caller.send({ stream, headers: FOUR });
    if (answer.status !== 200) throw new Error(answer.text);
    times.push(stream ? answer.firstByte : answer.total);
  }
  return times;
}

function latencyFigure(what: string, { direct, bare, gateway }: Record<Route, { p50: number; p99: number }>): Figure {
  const ratio = (gateway.p50 - direct.p50) / (bare.p50 - direct.p50);
  const added = ({ p50, p99 }: typeof direct) => `${ms(p50 - direct.p50)} (p99 ${ms(p99 - direct.p99)})`;
  return {
    what: `added at one connection, ${what}, 4 budgets on, p50`,
    promised: '≤ 4 × a bare Node proxy',
    measured: `${ratio.toFixed(1)} ×: ${added(gateway)} against ${added(bare)}; direct ${ms(direct.p50)}`,
    holds: ratio <= 4,
  };
}

/** Calls a second over eight connections, each route in turn; the middle round counts. */
async function throughputFigure(urls: Urls, team: Team): Promise<Figure> {
  const rounds: Record<Route, number[]> = { direct: [], bare: [], gateway: [] };
  for (let round = -1; round < 5; round++) {
    for (const route of ROUTES) {
      const rate = await burst(callerTo(route, urls, team, CONNECTIONS));
      if (round >= 0) rounds[route].push(rate);
    }
  }
  const [direct, bare, gateway] = ROUTES.map((route) => median(rounds[route])) as [number, number, number];
  return {
    what: `throughput, ${CONNECTIONS} connections, one gateway process, 4 budgets on`,
    promised: '≥ 0.25 × a bare Node proxy',
    measured: `${(gateway / bare).toFixed(2)} ×: ${Math.round(gateway)} calls/s against ${Math.round(bare)}; direct ${Math.round(direct)}`,
    holds: gateway / bare >= 0.25,
  };
}

async function burst(caller: MessagesClient): Promise<number> {
  const started = performance.now();
  let left = BURST;
  const worker = async () => {
    while (left-- > 0) {
      const { status, text } = await caller.send({ headers: FOUR });
      if (status !== 200) throw new Error(text);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
  const seconds = (performance.now() - started) / 1000;
  await caller.close();
  return BURST / seconds;
}

import { setTimeout as sleep } from 'node:timers/promises';
import type { ClaudeBudget } from '../crds/types.gen.ts';
import { KubeClient } from '../kube/client.ts';
import { connectByKubeconfig } from '../kube/kubeconfig-connection.ts';
import { parseUsd } from '../policy/core/money.ts';
import { type Figure, ms, percentile } from './figures.ts';
import { Installation, type Team, budget, waitFor } from './installation.ts';
import { BUDGETS } from './many-budgets.ts';
import { MessagesClient } from './messages-client.ts';

const ROUNDS = Number(process.env['ROUNDS'] ?? 50);
const REF = { namespace: 'enforcement', name: 'lever' };

/** How long an edit takes to be enforced on every gateway, and spend to be shown. */
export async function measureEnforcement(): Promise<Figure[]> {
  const installation = await Installation.start(2);
  const team = await installation.team(REF.namespace, lever('1000.00'));
  const client = new KubeClient({ connection: connectByKubeconfig(installation.kubeconfig), random: Math.random });
  const read = () => client.get<ClaudeBudget>(BUDGETS, REF);
  try {
    const edits = await editRounds(installation, team, read);
    return [
      figure(
        '`kubectl apply` of a lower limit → refused by every gateway',
        1_000,
        edits.map(({ refused }) => refused),
      ),
      figure(
        '`kubectl apply` of a lower limit → `Programmed=True`',
        2_000,
        edits.map(({ programmed }) => programmed),
      ),
      figure('last call settled → status correct', 5_000, await spendRounds(installation, team, read)),
    ];
  } finally {
    await client.close();
    await installation.dismiss(team);
  }
}

function lever(usd: string): string {
  return budget(REF.namespace, REF.name, `limit: { usd: '${usd}' }`);
}

type Read = () => Promise<ClaudeBudget>;

/** Milliseconds from the start of `kubectl apply`. */
interface Edit {
  refused: number;
  programmed: number;
}

/** Lowers the limit below what was spent and raises it again, with a caller at each gateway all the time. */
async function editRounds(installation: Installation, team: Team, read: Read): Promise<Edit[]> {
  const callers = installation.gateways.map((gateway) => new MessagesClient(gateway, team.apiKey, 1));
  const edits: Edit[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await Promise.all(callers.map((caller) => until(caller, 200)));
    const started = performance.now();
    const applied = installation.apply(lever('0.01'));
    const refused = Promise.all(callers.map((caller) => until(caller, 429)));
    await applied;
    const { generation } = (await read()).metadata;
    await waitFor(async () => isProgrammed(await read(), generation ?? 0), 30_000);
    const programmed = performance.now() - started;
    edits.push({ refused: Math.max(...(await refused)) - started, programmed });
    await installation.apply(lever('1000.00'));
  }
  await Promise.all(callers.map((caller) => caller.close()));
  return edits;
}

/** Calls, each of at least a cent, until one has that status. @returns when its answer was there. */
async function until(caller: MessagesClient, status: number): Promise<number> {
  for (;;) {
    const answer = await caller.send({ maxTokens: 1_000, behaviour: { usage: { output_tokens: 1_000 } } });
    if (answer.status === status) return performance.now();
    await sleep(5);
  }
}

function isProgrammed({ status }: ClaudeBudget, generation: number): boolean {
  const programmed = status?.conditions?.find(({ type }) => type === 'Programmed');
  return programmed?.status === 'True' && (programmed.observedGeneration ?? 0) >= generation;
}

async function spendRounds(installation: Installation, team: Team, read: Read): Promise<number[]> {
  const callers = installation.gateways.map((gateway) => new MessagesClient(gateway, team.apiKey, 10));
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await Promise.all(callers.flatMap((caller) => Array.from({ length: 10 + (round % 10) }, () => caller.send({}))));
    const answered = performance.now();
    const { nano } = await installation.owed(team);
    const correct = await waitFor(
      async () => parseUsd((await read()).status?.spentUsd ?? '0') === nano,
      30_000,
      answered,
    );
    times.push(correct ?? Number.POSITIVE_INFINITY);
  }
  await Promise.all(callers.map((caller) => caller.close()));
  return times;
}

function figure(what: string, promisedMs: number, times: readonly number[]): Figure {
  const p99 = percentile(times, 0.99);
  return {
    what,
    promised: `p99 ≤ ${promisedMs / 1000} s`,
    measured: `p50 ${ms(percentile(times, 0.5))}, p99 ${ms(p99)} (${times.length} rounds)`,
    holds: p99 <= promisedMs,
  };
}

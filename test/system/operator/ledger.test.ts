import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ClaudeBudget } from '../../../crds/types.gen.ts';
import type { Reservation } from '../../../ledger/reservation.ts';
import type { Check } from '../../../policy/core/counter-check.ts';
import { boundOf, effectiveLimitAt } from '../../../policy/core/effective-limit.ts';
import { parseUsd } from '../../../policy/core/money.ts';
import { budget, condition, conditionOf, Reader, workspace } from '../../support/resources.ts';
import { until } from '../../support/until.ts';
import { install, type Installation, NAMESPACE, type Operator, SimulatedGateway } from './harness.ts';

let here: Installation;
let read: Reader;
let gateway: SimulatedGateway;
let operators: Operator[];

beforeAll(async () => {
  here = await install({ settings: 'pricing: [{ namespaces: ["team-*"], multiplier: "0.85" }]\n' });
  read = new Reader(here);
  operators = [await here.startOperator('operator-1'), await here.startOperator('operator-2')];
  gateway = new SimulatedGateway(here.redis().url, 'gateway-1', read.shards);
  gateway.start();
}, 180_000);

afterAll(async () => {
  await gateway?.stop();
  await here?.stop();
});

/** A tenant with a workspace and a budget in force. */
async function tenant(usd = '25.00'): Promise<string> {
  const ns = await here.tenant();
  await here.apply(
    workspace(ns, 'checkout', '  keys: [{ name: api, secretName: checkout-claude }]') + budget(ns, 'daily', usd),
  );
  await condition(() => read.budget(ns), 'Ready', 'True Ready');
  return ns;
}

async function reservationOf(ns: string, id: string, worst: string): Promise<Reservation> {
  const ref = `${ns}/checkout`;
  const compiled = (await read.shards.policy(ref)).workspaces.get(ref)!;
  const { now } = await gateway.ledger.operator.state();
  const [daily] = compiled.budgets;
  const terms = effectiveLimitAt(daily!, now);
  const worstNano = parseUsd(worst);
  const check: Check = {
    budget: `${ns}/daily`,
    counter: terms.counter,
    value: null,
    start: terms.start,
    end: terms.end,
    mode: 'Enforce',
    bound: boundOf(daily!, daily!.limitNano, worstNano),
    total: null,
  };
  const { version } = compiled;
  const { from, until } = terms;
  return { id, workspace: ref, version, worstNano, gapNano: 0n, from, until, checks: [check] };
}

/** One call as a gateway makes it: reserved at `worst`, settled at `cost` (USD). False where it was refused. */
async function call(ns: string, worst: string, cost: string | null): Promise<boolean> {
  const id = randomUUID();
  const { kind } = await gateway.ledger.gateway.reserve(await reservationOf(ns, id, worst));
  if (kind !== 'admitted') return false;
  if (cost !== null) {
    await gateway.ledger.gateway.settle({ id, costNano: parseUsd(cost), presumedNano: 0n, record: { id } });
  }
  return true;
}

/** A call that cost $0.10 so far and may yet cost $0.30 more. Returns its id. */
async function presume(ns: string): Promise<string> {
  const id = randomUUID();
  const reservation = await reservationOf(ns, id, '0.40');
  expect((await gateway.ledger.gateway.reserve(reservation)).kind).toBe('admitted');
  await gateway.ledger.gateway.settle({
    id,
    costNano: parseUsd('0.10'),
    presumedNano: parseUsd('0.30'),
    record: { id },
  });
  return id;
}

const MEMORY = ['configmap', 'tollgate-ledger', '-n', NAMESPACE];

async function annotate(annotation: string): Promise<void> {
  await here.kubectl('annotate', '--overwrite', ...MEMORY, annotation);
}

function annotations(): Promise<string> {
  return here.kubectl('get', ...MEMORY, '-o', 'jsonpath={.metadata.annotations}');
}

/** Looks at a status again and again, and collects each figure below `usd` that it shows. */
function watchLow(ns: string, usd: number) {
  const low: string[] = [];
  const over = new AbortController();
  const watching = (async () => {
    while (!over.signal.aborted) {
      const { status } = await read.budget(ns);
      if (Number(status?.spentUsd) < usd) low.push(status?.spentUsd ?? '');
      await sleep(50);
    }
  })();
  return {
    stop: () => {
      over.abort();
      return watching.then(() => low);
    },
  };
}

const shipped = JSON.parse(readFileSync('policy/prices/prices.json', 'utf8')) as Record<string, unknown>;

/** Applies an administrator's own price book. */
function ownPrices(book: unknown): Promise<string> {
  const metadata = { name: 'tollgate-prices', namespace: NAMESPACE };
  const data = { 'prices.json': JSON.stringify(book) };
  return here.apply(JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data }));
}

/** When each condition last changed. */
function transitions({ status }: ClaudeBudget): unknown {
  return status?.conditions?.map(({ type, status, lastTransitionTime }) => [type, status, lastTransitionTime]);
}

/** The process whose log says last that it leads. */
function leader(): Operator {
  const led = operators.map((operator) => readFileSync(operator.logFile, 'utf8').lastIndexOf('"msg":"leading"'));
  return operators[led.findIndex((at) => at >= 0)]!;
}

describe('what the ledger says', () => {
  test('is in the status to the nano-dollar', async () => {
    const ns = await tenant();
    expect(await call(ns, '0.5', '0.123456789')).toBe(true);
    expect(await call(ns, '0.75', null)).toBe(true);
    for (let i = 0; i < 20; i += 1) await call(ns, '0.02', '0.01');
    const { status } = await until(async () => {
      const found = await read.budget(ns);
      return found.status?.spentUsd === '0.323456789' && found;
    });
    expect(status).toMatchObject({
      state: 'OK',
      workspace: 'checkout',
      limitUsd: '25.00',
      reservedUsd: '0.75',
      remainingUsd: '23.92',
      percentUsed: 2,
      used: '2%',
      requests: 21,
      refused: 0,
    });
    expect(conditionOf(await read.budget(ns), 'Exhausted')).toBe('False WithinLimit');
    const scraped = await (await fetch(`http://127.0.0.1:${leader().port}/metrics`)).text();
    const labels = `{budget="${ns}/daily",mode="Enforce"}`;
    expect(scraped).toContain(`tollgate_budget_spent_usd${labels} 0.323456789`);
    expect(scraped).toContain(`tollgate_budget_used_ratio${labels} 0.02`);
    expect(scraped).toContain(`tollgate_budget_exhausted${labels} 0`);
    const { start, end } = status!.period!;
    expect(scraped).toContain(`tollgate_budget_period_start_timestamp_seconds${labels} ${Date.parse(start) / 1000}`);
    expect(scraped).toContain(`tollgate_budget_period_end_timestamp_seconds${labels} ${Date.parse(end!) / 1000}`);
    expect(scraped).toMatch(
      /^tollgate_conditions\{kind="ClaudeBudget",type="Exhausted",status="False",reason="WithinLimit"\} [1-9]/m,
    );
    expect(scraped).toContain('tollgate_leader 1');
  });

  test('an exhausted budget says so, with an event, and recovers when the limit rises', async () => {
    const ns = await tenant('1.00');
    expect(await call(ns, '1', '0.999')).toBe(true);
    expect(await call(ns, '0.01', '0.01')).toBe(false);
    const spent = await condition(() => read.budget(ns), 'Exhausted', 'True Spent');
    expect(spent.status).toMatchObject({ state: 'Spent', refused: 1 });
    expect(conditionOf(spent, 'Ready')).toBe('True Ready');
    await read.event(ns, 'BudgetExhausted');
    await here.apply(budget(ns, 'daily', '2.00'));
    const raised = await condition(() => read.budget(ns), 'Exhausted', 'False WithinLimit');
    expect(raised.status).toMatchObject({ spentUsd: '0.999000', limitUsd: '2.00' });
    await read.event(ns, 'BudgetRecovered');
  });

  test('a budget that is deleted and made again finds its spend', async () => {
    const ns = await tenant();
    await call(ns, '2', '1.25');
    await until(async () => (await read.budget(ns)).status?.spentUsd === '1.25');
    await here.kubectl('delete', 'claudebudget', 'daily', '-n', ns);
    await here.apply(budget(ns, 'daily', '3.00'));
    const made = await condition(() => read.budget(ns), 'Ready', 'True Ready');
    expect(made.status).toMatchObject({ spentUsd: '1.25', limitUsd: '3.00' });
  });

  test('prices of the installation replace the shipped ones, with what the settings agree; invalid ones change nothing and are reported', async () => {
    const ns = await tenant();
    const book = async () => {
      const ref = `${ns}/checkout`;
      const { prices } = (await read.shards.policy(ref)).workspaces.get(ref)!;
      return (await read.shards.shared()).books.get(prices)?.book;
    };
    const version = async () => (await book())?.version;
    await ownPrices({ ...shipped, version: 'ours' });
    await until(async () => (await version()) === 'ours for team-*');
    expect((await book())!.webSearchNano).toBe(parseUsd('0.0085'));
    await read.event(NAMESPACE, 'PricesAccepted');
    await ownPrices({ ...shipped, version: 'broken', models: [{}] });
    await read.event(NAMESPACE, 'PricesRejected');
    expect(await version()).toBe('ours for team-*');
    await here.kubectl('delete', 'configmap', 'tollgate-prices', '-n', NAMESPACE);
    await until(async () => (await version()) === `${String(shipped['version'])} for team-*`);
  });
});

describe('what fails', () => {
  test('the API server goes away and comes back: what changed meanwhile is caught up with', async () => {
    const ns = await tenant();
    await here.restartServer(3_000);
    await call(ns, '2', '1.5');
    await until(async () => (await read.budget(ns)).status?.spentUsd === '1.50', 30_000);
    await here.apply(budget(ns, 'daily', '5.00'));
    const { status } = await condition(() => read.budget(ns), 'Programmed', 'True Programmed', 30_000);
    expect(status?.limitUsd).toBe('5.00');
  });

  test('a price book that is invalid already when an operator begins to lead is reported all the same', async () => {
    await ownPrices({ ...shipped, models: [{}] });
    await read.event(NAMESPACE, 'PricesRejected');
    await here.kubectl('delete', 'events', '--all', '-n', NAMESPACE);
    const stopped = leader();
    await stopped.stop();
    operators = operators.filter(({ pid }) => pid !== stopped.pid);
    await read.event(NAMESPACE, 'PricesRejected');
    expect(readFileSync(leader().logFile, 'utf8')).toContain('"reason":"PricesRejected"');
    await here.kubectl('delete', 'configmap', 'tollgate-prices', '-n', NAMESPACE);
    operators.push(await here.startOperator('operator-0'));
  });

  test('the leader is killed: the other one leads, and nothing flickers', async () => {
    const ns = await tenant();
    const before = await read.budget(ns);
    const key = await read.key(ns);
    const killed = leader();
    await killed.kill();
    operators = operators.filter(({ pid }) => pid !== killed.pid);
    await here.apply(budget(ns, 'second', '5.00'));
    await condition(() => read.budget(ns, 'second'), 'Ready', 'True Ready', 40_000);
    const after = await read.budget(ns);
    expect(transitions(after)).toEqual(transitions(before));
    expect(await read.key(ns)).toBe(key);
    operators.push(await here.startOperator('operator-3'));
  });

  test('a leader that stops gives the lead away at once', async () => {
    const ns = await tenant();
    const stopped = leader();
    await stopped.stop();
    operators = operators.filter(({ pid }) => pid !== stopped.pid);
    const lease = ['lease', 'tollgate-operator', '-n', NAMESPACE];
    expect(await here.kubectl('get', ...lease, '-o', 'jsonpath={.spec.holderIdentity}')).not.toContain(stopped.name);
    await here.apply(budget(ns, 'daily', '7.00'));
    const { status } = await condition(() => read.budget(ns), 'Ready', 'True Ready');
    expect(status?.limitUsd).toBe('7.00');
    expect(readFileSync(stopped.logFile, 'utf8')).not.toContain('"level":50');
  });

  test('the ledger is out of reach: the condition says so, and the last figures stay', async () => {
    const ns = await tenant();
    await call(ns, '2', '1.75');
    await until(async () => (await read.budget(ns)).status?.spentUsd === '1.75');
    await here.stopRedis();
    const { status } = await condition(() => read.budget(ns), 'Exhausted', 'Unknown LedgerUnreachable');
    expect(status).toMatchObject({ spentUsd: '1.75', limitUsd: '25.00' });
    await here.apply(budget(ns, 'daily', '4.00'));
    await condition(() => read.budget(ns), 'Programmed', 'False Pending');
    // Who never found it takes nobody's place, and who knew it keeps its own.
    const late = await here.launchOperator('late');
    const readiness = ({ port }: Operator) => fetch(`http://127.0.0.1:${port}/readyz`).then((answer) => answer.text());
    await until(async () => (await readiness(late)).startsWith('the ledger has not answered yet'));
    expect(await Promise.all(operators.map(readiness))).toEqual(operators.map(() => 'ok'));
    await here.restartRedis();
    await until(async () => (await readiness(late)) === 'ok');
    await late.stop();
    const back = await condition(() => read.budget(ns), 'Exhausted', 'False WithinLimit');
    expect(back.status).toMatchObject({ spentUsd: '1.75' });
    const { status: programmed } = await condition(() => read.budget(ns), 'Programmed', 'True Programmed');
    expect(programmed).toMatchObject({ limitUsd: '4.00' });
  });

  test('the ledger comes back empty: it is rebuilt, and nothing is admitted before', async () => {
    const ns = await tenant();
    await until(() => call(ns, '2', '1.75'));
    await until(async () => (await read.budget(ns)).status?.spentUsd === '1.75');
    const { epoch } = await read.shards.shared();
    const watching = watchLow(ns, 1.75);
    await here.restartRedis('with loss');
    expect(await call(ns, '23.5', '0.1').catch(() => false)).toBe(false);
    await until(() => call(ns, '0.1', '0.1'), 60_000);
    const back = await until(async () => {
      const found = await read.budget(ns);
      return found.status?.spentUsd === '1.85' && found;
    });
    expect(conditionOf(back, 'Exhausted')).toBe('False WithinLimit');
    expect(await watching.stop()).toEqual([]);
    expect((await read.shards.shared()).epoch).toBe(epoch);
    await read.event(NAMESPACE, 'LedgerRecovering');
    await read.event(NAMESPACE, 'LedgerRebuilt');
    const ref = `${ns}/checkout`;
    const { version } = (await read.shards.policy(ref)).workspaces.get(ref)!;
    expect((await gateway.ledger.operator.fences()).get(ref)).toBe(version);
  });

  test('an installation that is made anew, over an empty ledger, finds in the log what was spent', async () => {
    const ns = await tenant();
    await until(() => call(ns, '2', '1.75'));
    await until(async () => (await read.budget(ns)).status?.spentUsd === '1.75');
    const { epoch } = await read.shards.shared();
    await here.stopRedis();
    await here.kubectl('patch', ...MEMORY, '--type=merge', '-p', '{"data":null}');
    await here.restartRedis('with loss');
    await until(async () => ![null, epoch].includes((await read.shards.shared()).epoch));
    expect(await call(ns, '23.5', '0.1').catch(() => false)).toBe(false);
    await until(() => call(ns, '0.1', '0.1'), 60_000);
    await until(async () => (await read.budget(ns)).status?.spentUsd === '1.85');
  });

  test('the leader dies in the middle of a rebuild: the next one ends it', async () => {
    operators.push(await here.startOperator('operator-4'));
    const ns = await tenant();
    await call(ns, '2', '1.25');
    await until(async () => (await read.budget(ns)).status?.spentUsd === '1.25');
    await here.restartRedis('with loss');
    await until(async () => (await gateway.ledger.operator.state()).recovering?.deep);
    const killed = leader();
    await killed.kill();
    operators = operators.filter(({ pid }) => pid !== killed.pid);
    expect((await gateway.ledger.operator.state()).recovering?.deep).toBeTruthy();
    await condition(() => read.budget(ns), 'Exhausted', 'False WithinLimit', 60_000);
    await until(() => call(ns, '0.1', '0.1'), 60_000);
    await until(async () => (await read.budget(ns)).status?.spentUsd === '1.35');
  }, 120_000);

  test('the ledger is another installation’s: nothing is admitted until a person confirms it', async () => {
    const ns = await tenant();
    await call(ns, '2', '1.75');
    await until(async () => (await read.budget(ns)).status?.spentUsd === '1.75');
    const { epoch } = await read.shards.shared();
    await here.swapRedis();
    const lost = await condition(() => read.budget(ns), 'Exhausted', 'Unknown LedgerUnreachable');
    expect(lost.status).toMatchObject({ spentUsd: '1.75' });
    expect(lost.status?.conditions?.find(({ type }) => type === 'Exhausted')?.message).toContain('confirm-ledger');
    await read.event(NAMESPACE, 'LedgerLost');
    await until(async () => (await read.shards.shared()).epoch === null);
    expect(await call(ns, '0.1', '0.1')).toBe(false);

    await annotate('tollgate.dev/confirm-ledger=alice');
    const renewed = await until(async () => (await read.shards.shared()).epoch ?? undefined);
    expect(renewed).not.toBe(epoch);
    await condition(() => read.budget(ns), 'Exhausted', 'False WithinLimit');
    await until(() => call(ns, '0.1', '0.1'), 60_000);
    const ref = `${ns}/checkout`;
    const { version } = (await read.shards.policy(ref)).workspaces.get(ref)!;
    await until(async () => (await gateway.ledger.operator.fences()).get(ref) === version);
    expect(await annotations()).not.toContain('confirm-ledger');
  });

  test('a person’s word that the ledger goes on as it is ends a recovery, and is not kept for the next one', async () => {
    await annotate('tollgate.dev/confirm-ledger=early');
    await until(async () => !(await annotations()).includes('confirm-ledger'));
    const ns = await tenant();
    await call(ns, '2', '1.75');
    await here.restartRedis('with loss');
    await until(async () => (await gateway.ledger.operator.state()).recovering?.deep);
    await annotate('tollgate.dev/confirm-ledger=alice');
    await read.event(NAMESPACE, 'LedgerConfirmed');
    await until(() => call(ns, '0.1', '0.1'), 60_000);
    await until(async () => !(await annotations()).includes('confirm-ledger'));
    expect((await gateway.ledger.operator.state()).recovering).toBeNull();
  });

  test('presumed money is booked or given back as a person says', async () => {
    const ns = await tenant();
    const calls = [await presume(ns), await presume(ns), await presume(ns)];
    await until(async () => (await read.budget(ns)).status?.presumedUsd === '0.90');
    await annotate(`tollgate.dev/resolve-presumed=release ${calls[0]}`);
    await until(async () => (await read.budget(ns)).status?.presumedUsd === '0.60');
    expect((await read.budget(ns)).status).toMatchObject({ spentUsd: '0.30', reservedUsd: '0.60' });
    await annotate('tollgate.dev/resolve-presumed=keep');
    await read.event(NAMESPACE, 'PresumedNotResolved');
    await until(async () => !(await annotations()).includes('resolve-presumed'));
    await annotate('tollgate.dev/resolve-presumed=book');
    await until(async () => (await read.budget(ns)).status?.spentUsd === '0.90');
    expect((await read.budget(ns)).status).toMatchObject({ presumedUsd: '0.00', reservedUsd: '0.00' });
    await read.event(NAMESPACE, 'PresumedResolved');
    expect(await annotations()).not.toContain('resolve-presumed');
  });

  test('no credential is in a log', async () => {
    const ns = await tenant();
    const key = await read.key(ns);
    const { password } = here.redis();
    for (const { logFile } of operators) {
      const log = readFileSync(logFile, 'utf8');
      for (const secret of [key, password, 'sk-ant-x', 'sk-tollgate-']) expect(log).not.toContain(secret);
    }
  });
});

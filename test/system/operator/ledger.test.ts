import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ClaudeBudget } from '../../../crds/types.gen.ts';
import { scrape } from '../../../hack/run/scrape.ts';
import { deepEqual } from '../../../policy/core/deep-equal.ts';
import { parseUsd } from '../../../policy/core/money.ts';
import { budget, condition, conditionOf, Reader } from '../../support/resources.ts';
import { until } from '../../support/until.ts';
import { Calls, watchLow } from './calls.ts';
import { install, type Installation, NAMESPACE, type Operator, SimulatedGateway } from './harness.ts';

let here: Installation;
let read: Reader;
let gateway: SimulatedGateway;
let operators: Operator[];
let calls: Calls;

beforeAll(async () => {
  here = await install({ settings: 'pricing: [{ namespaces: ["team-*"], multiplier: "0.85" }]\n' });
  read = new Reader(here);
  operators = [await here.startOperator('operator-1'), await here.startOperator('operator-2')];
  gateway = new SimulatedGateway(here.redis().url, 'gateway-1', read.shards);
  gateway.start();
  calls = new Calls(here, read, gateway);
});

afterAll(async () => {
  await gateway?.stop();
  await here?.stop();
});

const CHECKPOINT = ['configmap', 'tollgate-ledger', '-n', NAMESPACE];
const LEASE = ['lease', 'tollgate-operator', '-n', NAMESPACE];

async function annotate(annotation: string): Promise<void> {
  await here.kubectl('annotate', '--overwrite', ...CHECKPOINT, annotation);
}

function annotations(): Promise<string> {
  return here.kubectl('get', ...CHECKPOINT, '-o', 'jsonpath={.metadata.annotations}');
}

const shipped = JSON.parse(readFileSync('policy/prices/prices.json', 'utf8')) as Record<string, unknown>;

/** Applies an administrator's own price book. */
function ownPrices(book: unknown): Promise<string> {
  const metadata = { name: 'tollgate-prices', namespace: NAMESPACE };
  const data = { 'prices.json': JSON.stringify(book) };
  return here.apply(JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data }));
}

/** The time of each condition's last transition. */
function transitions({ status }: ClaudeBudget): unknown {
  return status?.conditions?.map(({ type, status, lastTransitionTime }) => [type, status, lastTransitionTime]);
}

/** The operator that holds the lease; after an outage of the API server that may be another one than before. */
function leader(): Promise<Operator> {
  return until(async () => {
    const holder = await here.kubectl('get', ...LEASE, '-o', 'jsonpath={.spec.holderIdentity}');
    return operators.find(({ name }) => holder.startsWith(name));
  });
}

/** How many statuses the leader writes in this time. */
async function statusWrites(ms: number): Promise<number> {
  const written = async () => {
    const text = await scrape(`http://127.0.0.1:${(await leader()).port}`);
    const counts = [...text.matchAll(/^tollgate_status_writes_total\{[^}]*\} (\d+)/gm)].map((match) =>
      Number(match[1]),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  };
  const before = await written();
  await sleep(ms);
  return (await written()) - before;
}

describe('figures of the ledger', () => {
  test('are in the status, exact to the nano-dollar', async () => {
    const ns = await calls.tenant();
    expect(await calls.call(ns, '0.5', '0.123456789')).toBe(true);
    expect(await calls.call(ns, '0.75', null)).toBe(true);
    for (let i = 0; i < 20; i += 1) await calls.call(ns, '0.02', '0.01');
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
    const scraped = await scrape(`http://127.0.0.1:${(await leader()).port}`);
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

  test('an exhausted budget has the condition and an Event, and recovers when the limit is raised', async () => {
    const ns = await calls.tenant('1.00');
    expect(await calls.call(ns, '1', '0.999')).toBe(true);
    expect(await calls.call(ns, '0.01', '0.01')).toBe(false);
    const spent = await condition(() => read.budget(ns), 'Exhausted', 'True Spent');
    expect(spent.status).toMatchObject({ state: 'Spent', refused: 1 });
    expect(conditionOf(spent, 'Ready')).toBe('True Ready');
    await read.event(ns, 'BudgetExhausted');
    await here.apply(budget(ns, 'daily', '2.00'));
    const raised = await condition(() => read.budget(ns), 'Exhausted', 'False WithinLimit');
    expect(raised.status).toMatchObject({ spentUsd: '0.999000', limitUsd: '2.00' });
    await read.event(ns, 'BudgetRecovered');
  });

  test('a status that somebody edits is repaired within seconds, and no other is written for it', async () => {
    const ns = await calls.tenant('1.00');
    expect(await calls.call(ns, '1', '1')).toBe(true);
    expect(await calls.call(ns, '0.01', '0.01')).toBe(false);
    const { status } = await condition(() => read.budget(ns), 'Exhausted', 'True Spent');
    await until(async () => (await statusWrites(2_500)) === 0, 30_000);
    const conditions = status!.conditions!.map((one) => ({ ...one, status: 'False', reason: 'Forged' }));
    const extra = { ...conditions[0], type: 'Forged' };
    const forged = {
      conditions: [...conditions, extra],
      state: 'OK',
      spentUsd: '99999999999999999999',
      remainingUsd: '1.00',
      requests: 2 ** 62,
      top: [{ values: ['acme'], spentUsd: '0.50' }],
    };
    const patch = ['--subresource=status', '--type=merge', '-p', JSON.stringify({ status: forged })];
    await here.kubectl('patch', 'claudebudget', 'daily', '-n', ns, ...patch);
    expect((await read.budget(ns)).status).toMatchObject({ state: 'OK' });
    await until(async () => deepEqual((await read.budget(ns)).status, status), 10_000);
    expect(await statusWrites(2_500)).toBe(0);
  });

  test('a budget that is deleted and created again keeps its spend', async () => {
    const ns = await calls.tenant();
    await calls.call(ns, '2', '1.25');
    await until(async () => (await read.budget(ns)).status?.spentUsd === '1.25');
    await here.kubectl('delete', 'claudebudget', 'daily', '-n', ns);
    await here.apply(budget(ns, 'daily', '3.00'));
    const made = await condition(() => read.budget(ns), 'Ready', 'True Ready');
    expect(made.status).toMatchObject({ spentUsd: '1.25', limitUsd: '3.00' });
  });

  test('the administrator’s prices replace the shipped ones, with the multipliers of the settings; invalid ones are reported and not used', async () => {
    const ns = await calls.tenant();
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

describe('after a failure', () => {
  test('of the API server, the operator catches up with what changed meanwhile', async () => {
    const ns = await calls.tenant();
    await here.restartServer(3_000);
    await calls.call(ns, '2', '1.5');
    await until(async () => (await read.budget(ns)).status?.spentUsd === '1.50', 30_000);
    await here.apply(budget(ns, 'daily', '5.00'));
    const { status } = await condition(() => read.budget(ns), 'Programmed', 'True Programmed', 30_000);
    expect(status?.limitUsd).toBe('5.00');
  });

  test('a new leader reports a price book that was invalid before', async () => {
    await ownPrices({ ...shipped, models: [{}] });
    await read.event(NAMESPACE, 'PricesRejected');
    await here.kubectl('delete', 'events', '--all', '-n', NAMESPACE);
    const stopped = await leader();
    await stopped.stop();
    operators = operators.filter(({ pid }) => pid !== stopped.pid);
    await read.event(NAMESPACE, 'PricesRejected');
    expect(readFileSync((await leader()).logFile, 'utf8')).toContain('"reason":"PricesRejected"');
    await here.kubectl('delete', 'configmap', 'tollgate-prices', '-n', NAMESPACE);
    operators.push(await here.startOperator('operator-0'));
  });

  test('of the leader, another one takes over and no condition changes', async () => {
    const ns = await calls.tenant();
    const before = await read.budget(ns);
    const key = await read.key(ns);
    const killed = await leader();
    await killed.kill();
    operators = operators.filter(({ pid }) => pid !== killed.pid);
    await here.apply(budget(ns, 'second', '5.00'));
    await condition(() => read.budget(ns, 'second'), 'Ready', 'True Ready', 40_000);
    const after = await read.budget(ns);
    expect(transitions(after)).toEqual(transitions(before));
    expect(await read.key(ns)).toBe(key);
    operators.push(await here.startOperator('operator-3'));
  });

  test('a leader that stops gives up its lease at once', async () => {
    const ns = await calls.tenant();
    const stopped = await leader();
    await stopped.stop();
    operators = operators.filter(({ pid }) => pid !== stopped.pid);
    expect(await here.kubectl('get', ...LEASE, '-o', 'jsonpath={.spec.holderIdentity}')).not.toContain(stopped.name);
    await here.apply(budget(ns, 'daily', '7.00'));
    const { status } = await condition(() => read.budget(ns), 'Ready', 'True Ready');
    expect(status?.limitUsd).toBe('7.00');
    expect(readFileSync(stopped.logFile, 'utf8')).not.toContain('"level":50');
  });

  test('of Redis, the condition reports it and the last figures stay', async () => {
    const ns = await calls.tenant();
    await calls.call(ns, '2', '1.75');
    await until(async () => (await read.budget(ns)).status?.spentUsd === '1.75');
    await here.stopRedis();
    const { status } = await condition(() => read.budget(ns), 'Exhausted', 'Unknown LedgerUnreachable');
    expect(status).toMatchObject({ spentUsd: '1.75', limitUsd: '25.00' });
    await here.apply(budget(ns, 'daily', '4.00'));
    await condition(() => read.budget(ns), 'Programmed', 'False Pending');
    // An operator that never reached Redis is not ready; one that did stays ready.
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

  test('that empties Redis, the ledger is rebuilt before a call is admitted', async () => {
    const ns = await calls.tenant();
    await until(() => calls.call(ns, '2', '1.75'));
    await until(async () => (await read.budget(ns)).status?.spentUsd === '1.75');
    const { epoch } = await read.shards.shared();
    const watching = watchLow(read, ns, 1.75);
    await here.restartRedis('with loss');
    expect(await calls.call(ns, '23.5', '0.1').catch(() => false)).toBe(false);
    await until(() => calls.call(ns, '0.1', '0.1'), 60_000);
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

  test('a new installation over an empty ledger takes the spend from the usage log', async () => {
    const ns = await calls.tenant();
    await until(() => calls.call(ns, '2', '1.75'));
    await until(async () => (await read.budget(ns)).status?.spentUsd === '1.75');
    const { epoch } = await read.shards.shared();
    await here.stopRedis();
    await here.kubectl('patch', ...CHECKPOINT, '--type=merge', '-p', '{"data":null}');
    await here.restartRedis('with loss');
    await until(async () => ![null, epoch].includes((await read.shards.shared()).epoch));
    expect(await calls.call(ns, '23.5', '0.1').catch(() => false)).toBe(false);
    await until(() => calls.call(ns, '0.1', '0.1'), 60_000);
    await until(async () => (await read.budget(ns)).status?.spentUsd === '1.85');
  });

  test('of the leader during a rebuild, the next leader completes it', async () => {
    operators.push(await here.startOperator('operator-4'));
    const ns = await calls.tenant();
    await calls.call(ns, '2', '1.25');
    await until(async () => (await read.budget(ns)).status?.spentUsd === '1.25');
    const killed = await leader();
    await here.restartRedis('with loss');
    await until(async () => (await gateway.ledger.operator.state()).recovering?.deep);
    await killed.kill();
    operators = operators.filter(({ pid }) => pid !== killed.pid);
    expect((await gateway.ledger.operator.state()).recovering?.deep).toBeTruthy();
    await condition(() => read.budget(ns), 'Exhausted', 'False WithinLimit', 60_000);
    await until(() => calls.call(ns, '0.1', '0.1'), 60_000);
    await until(async () => (await read.budget(ns)).status?.spentUsd === '1.35');
  });

  test('that brings another installation’s ledger, nothing is admitted until a person confirms it', async () => {
    const ns = await calls.tenant();
    await calls.call(ns, '2', '1.75');
    await until(async () => (await read.budget(ns)).status?.spentUsd === '1.75');
    const { epoch } = await read.shards.shared();
    await here.swapRedis();
    const lost = await condition(() => read.budget(ns), 'Exhausted', 'Unknown LedgerUnreachable');
    expect(lost.status).toMatchObject({ spentUsd: '1.75' });
    expect(lost.status?.conditions?.find(({ type }) => type === 'Exhausted')?.message).toContain('confirm-ledger');
    await read.event(NAMESPACE, 'LedgerLost');
    await until(async () => (await read.shards.shared()).epoch === null);
    expect(await calls.call(ns, '0.1', '0.1')).toBe(false);

    await annotate('tollgate.dev/confirm-ledger=alice');
    const renewed = await until(async () => (await read.shards.shared()).epoch ?? undefined);
    expect(renewed).not.toBe(epoch);
    await condition(() => read.budget(ns), 'Exhausted', 'False WithinLimit');
    await until(() => calls.call(ns, '0.1', '0.1'), 60_000);
    const ref = `${ns}/checkout`;
    const { version } = (await read.shards.policy(ref)).workspaces.get(ref)!;
    await until(async () => (await gateway.ledger.operator.fences()).get(ref) === version);
    expect(await annotations()).not.toContain('confirm-ledger');
  });

  test('confirm-ledger ends a recovery, and does not apply to the next one', async () => {
    await annotate('tollgate.dev/confirm-ledger=early');
    await until(async () => !(await annotations()).includes('confirm-ledger'));
    const ns = await calls.tenant();
    await calls.call(ns, '2', '1.75');
    await here.restartRedis('with loss');
    await until(async () => (await gateway.ledger.operator.state()).recovering?.deep);
    await annotate('tollgate.dev/confirm-ledger=alice');
    await read.event(NAMESPACE, 'LedgerConfirmed');
    await until(() => calls.call(ns, '0.1', '0.1'), 60_000);
    await until(async () => !(await annotations()).includes('confirm-ledger'));
    expect((await gateway.ledger.operator.state()).recovering).toBeNull();
  });

  test('resolve-presumed books or releases presumed money', async () => {
    const ns = await calls.tenant();
    const presumed = [await calls.presume(ns), await calls.presume(ns), await calls.presume(ns)];
    await until(async () => (await read.budget(ns)).status?.presumedUsd === '0.90');
    await annotate(`tollgate.dev/resolve-presumed=release ${presumed[0]}`);
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

  test('that empties Redis, what a person has corrected stays corrected', async () => {
    const ns = await calls.tenant();
    const id = await until(async () => (await calls.make(ns, '2', '1.75')) ?? false, 60_000);
    await annotate(`tollgate.dev/correct=${id} 0.50 priced twice`);
    const corrected = { spentUsd: '0.50', correctedUsd: '1.25' };
    const isCorrected = async () => {
      const { status } = await read.budget(ns);
      return status?.spentUsd === corrected.spentUsd && status.correctedUsd === corrected.correctedUsd;
    };
    await until(isCorrected);
    await read.event(NAMESPACE, 'CallsCorrected');
    expect(await annotations()).not.toContain('tollgate.dev/correct');
    await here.restartRedis('with loss');
    await until(() => calls.call(ns, '0.1', '0.1').catch(() => false), 60_000);
    await until(async () => (await read.budget(ns)).status?.spentUsd === '0.60');
    expect((await read.budget(ns)).status).toMatchObject({ correctedUsd: '1.25', requests: 2 });

    await annotate('tollgate.dev/correct=nobody 0.50 mistaken');
    await read.event(NAMESPACE, 'CallsNotCorrected');
    await until(async () => !(await annotations()).includes('tollgate.dev/correct'));
  });

  test('no log contains a credential', async () => {
    const ns = await calls.tenant();
    const key = await read.key(ns);
    const { password } = here.redis();
    for (const { logFile } of operators) {
      const log = readFileSync(logFile, 'utf8');
      for (const secret of [key, password, 'sk-ant-x', 'sk-tollgate-']) expect(log).not.toContain(secret);
    }
  });
});

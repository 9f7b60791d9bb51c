import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Reservation } from '../../../ledger/reservation.ts';
import { budgetPeriodAt } from '../../../policy/core/budget-period.ts';
import { boundOf, type Check } from '../../../policy/core/counter-check.ts';
import { parseUsd, nano } from '../../../policy/core/money.ts';
import type { CallRecord } from '../../../policy/core/usage-record.ts';
import { encodeBatchMeta } from '../../../policy/cost/batch-meta.ts';
import { budget, condition, type Reader, workspace } from '../../support/resources.ts';
import type { Installation, SimulatedGateway } from './harness.ts';

/** Calls as a gateway makes them in the ledger. Amounts in USD. */
export class Calls {
  readonly #here: Installation;
  readonly #read: Reader;
  readonly #gateway: SimulatedGateway;

  constructor(here: Installation, read: Reader, gateway: SimulatedGateway) {
    this.#here = here;
    this.#read = read;
    this.#gateway = gateway;
  }

  /** Makes a namespace with a workspace and a budget in force, and returns its name. */
  async tenant(usd = '25.00'): Promise<string> {
    const ns = await this.#here.tenant();
    const keys = '  keys: [{ name: api, secretName: checkout-claude }]';
    await this.#here.apply(workspace(ns, 'checkout', keys) + budget(ns, 'daily', usd));
    await condition(() => this.#read.budget(ns), 'Ready', 'True Ready');
    return ns;
  }

  /**
   * Reserves `worst` and settles at `cost`, with `more` in its usage record; null leaves the call in flight. Returns its id,
   * null where it was refused.
   */
  async make(ns: string, worst: string, cost: string | null, more: Partial<CallRecord> = {}): Promise<string | null> {
    const { ledger } = this.#gateway;
    const id = randomUUID();
    const { kind } = await ledger.gateway.reserve(await this.#reservation(ns, id, worst));
    if (kind !== 'admitted') return null;
    if (cost === null) return id;
    const costNano = parseUsd(cost);
    const record = { ...more, id, cost_nano: `${costNano}` };
    await ledger.gateway.settle({ id, costNano, presumedNano: nano(0n), record });
    return id;
  }

  /** As `make`. Returns false where it was refused. */
  async call(ns: string, worst: string, cost: string | null): Promise<boolean> {
    return (await this.make(ns, worst, cost)) !== null;
  }

  /** Reserves `worst` for a Message Batch that the upstream at `baseURL` has. */
  async openBatch(ns: string, worst: string, batch: string, baseURL: string): Promise<void> {
    const id = await this.make(ns, worst, null);
    if (id === null) throw new Error('the batch was not admitted');
    const meta = encodeBatchMeta({
      baseURL,
      worstNano: parseUsd(worst),
      highestNano: parseUsd(worst),
      model: null,
      asked: [],
      at: Date.now(),
      record: { id } as CallRecord,
    });
    const owner = { workspace: `${ns}/checkout`, workspaceUid: '', namespaceUid: '' } as const;
    await this.#gateway.ledger.gateway.openBatch({ ...owner, id, batch, meta });
  }

  /** Makes a call that cost 0.10, with another 0.30 presumed. Returns its id. */
  async presume(ns: string): Promise<string> {
    const { ledger } = this.#gateway;
    const id = randomUUID();
    const { kind } = await ledger.gateway.reserve(await this.#reservation(ns, id, '0.40'));
    if (kind !== 'admitted') throw new Error(`the call was not admitted: ${kind}`);
    await ledger.gateway.settle({ id, costNano: parseUsd('0.10'), presumedNano: parseUsd('0.30'), record: { id } });
    return id;
  }

  async #reservation(ns: string, id: string, worst: string): Promise<Reservation> {
    const ref = `${ns}/checkout`;
    const { version, budgets } = (await this.#read.shards.policy(ref)).workspaces.get(ref)!;
    const { now } = await this.#gateway.ledger.operator.state();
    const daily = budgets[0]!;
    const { counter, start, end, from, until } = budgetPeriodAt(daily, now);
    const worstNano = parseUsd(worst);
    const check: Check = {
      budget: `${ns}/daily`,
      counter,
      value: null,
      start,
      end,
      mode: 'Enforce',
      bound: boundOf(daily, daily.limitNano, worstNano),
      total: null,
    };
    return { id, workspace: ref, version, worstNano, gapNano: nano(0n), from, until, checks: [check] };
  }
}

/** Polls a status and collects each `spentUsd` below `usd` that it shows, until `stop`. */
export function watchLow(read: Reader, ns: string, usd: number) {
  const low: string[] = [];
  const stopped = new AbortController();
  const watching = (async () => {
    while (!stopped.signal.aborted) {
      const { status } = await read.budget(ns);
      if (Number(status?.spentUsd) < usd) low.push(status?.spentUsd ?? '');
      await sleep(50);
    }
  })();
  return {
    stop: () => {
      stopped.abort();
      return watching.then(() => low);
    },
  };
}

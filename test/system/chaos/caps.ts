import { budget, type Installation, spanning } from '../../../bench/installation.ts';
import type { SeededRandom } from '../../../bench/seeded-random.ts';
import { formatUsd, parseUsd, nano } from '../../../policy/core/money.ts';
import type { RunLog } from './run-log.ts';

/** The namespace of the workspace that all calls go to. */
export const NAMESPACE = 'chaos';
/** The calls of the budget `feature`. */
export const FEATURE = 'search';

export type BudgetName = 'workspace' | 'feature' | 'customers' | 'spanning';
export const BUDGETS: readonly BudgetName[] = ['workspace', 'feature', 'customers', 'spanning'];

/** The cap of a budget from an instant on. Nano-dollars; `customers` has one for each value and one for all together. */
interface Raise {
  /** When its kubectl apply began: no call was admitted under it before. Milliseconds since the epoch. */
  readonly at: number;
  readonly limit: bigint;
  readonly total: bigint;
}

/** The first cap of each: enough for 500 concurrent streams and little more. */
const FIRST: Readonly<Record<BudgetName, Omit<Raise, 'at'>>> = {
  workspace: { limit: parseUsd('3.20'), total: 0n },
  feature: { limit: parseUsd('1.65'), total: 0n },
  customers: { limit: parseUsd('0.52'), total: parseUsd('3.30') },
  spanning: { limit: parseUsd('3.40'), total: 0n },
};

/** How long a budget refuses before it is raised, so that the other budgets reach their limits too. */
const REFUSING_MS = 1_500;

/** The caps of the four budgets. They only rise, so a call that was below its cap when it was admitted stays below it. */
export class Caps {
  readonly #installation: Installation;
  readonly #random: SeededRandom;
  readonly #runLog: RunLog;
  readonly #raises = new Map<BudgetName, Raise[]>();
  readonly #refusingSince = new Map<BudgetName, number>();
  readonly #refused = new Map<BudgetName, number>();

  #isFrozen = false;

  constructor(installation: Installation, random: SeededRandom, runLog: RunLog) {
    this.#installation = installation;
    this.#random = random;
    this.#runLog = runLog;
    for (const name of BUDGETS) this.#raises.set(name, [{ at: Date.now(), ...FIRST[name] }]);
  }

  /** The YAML of all budgets with their first caps. */
  yaml(): string {
    return BUDGETS.map((name) => yamlOf(name, this.#last(name))).join('');
  }

  /** The highest cap under which a call that was charged at that instant can have been admitted. With `value`: each value's cap. */
  at(name: BudgetName, instant: number, part: 'pool' | 'value' = 'pool'): bigint {
    const raise = this.#raises.get(name)?.findLast(({ at }) => at <= instant) ?? this.#last(name);
    return name === 'customers' && part === 'pool' ? raise.total : raise.limit;
  }

  /** Counts a refusal by a budget, `namespace/name`. */
  refused(budgetRef: string): void {
    const name = BUDGETS.find((one) => budgetRef.endsWith(`/${one}`));
    if (name === undefined) throw new Error(`refused by ${budgetRef}, which is not one of this run's budgets`);
    this.#refused.set(name, (this.#refused.get(name) ?? 0) + 1);
    if (!this.#refusingSince.has(name)) this.#refusingSince.set(name, Date.now());
  }

  refusals(name: BudgetName): number {
    return this.#refused.get(name) ?? 0;
  }

  raises(name: BudgetName): number {
    return (this.#raises.get(name)?.length ?? 1) - 1;
  }

  /** Ends the raising of caps. */
  freeze(): void {
    this.#isFrozen = true;
  }

  /** Raises the budget that has been refusing for longest, if one has for long enough. */
  async raise(): Promise<void> {
    const due = [...this.#refusingSince].find(([, since]) => Date.now() - since > REFUSING_MS);
    if (due === undefined || this.#isFrozen) return;
    const [name] = due;
    const before = this.#last(name);
    const by = (part: bigint): bigint => (part * BigInt(15 + this.#random.below(25))) / 100n;
    const first = FIRST[name];
    const after = { limit: before.limit + by(first.limit), total: before.total + by(first.total), at: Date.now() };
    this.#raises.get(name)?.push(after);
    await this.#installation.apply(yamlOf(name, after));
    this.#refusingSince.delete(name);
    const total = name === 'customers' ? `, all together $${formatUsd(nano(after.total))}` : '';
    this.#runLog.write(`${name} raised to $${formatUsd(nano(after.limit))}${total}`);
  }

  #last(name: BudgetName): Raise {
    const last = this.#raises.get(name)?.at(-1);
    if (last === undefined) throw new Error(`no cap of ${name}`);
    return last;
  }
}

/** The spanning budget is raised by a grant, the others by an edit of their limit. */
function yamlOf(name: BudgetName, { limit, total }: Omit<Raise, 'at'>): string {
  const usd = formatUsd(nano(limit));
  if (name === 'spanning') {
    const first = FIRST.spanning.limit;
    const grant = `{ usd: '${formatUsd(nano(limit - first))}', untilTime: '2099-01-01T00:00:00Z', reason: more }`;
    return spanning(
      NAMESPACE,
      name,
      `limit: { usd: '${formatUsd(nano(first))}' }\n  grants: [${limit > first ? grant : ''}]`,
    );
  }
  const spec = {
    workspace: `limit: { usd: '${usd}' }`,
    feature: `scope: { features: [${FEATURE}] }, limit: { usd: '${usd}' }`,
    customers: `per: [customer], limit: { usd: '${usd}', totalUsd: '${formatUsd(nano(total))}' }`,
  };
  return budget(NAMESPACE, name, spec[name]);
}

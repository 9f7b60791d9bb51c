import { formatUsd, nano as toNano } from '../../../policy/core/money.ts';
import type { Bill } from '../../fakes/upstream/books.ts';
import { BUDGETS, type BudgetName, type Caps, FEATURE } from './caps.ts';
import type { Asked } from './traffic.ts';

/** A counter that a call is charged to: a budget's, or one customer's of `customers`. */
interface Account {
  readonly name: BudgetName;
  readonly part: 'pool' | 'value';
  readonly key: string;
}

/** The accounts of a call. */
function accountsOf({ feature, customer }: Asked): Account[] {
  const pools = BUDGETS.filter((name) => name !== 'feature' || feature === FEATURE);
  return [
    ...pools.map((name) => ({ name, part: 'pool' as const, key: name })),
    { name: 'customers', part: 'value', key: customerAccount(customer) },
  ];
}

/** The account of one customer. */
export function customerAccount(customer: string): string {
  return `customers/${customer}`;
}

/** The account of one of the ledger's counters, such as `chaos/customers/Year/UTC/0#["acme"]`. */
export function accountOf(counter: string): string {
  const [pool = '', value] = counter.split('#');
  const name = pool.split('/')[1] ?? '';
  return value === undefined ? name : customerAccount((JSON.parse(value) as string[]).join('/'));
}

/** Whether a call is charged to the account. */
export function concerns(key: string, asked: Asked): boolean {
  return accountsOf(asked).some((account) => account.key === key);
}

/** Reads the upstream's bills one by one, and compares the sums with the caps at each. */
export class Audit {
  /** What each call was charged, by its mark. Nano-dollars. */
  readonly bills = new Map<string, bigint>();
  /** How often each call was charged. */
  readonly charges = new Map<string, number>();
  /** What each account was charged. Nano-dollars. */
  readonly sums = new Map<string, bigint>();
  /** The violations that were found, in sentences. */
  readonly faults: string[] = [];
  /** How far below its cap each account was when it was closest to it. Nano-dollars. */
  readonly closest = new Map<string, bigint>();
  readonly #upstream: string;
  readonly #calls: ReadonlyMap<string, Asked>;
  readonly #caps: Caps;
  #read = 0;

  constructor(upstream: string, calls: ReadonlyMap<string, Asked>, caps: Caps) {
    this.#upstream = upstream;
    this.#calls = calls;
    this.#caps = caps;
  }

  /** Reads the bills that are new since the last time. */
  async readOn(): Promise<void> {
    for (;;) {
      const response = await fetch(`${this.#upstream}/bills?after=${this.#read}`);
      const bills = (await response.json()) as Bill[];
      for (const bill of bills) this.#take(bill);
      if (bills.length === 0) return;
    }
  }

  #take({ number, at, mark, nanoUsd }: Bill): void {
    if (number !== this.#read + 1) throw new Error(`the stand-in has forgotten bill ${this.#read + 1}`);
    this.#read = number;
    const asked = this.#calls.get(mark);
    if (asked === undefined) throw new Error(`bill ${number} is of no call of ours: ${mark}`);
    this.charges.set(mark, (this.charges.get(mark) ?? 0) + 1);
    this.bills.set(mark, (this.bills.get(mark) ?? 0n) + BigInt(nanoUsd));
    for (const account of accountsOf(asked)) this.#charge(account, BigInt(nanoUsd), at);
  }

  #charge({ name, part, key }: Account, nano: bigint, at: number): void {
    const sum = (this.sums.get(key) ?? 0n) + nano;
    this.sums.set(key, sum);
    const left = this.#caps.at(name, at, part) - sum;
    const closest = this.closest.get(key);
    if (closest === undefined || left < closest) this.closest.set(key, left);
    if (left < 0n)
      this.faults.push(`${key} is $${formatUsd(toNano(-left))} over its cap at ${new Date(at).toISOString()}`);
  }
}

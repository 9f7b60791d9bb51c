import { type Usage, charge } from './prices.ts';

/** What one API key, or all of them, did. Money as decimal strings. */
export interface Account {
  /** Requests to /v1/messages that arrived, whatever became of them. */
  requests: number;
  /** Those that were billed, aborted ones included. */
  calls: number;
  /** Those that broke off before the whole answer was written. */
  aborted: number;
  inputTokens: number;
  cacheWriteTokens: number;
  cacheReadTokens: number;
  outputTokens: number;
  nanoUsd: string;
  usd: string;
}

/** The books as `GET /books` gives them. */
export interface Statement {
  total: Account;
  /** By API key: never give the stand-in a real one. */
  keys: Record<string, Account>;
  /** Requests to /v1/messages that are being answered. */
  open: number;
}

/** What one marked call was charged. */
export interface Bill {
  /** Counts from 1, without a gap. */
  number: number;
  /** Milliseconds since the epoch. */
  at: number;
  mark: string;
  requestId: string;
  apiKey: string;
  model: string;
  nanoUsd: string;
}

/** How many bills are kept, and how many are given out at once. */
const BILLS = 100_000;
const PAGE = 2_000;

type Sums = Omit<Account, 'nanoUsd' | 'usd'> & { nano: bigint };

/** What was asked of the stand-in and what it charges for it. */
export class Books {
  #keys = new Map<string, Sums>();
  readonly #bills: Bill[] = [];
  #billed = 0;
  /** How many requests are being answered. */
  open = 0;

  /** A request to /v1/messages has arrived. */
  arrived(apiKey: string): void {
    this.#of(apiKey).requests += 1;
  }

  /** A call is billed. */
  bill(apiKey: string, model: string, usage: Usage): void {
    const sums = this.#of(apiKey);
    sums.calls += 1;
    sums.inputTokens += usage.input_tokens;
    sums.cacheWriteTokens += usage.cache_creation_input_tokens;
    sums.cacheReadTokens += usage.cache_read_input_tokens;
    sums.outputTokens += usage.output_tokens;
    sums.nano += charge(model, usage);
  }

  /** Keeps the bill of a call that asked for it; the oldest go first. */
  keep(bill: Omit<Bill, 'number' | 'at' | 'nanoUsd'>, usage: Usage): void {
    const nanoUsd = charge(bill.model, usage).toString();
    this.#bills.push({ number: (this.#billed += 1), at: Date.now(), ...bill, nanoUsd });
    if (this.#bills.length > 2 * BILLS) this.#bills.splice(0, BILLS);
  }

  /** The next bills after that number, oldest first. */
  bills(after: number): Bill[] {
    const first = Math.max(0, after - (this.#billed - this.#bills.length));
    return this.#bills.slice(first, first + PAGE);
  }

  /** A call broke off. */
  aborted(apiKey: string): void {
    this.#of(apiKey).aborted += 1;
  }

  /** Forgets everything but what is open. */
  clear(): void {
    this.#keys = new Map();
  }

  statement(): Statement {
    const total = blank();
    for (const sums of this.#keys.values()) add(total, sums);
    const keys = Object.fromEntries([...this.#keys].map(([key, sums]) => [key, account(sums)]));
    return { total: account(total), keys, open: this.open };
  }

  #of(apiKey: string): Sums {
    let sums = this.#keys.get(apiKey);
    if (sums === undefined) this.#keys.set(apiKey, (sums = blank()));
    return sums;
  }
}

function blank(): Sums {
  return {
    requests: 0,
    calls: 0,
    aborted: 0,
    inputTokens: 0,
    cacheWriteTokens: 0,
    cacheReadTokens: 0,
    outputTokens: 0,
    nano: 0n,
  };
}

function add(total: Sums, part: Sums): void {
  total.requests += part.requests;
  total.calls += part.calls;
  total.aborted += part.aborted;
  total.inputTokens += part.inputTokens;
  total.cacheWriteTokens += part.cacheWriteTokens;
  total.cacheReadTokens += part.cacheReadTokens;
  total.outputTokens += part.outputTokens;
  total.nano += part.nano;
}

function account({ nano, ...counts }: Sums): Account {
  const digits = nano.toString().padStart(10, '0');
  return { ...counts, nanoUsd: nano.toString(), usd: `${digits.slice(0, -9)}.${digits.slice(-9)}` };
}

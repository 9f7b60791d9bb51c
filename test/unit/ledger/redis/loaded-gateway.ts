import { setTimeout as sleep } from 'node:timers/promises';
import { LedgerUnreachable } from '../../../../ledger/ledger.ts';
import { connectLedger, type RedisLedger } from '../../../../ledger/redis/connect-ledger.ts';
import type { Reservation, ReserveAnswer } from '../../../../ledger/reservation.ts';
import type { Check } from '../../../../policy/core/counter-check.ts';
import { nano } from '../../../../policy/core/money.ts';

const HOUR = 3_600_000;
const COUNTER = 'payments/daily/Day/UTC/0';
const VALUE = '["acme"]';
export const query = { counter: COUNTER, per: true, top: 5, also: [] };
export const CAP = 400_000n;
const WORST = 300n;

export function reservation(id: string, more: Partial<Reservation> = {}): Reservation {
  const bound = { capNano: nano(CAP), roomNano: nano(CAP - WORST), gapRoomNano: nano(0n) };
  const span = { start: 0, end: Date.now() + HOUR };
  const check: Check = {
    budget: 'payments/daily',
    counter: COUNTER,
    value: VALUE,
    ...span,
    mode: 'Enforce',
    bound,
    total: bound,
  };
  const until = span.end;
  return {
    id,
    workspace: 'payments/a',
    version: 1,
    worstNano: nano(WORST),
    gapNano: nano(0n),
    from: 0,
    until,
    checks: [check],
    ...more,
  };
}

/** A gateway as the ledger sees it: concurrent calls, a heartbeat, and its own record of what it settled. */
export class LoadedGateway {
  readonly ledger: RedisLedger;
  readonly name: string;
  /** The calls that were reserved and have not ended. */
  readonly open = new Set<string>();
  /** The cost of each settled call. Nano-dollars. */
  readonly settled = new Map<string, bigint>();
  /** When a call was last admitted. Milliseconds since the epoch. */
  admittedAt = 0;
  #calls = 0;
  #isStopped = false;
  #isDead = false;
  readonly #tasks: Promise<void>[] = [];

  constructor(url: string, name: string) {
    this.name = name;
    this.ledger = connectLedger({ url, installation: 'recovery', epoch: () => 'one' });
    this.ledger.gateway.begin(name);
  }

  start(loops: number): void {
    this.#tasks.push(this.#beat(), ...Array.from({ length: loops }, () => this.#loop()));
  }

  /** Ends the calls under way, but keeps sending heartbeats. */
  async finishCalls(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#tasks.slice(1));
  }

  async close(): Promise<void> {
    await this.finishCalls();
    this.die();
    await Promise.allSettled(this.#tasks);
  }

  /** As if it were killed. */
  die(): void {
    this.#isDead = true;
    this.#isStopped = true;
    this.ledger.close();
  }

  async #beat(): Promise<void> {
    while (!this.#isDead) {
      const answer = await this.ledger.gateway.beat({ pod: this.name, shards: {} }).catch(ignoreUnreachable);
      if (answer?.kind === 'swept') throw new Error(`${this.name} was swept`);
      await sleep(100);
    }
  }

  async #loop(): Promise<void> {
    while (!this.#isStopped) {
      const id = `${this.name}-${(this.#calls += 1)}`;
      const answer = await this.#reserve(id);
      if (answer?.kind === 'admitted') await this.#finish(id);
      await sleep(answer?.kind === 'full' ? 50 : Math.random() * 4);
    }
  }

  async #reserve(id: string): Promise<ReserveAnswer | null> {
    while (!this.#isStopped) {
      const answer = await this.ledger.gateway.reserve(reservation(id)).catch(ignoreUnreachable);
      if (answer?.kind === 'admitted') {
        this.open.add(id);
        this.admittedAt = Date.now();
      }
      if (answer !== null && !['recovering', 'unregistered', 'lost'].includes(answer.kind)) return answer;
      await sleep(20);
    }
    await this.#insist(() => this.ledger.gateway.release(id));
    return null;
  }

  async #finish(id: string): Promise<void> {
    await sleep(Math.random() * 30);
    const costNano = BigInt(Math.floor(Math.random() * Number(WORST)));
    const isReleased = Math.random() < 0.2;
    await this.#insist(() =>
      isReleased
        ? this.ledger.gateway.release(id)
        : this.ledger.gateway.settle({
            id,
            costNano: nano(costNano),
            presumedNano: nano(0n),
            record: { id, state: 'final', cost_nano: `${costNano}` },
          }),
    );
    if (this.#isDead) return;
    this.open.delete(id);
    if (!isReleased) this.settled.set(id, costNano);
  }

  async #insist(act: () => Promise<unknown>): Promise<void> {
    while (!this.#isDead) {
      try {
        await act();
        return;
      } catch (error) {
        ignoreUnreachable(error);
        await sleep(20);
      }
    }
  }
}

function ignoreUnreachable(error: unknown): null {
  if (!(error instanceof LedgerUnreachable)) throw error;
  return null;
}

export async function until<T>(look: () => Promise<T | false | undefined>, ms = 40_000): Promise<T> {
  const deadline = performance.now() + ms;
  for (;;) {
    const seen = await look().catch(ignoreUnreachable);
    if (seen !== null && seen !== false && seen !== undefined) return seen;
    if (performance.now() > deadline) throw new Error('it did not come true');
    await sleep(20);
  }
}

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { ConfigMap } from '../../../../kube/kinds.ts';
import { MemoryLedger } from '../../../../ledger/memory/memory-ledger.ts';
import type { Database } from '../../../../log/database/database.ts';
import { openDatabase } from '../../../../log/database/open-database.ts';
import { UsageLog } from '../../../../log/usage-log.ts';
import { correctedNote, notCorrectedNote } from '../../../../operator/events/correction-notes.ts';
import { CallCorrector } from '../../../../operator/ledger/call-corrector.ts';
import { nano } from '../../../../policy/core/money.ts';
import { OWNER } from '../../../support/owner.ts';
import { call, check, COUNTER, HOUR, join as joinLedger, pool } from '../../ledger/ledger-fixtures.ts';

const folder = mkdtempSync(join(tmpdir(), 'tollgate-corrector-'));
const CENT = 10_000_000n;
let database: Database;

beforeAll(async () => {
  database = await openDatabase({ folder });
});
beforeEach(async () => {
  // The first log that is opened makes the tables.
  await database.query('truncate calls, totals, corrections').catch(() => {});
});
afterAll(async () => {
  await database.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A ledger, its log, and a ConfigMap that a person annotates. */
class Here {
  readonly memory = new MemoryLedger({ clock: Date.now });
  readonly ledger = this.memory.connect(() => 'one');
  readonly log = new UsageLog({
    open: async () => ({ ...database, close: async () => {} }),
    ledger: this.ledger.operator,
    onIngested: ({ rows }) => (this.ingested += rows),
  });
  /** Rows that the log has told of, whoever made it take them. */
  ingested = 0;
  readonly told: string[] = [];
  counted = 0n;
  /** Which step of a correction fails next: the process dies there. */
  dies: 'log' | 'ledger' | 'merge' | null = null;
  #object: ConfigMap = { metadata: { name: 'tollgate-ledger' } };
  #version = 0;

  static async start(): Promise<Here> {
    const here = new Here();
    await here.ledger.operator.establish('one');
    await joinLedger(here.ledger, 'gateway-1');
    return here;
  }

  /** Reserves ten cents and settles; null leaves the call in flight. */
  async call(id: string, cost: bigint | null, presumed = 0n): Promise<void> {
    const worst = 10n * CENT;
    await this.ledger.gateway.reserve(call(id, worst, [check(100n * CENT, worst, { start: 0, end: 1e15 })]));
    if (cost !== null) await this.settle(id, cost, presumed);
  }

  settle(id: string, cost: bigint, presumed = 0n) {
    const record = { id, state: 'final', cost_nano: `${cost}`, worst_nano: `${10n * CENT}` } as const;
    return this.ledger.gateway.settle({ id, costNano: nano(cost), presumedNano: nano(presumed), record });
  }

  /** A person annotates, and an operator that has just begun to lead executes it. */
  async correct(text: string): Promise<void> {
    this.#object = {
      metadata: {
        name: 'tollgate-ledger',
        resourceVersion: `${(this.#version += 1)}`,
        annotations: { 'tollgate.dev/correct': text },
      },
    };
    await this.execute();
  }

  async execute(): Promise<void> {
    await this.#corrector().executeAnnotation(Date.now());
  }

  async apply(): Promise<void> {
    await this.#corrector().apply(Date.now());
  }

  get annotations(): Readonly<Record<string, string | null>> | undefined {
    return this.#object.metadata.annotations;
  }

  async cents() {
    const { spentNano, correctedNano, certainNano, committedNano } = (await this.ledger.operator.read([pool]))[0]!
      .total;
    return [spentNano, correctedNano, certainNano, committedNano].map((amount) => Number(amount / CENT));
  }

  #corrector(): CallCorrector {
    const { ledger, log } = this;
    const { operator } = ledger;
    const step = async <T>(name: typeof this.dies, act: () => Promise<T>): Promise<T> => {
      const done = await act();
      if (this.dies === name) throw new Error(`died after ${name}`);
      return done;
    };
    return new CallCorrector({
      client: {
        merge: async () => {
          if (this.dies === 'merge') throw new Error('died before merge');
          this.#object = { metadata: { name: 'tollgate-ledger', resourceVersion: `${(this.#version += 1)}` } };
          return this.#object as never;
        },
      },
      ledger: {
        resolvePresumed: (ids, how) => operator.resolvePresumed(ids, how),
        endBooked: (ids) => operator.endBooked(ids),
        correctCounters: (corrections) => step('ledger', () => operator.correctCounters(corrections)),
      },
      log: {
        catchUp: () => log.catchUp(),
        correctable: (ids) => log.correctable(ids),
        correct: (corrections, now) => step('log', () => log.correct(corrections, now)),
        corrected: (now) => log.corrected(now),
      },
      checkpoints: {
        get object() {
          return here.#object;
        },
      },
      events: {
        callsCorrected: (corrected) => this.told.push(correctedNote(corrected)),
        callNotCorrected: (mistaken) => this.told.push(notCorrectedNote(mistaken)),
        correctionMistaken: (line, problem) => this.told.push(`${line}: ${problem}`),
      },
      metrics: {
        countCorrected: (rows) => {
          for (const { fromNano, costNano } of rows) this.counted += fromNano - costNano;
        },
      },
    });
  }
}

let here: Here;
beforeEach(async () => {
  here = await Here.start();
  await here.log.drain();
});

describe('tollgate.dev/correct', () => {
  test('gives back what a call was booked at by mistake, and says so', async () => {
    await here.call('a', 8n * CENT);
    await here.correct('a 0.01 priced twice');
    expect(await here.cents()).toEqual([1, 7, 1, 1]);
    expect(here.told).toEqual(['Call a was corrected from $0.08 to $0.01: priced twice']);
    expect(here.annotations).toBeUndefined();
    expect(here.counted).toBe(7n * CENT);
  });

  test.each(['log', 'ledger', 'merge'] as const)('is done once if the operator dies after %s', async (step) => {
    await here.call('a', 8n * CENT);
    here.dies = step;
    await expect(here.correct('a 0.01 priced twice')).rejects.toThrow('died');
    here.dies = null;
    await here.execute();
    expect(await here.cents()).toEqual([1, 7, 1, 1]);
    expect(here.told).toEqual(['Call a counts at $0.01 already.']);
    expect(await database.query('select count(*)::int as n from corrections')).toEqual([{ n: 1 }]);
  });

  test('says what a call of unknown cost did cost, with its rest', async () => {
    await here.call('a', 1n * CENT, 9n * CENT);
    expect(await here.cents()).toEqual([1, 0, 10, 10]);
    await here.correct('a 0.03 as the upstream bills it');
    expect(await here.cents()).toEqual([3, 7, 3, 3]);
    expect(here.told).toEqual(['Call a was corrected from $0.10 to $0.03: as the upstream bills it']);
    await here.correct('a 0.03 again\na/rest 0 again');
    expect(await here.cents()).toEqual([3, 7, 3, 3]);
  });

  test('has the last word on a call that is settled late', async () => {
    await here.call('a', null);
    await here.ledger.gateway.settleUnchecked({
      reservation: call('a', 10n * CENT, [check(100n * CENT, 10n * CENT, { start: 0, end: 1e15 })]),
      settlement: null,
    });
    await here.correct('a 0.02 read in the console');
    expect(await here.cents()).toEqual([2, 8, 2, 2]);
    expect(await here.settle('a', 5n * CENT)).toBe('ended');
    await here.log.drain();
    await here.apply();
    expect(await here.cents()).toEqual([2, 8, 2, 2]);
  });

  test('corrects none of several calls if one cannot be, and says what to write', async () => {
    await here.call('a', 8n * CENT);
    await here.call('b', 1n * CENT, 9n * CENT);
    await here.correct('a 0.01 priced twice\nb 0.11 priced twice');
    await here.correct('a 0.01 priced twice\nc 0.01 priced twice');
    await here.correct('a 1 cent');
    expect(here.told).toEqual([
      'Call b cannot have cost $0.11: at most $0.10 was set aside or booked for it. Write an amount from 0 to 0.10.',
      'The usage log has no call c. Write the id of one of its rows (docs/how-to/correct-a-call.md).',
      'Call a cannot have cost $1.00: at most $0.10 was set aside or booked for it. Write an amount from 0 to 0.10.',
    ]);
    await here.correct('a one cent');
    expect(here.told.at(-1)).toBe('a one cent: "one" is no amount in USD such as 0.25.');
    expect(await here.cents()).toEqual([9, 0, 18, 18]);
    expect(here.annotations).toBeUndefined();
  });

  test('books what was released and is billed after all, up to what it held', async () => {
    await here.call('a', 1n * CENT, 9n * CENT);
    await here.ledger.operator.resolvePresumed(['a'], 'Release');
    expect(await here.cents()).toEqual([1, 0, 1, 1]);
    await here.correct('a/rest 0.10 on the bill');
    expect(here.told.at(-1)).toContain('Write an amount from 0 to 0.09.');
    await here.correct('a/rest 0.09 on the bill');
    expect(await here.cents()).toEqual([10, -9, 10, 10]);
  });

  test('corrects nothing of a batch that runs', async () => {
    await here.call('a', null);
    await here.ledger.gateway.openBatch({ id: 'a', batch: 'msgbatch_1', ...OWNER, meta: '{}' });
    await here.correct('a/batch 0 outage');
    expect(here.told).toEqual(['Call a/batch has not ended yet: correct it once it is settled.']);
    expect(await here.cents()).toEqual([0, 0, 0, 10]);
  });

  test('is not held up by calls that go on', async () => {
    await here.call('a', 8n * CENT);
    const read = here.ledger.operator.readUsage.bind(here.ledger.operator);
    let more = 0;
    here.ledger.operator.readUsage = async (count) => {
      await here.call(`more-${(more += 1)}`, 0n);
      return read(count);
    };
    expect(await here.log.drain()).toBe(false);
    await here.correct('a 0.01 priced twice');
    expect(await here.cents()).toEqual([1, 7, 1, 1]);
    expect(here.ingested).toBeGreaterThan(1);
  });

  test('lets calls in again that were refused as spent', async () => {
    for (const id of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j']) await here.call(id, 10n * CENT);
    const next = call('k', 10n * CENT, [check(100n * CENT, 10n * CENT, { start: 0, end: 1e15 })]);
    expect(await here.ledger.gateway.reserve(next)).toMatchObject({ kind: 'full' });
    const exhaustedAt = async () => (await here.ledger.operator.read([pool]))[0]!.total.exhaustedAtNano;
    expect(await exhaustedAt()).toBe(100n * CENT);
    await here.correct('a 0 outage\nb 0 outage');
    expect(here.told).toEqual(['2 calls were corrected, which cost $0.20 less in all: outage']);
    expect(await exhaustedAt()).toBeNull();
    expect(await here.ledger.gateway.reserve(next)).toMatchObject({ kind: 'admitted' });
  });
});

describe('a correction survives', () => {
  test('a ledger that has lost only it', async () => {
    await here.call('a', 8n * CENT);
    await here.correct('a 0.01 priced twice');
    await here.ledger.operator.correctCounters([{ counter: COUNTER, correctedNano: nano(0n) }]);
    expect(await here.cents()).toEqual([8, 0, 8, 8]);
    await here.apply();
    await here.apply();
    expect(await here.cents()).toEqual([1, 7, 1, 1]);
  });

  test.each(['before', 'after'] as const)('an empty ledger, with a status from %s it', async (when) => {
    await here.call('a', 8n * CENT);
    await here.correct('a 0.01 priced twice');
    const empty = await Here.start();
    const status = { counter: COUNTER, keepUntil: Date.now() + HOUR, presumedNano: nano(0n), requests: 1 };
    // A status says what was settled: what is spent, and what was corrected by then.
    const spentNano = nano((when === 'before' ? 8n : 1n + 7n) * CENT);
    await empty.ledger.operator.raiseCounters([...(await here.log.totals(Date.now())), { ...status, spentNano }]);
    for (let times = 0; times < 2; times += 1) {
      expect(await empty.cents()).toEqual([1, 7, 1, 1]);
      await empty.ledger.operator.correctCounters(await here.log.corrected(Date.now()));
    }
  });
});

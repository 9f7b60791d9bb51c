import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, type Call, Caller } from '../../../bench/caller.ts';
import { Dice } from '../../../bench/dice.ts';
import type { Behaviour } from '../../fakes/upstream/behaviour.ts';
import { FEATURE } from './caps.ts';

/** How many streams are open at once, where the budgets have room for them. */
export const STREAMS = 500;
const SHORT_CALLERS = 12;

export const CUSTOMERS = ['acme', 'globex', 'initech', 'hooli', 'stark', 'umbrella', 'wayne', 'wonka'];
const FEATURES = [FEATURE, 'chat'];
const MODELS = ['claude-haiku-4-5', 'claude-sonnet-5-5', 'claude-opus-5-5'];
const BREAKS = ['Head', 'Start', 'Middle', 'Event', 'Cut'] as const;
const ERRORS = [529, 500, 429];

/** What was asked in one call: enough to know which budgets govern it. */
export interface Asked {
  readonly feature: string;
  readonly customer: string;
}

/** A call with what its caller does. */
interface Intent {
  readonly call: Call;
  readonly leavesAfterMs: number | null;
}

interface Options {
  readonly gateways: readonly string[];
  readonly apiKey: string;
  readonly seed: number;
  /** Told of each refusal for money, with the budget's name. */
  readonly onRefused: (budget: string) => void;
}

/**
 * Callers that never stop: 500 who read streams, some more who ask for whole answers. Some leave in the middle; some of
 * the upstream's connections break. Each caller has a die of its own.
 */
export class Traffic {
  /** Every call that was sent, by its mark. */
  readonly calls = new Map<string, Asked>();
  /** How calls ended, by what the caller saw. */
  readonly outcomes = new Map<string, number>();
  /** Streams whose first byte has come and whose last has not. */
  open = 0;
  peak = 0;
  /** Until then streams that have begun stand still, so that on any machine all are open at once in the end. */
  isGathered = false;
  readonly #options: Options;
  readonly #callers: readonly Caller[];
  readonly #workers: Promise<void>[] = [];
  #isStopped = false;

  constructor(options: Options) {
    this.#options = options;
    this.#callers = options.gateways.map((url) => new Caller(url, options.apiKey, STREAMS + SHORT_CALLERS));
  }

  start(): void {
    const { seed } = this.#options;
    for (let n = 0; n < STREAMS; n++) this.#workers.push(this.#work(new Dice(seed * 10_000 + n), stream));
    for (let n = 0; n < SHORT_CALLERS; n++) this.#workers.push(this.#work(new Dice(seed * 20_000 + n), short));
  }

  /** Begins no further call and waits for those under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#workers);
    await Promise.all(this.#callers.map((caller) => caller.close()));
  }

  async #work(dice: Dice, intend: (dice: Dice) => Intent): Promise<void> {
    await sleep(dice.roll(2_000));
    while (!this.#isStopped) {
      const outcome = await this.#one(dice, intend(dice));
      this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
      const pause = PAUSES[outcome] ?? REFUSED_PAUSE;
      await sleep(pause + dice.roll(pause));
    }
  }

  async #one(dice: Dice, { call, leavesAfterMs }: Intent): Promise<string> {
    const mark = `call-${this.calls.size}`;
    const asked = { feature: dice.pick(FEATURES), customer: dice.pick(CUSTOMERS) };
    this.calls.set(mark, asked);
    const headers = {
      'x-tollgate-feature': asked.feature,
      'x-tollgate-customer': asked.customer,
      'x-tollgate-user': mark,
    };
    const standing = call.stream === true && !this.isGathered ? { holdAfter: 1 } : {};
    let isOpen = false;
    const opened = (): void => {
      isOpen = call.stream === true;
      if (isOpen) this.peak = Math.max(this.peak, (this.open += 1));
    };
    const signal = leavesAfterMs === null ? {} : { signal: AbortSignal.timeout(leavesAfterMs) };
    try {
      const answer = await dice
        .pick(this.#callers)
        .send({ ...call, behaviour: { ...call.behaviour, ...standing, mark }, headers, ...signal }, (status) => {
          if (status === 200) opened();
        });
      return this.#outcomeOf(answer);
    } catch {
      return signal.signal?.aborted ? 'left' : 'torn';
    } finally {
      if (isOpen) this.open -= 1;
    }
  }

  #outcomeOf({ status, text }: Answer): string {
    if (status === 200) return 'answered';
    const { error } = JSON.parse(text) as { error: { type: string; message: string; budget?: string } };
    const budget = error.budget ?? HELD.exec(error.message)?.[1];
    if (budget !== undefined) {
      this.#options.onRefused(budget);
      return error.type === 'budget_exceeded' ? 'refused' : 'held up';
    }
    if (error.message.startsWith('The stand-in was asked for')) return 'upstream error';
    return `${status} ${error.type}: ${error.message}`;
  }
}

/** What a call hears that waited in vain for calls in flight to leave something of the budget. */
const HELD = /^Calls in flight have reserved what is left of budget (\S+)\. /;

/** Before the next call: milliseconds, up to twice as many. Who was refused, for whatever reason, waits longest. */
const PAUSES: Readonly<Record<string, number>> = { answered: 1, left: 1, torn: 100, 'upstream error': 50 };
const REFUSED_PAUSE = 1_000;

/** Ten to twenty seconds of small pieces. */
function stream(dice: Dice): Intent {
  const behaviour: Behaviour = {
    usage: { output_tokens: dice.roll(301) },
    chunks: 4 + dice.roll(5),
    paceMs: 700 + dice.roll(1_000),
  };
  return intent(dice, { stream: true, maxTokens: 300, promptBytes: 200 + dice.roll(800), behaviour }, 20_000);
}

function short(dice: Dice): Intent {
  const behaviour: Behaviour = { usage: { output_tokens: dice.roll(301) }, latencyMs: dice.roll(300) };
  if (dice.roll(20) === 0) behaviour.status = dice.pick(ERRORS);
  return intent(dice, { maxTokens: 300, promptBytes: 200 + dice.roll(800), behaviour }, 300);
}

/** What is billed of a call that broke off is everything or what was sent; of one whose caller left, what was sent. */
function intent(dice: Dice, call: Call, longestMs: number): Intent {
  const model = dice.pick(MODELS);
  const fate = dice.roll(100);
  if (fate < 10) {
    return {
      call: { ...call, model, behaviour: { ...call.behaviour, abortBilling: 'Sent' } },
      leavesAfterMs: dice.roll(longestMs),
    };
  }
  const behaviour: Behaviour = { ...call.behaviour, abortBilling: dice.pick(['Sent', 'Full'] as const) };
  if (fate < 16) behaviour.breakAt = dice.pick(BREAKS);
  return { call: { ...call, model, behaviour }, leavesAfterMs: null };
}

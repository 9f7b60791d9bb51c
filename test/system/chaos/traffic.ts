import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, type Call, MessagesClient } from '../../../bench/messages-client.ts';
import { SeededRandom } from '../../../bench/seeded-random.ts';
import type { Behaviour } from '../../fakes/upstream/behaviour.ts';
import { FEATURE } from './caps.ts';

/** How many streams are open at once, if the budgets have room for them. */
export const STREAMS = 500;
const SHORT_CALLERS = 12;

export const CUSTOMERS = ['acme', 'globex', 'initech', 'hooli', 'stark', 'umbrella', 'wayne', 'wonka'];
const FEATURES = [FEATURE, 'chat'];
const MODELS = ['claude-haiku-4-5', 'claude-sonnet-5-5', 'claude-opus-5-5'];
const BREAKS = ['Head', 'Start', 'Middle', 'Event', 'Cut'] as const;
const ERRORS = [529, 500, 429];

/** The attributes of a call that decide which budgets apply to it. */
export interface Asked {
  readonly feature: string;
  readonly customer: string;
}

/** A call, and when its caller leaves. */
interface Intent {
  readonly call: Call;
  readonly leavesAfterMs: number | null;
}

interface Options {
  readonly gateways: readonly string[];
  readonly apiKey: string;
  readonly seed: number;
  /** Called for each refusal for money, with `namespace/name` of the budget. */
  readonly onRefused: (budget: string) => void;
}

/**
 * Callers that call without end: 500 read streams, and a few more ask for whole answers. Some leave in the middle, and some
 * connections of the upstream break. Each caller has its own random numbers.
 */
export class Traffic {
  /** Every call that was sent, by its mark. */
  readonly calls = new Map<string, Asked>();
  /** How calls ended, by what the caller saw. */
  readonly outcomes = new Map<string, number>();
  /** Streams whose first byte has come and whose last has not. */
  open = 0;
  peak = 0;
  /** Until this is true, streams stop after their first event, so that all are open at once on any machine. */
  isGathered = false;
  readonly #options: Options;
  readonly #callers: readonly MessagesClient[];
  readonly #workers: Promise<void>[] = [];
  #isStopped = false;

  constructor(options: Options) {
    this.#options = options;
    this.#callers = options.gateways.map((url) => new MessagesClient(url, options.apiKey, STREAMS + SHORT_CALLERS));
  }

  start(): void {
    const { seed } = this.#options;
    for (let n = 0; n < STREAMS; n++) this.#workers.push(this.#work(new SeededRandom(seed * 10_000 + n), stream));
    for (let n = 0; n < SHORT_CALLERS; n++) this.#workers.push(this.#work(new SeededRandom(seed * 20_000 + n), short));
  }

  /** Starts no further call, and waits for those in flight. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#workers);
    await Promise.all(this.#callers.map((caller) => caller.close()));
  }

  async #work(random: SeededRandom, intend: (random: SeededRandom) => Intent): Promise<void> {
    await sleep(random.below(2_000));
    while (!this.#isStopped) {
      const outcome = await this.#one(random, intend(random));
      this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
      const pause = PAUSES[outcome] ?? REFUSED_PAUSE;
      await sleep(pause + random.below(pause));
    }
  }

  async #one(random: SeededRandom, { call, leavesAfterMs }: Intent): Promise<string> {
    const mark = `call-${this.calls.size}`;
    const asked = { feature: random.pick(FEATURES), customer: random.pick(CUSTOMERS) };
    this.calls.set(mark, asked);
    const headers = {
      'x-tollgate-feature': asked.feature,
      'x-tollgate-customer': asked.customer,
      'x-tollgate-user': mark,
    };
    const held = call.stream === true && !this.isGathered ? { holdAfter: 1 } : {};
    let isOpen = false;
    const opened = (): void => {
      isOpen = call.stream === true;
      if (isOpen) this.peak = Math.max(this.peak, (this.open += 1));
    };
    const signal = leavesAfterMs === null ? {} : { signal: AbortSignal.timeout(leavesAfterMs) };
    try {
      const answer = await random
        .pick(this.#callers)
        .send({ ...call, behaviour: { ...call.behaviour, ...held, mark }, headers, ...signal }, (status) => {
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
    if (error.budget !== undefined) {
      this.#options.onRefused(error.budget);
      return error.type === 'budget_exceeded' ? 'refused' : 'held up';
    }
    if (error.message.startsWith('The stand-in was asked for')) return 'upstream error';
    return `${status} ${error.type}: ${error.message}`;
  }
}

/** Pause before the next call, by the outcome of the last: milliseconds, up to twice as many. The longest is after a refusal. */
const PAUSES: Readonly<Record<string, number>> = { answered: 1, left: 1, torn: 100, 'upstream error': 50 };
const REFUSED_PAUSE = 1_000;

/** Ten to twenty seconds of small pieces. */
function stream(random: SeededRandom): Intent {
  const behaviour: Behaviour = {
    usage: { output_tokens: random.below(301) },
    chunks: 4 + random.below(5),
    paceMs: 700 + random.below(1_000),
  };
  return intent(random, { stream: true, maxTokens: 300, promptBytes: 200 + random.below(800), behaviour }, 20_000);
}

function short(random: SeededRandom): Intent {
  const behaviour: Behaviour = { usage: { output_tokens: random.below(301) }, latencyMs: random.below(300) };
  if (random.below(20) === 0) behaviour.status = random.pick(ERRORS);
  return intent(random, { maxTokens: 300, promptBytes: 200 + random.below(800), behaviour }, 300);
}

/** A call that breaks off is billed in full or for what was sent; a call whose caller leaves, for what was sent. */
function intent(random: SeededRandom, call: Call, longestMs: number): Intent {
  const model = random.pick(MODELS);
  const fate = random.below(100);
  if (fate < 10) {
    return {
      call: { ...call, model, behaviour: { ...call.behaviour, abortBilling: 'Sent' } },
      leavesAfterMs: random.below(longestMs),
    };
  }
  const behaviour: Behaviour = { ...call.behaviour, abortBilling: random.pick(['Sent', 'Full'] as const) };
  if (fate < 16) behaviour.breakAt = random.pick(BREAKS);
  return { call: { ...call, model, behaviour }, leavesAfterMs: null };
}

import { Counter, type Registry } from 'prom-client';
import { type Nano, USD } from '../policy/core/money.ts';
import type { CacheSavings } from '../policy/prices/cache-savings.ts';
import type { Tokens } from '../policy/prices/usage.ts';
import { LabelLimiter, OTHER } from './label-limiter.ts';

/** Whom a call is counted for, by its attributes; '' for an attribute that it does not have. */
export type Spender = Readonly<Record<'workspace' | 'feature' | 'department' | 'user', string>> & {
  /** Null if the price book does not know the model. */
  readonly model: string | null;
};

/** What a call was billed for. */
export interface Billed {
  readonly costNano: Nano;
  /** Null if the upstream did not report its usage. */
  readonly tokens: Tokens | null;
  readonly cache: CacheSavings | null;
}

type Labels = Readonly<Record<'workspace' | 'feature' | 'department' | 'model', string>> & { readonly user?: string };

/** How many combinations of feature, department and user have series of their own, in one workspace and in all. */
const MOST_IN_WORKSPACE = 100;
const MOST_IN_ALL = 2_000;
/** Combinations that are added for each named user, who may use several features. */
const COMBINATIONS_OF_USER = 5;
const LABELS = ['workspace', 'feature', 'department', 'model'] as const;

/**
 * Counts calls and their cost by spender. The gateways count calls and the operator counts results of batches under the
 * same names, so that the sum over all replicas is what was spent. Labels are bounded, and users are named only if the
 * setting `namedUsers` allows it.
 */
export class CallMetrics {
  readonly #combinations: LabelLimiter;
  readonly #users: LabelLimiter;
  readonly #namesUsers: boolean;
  readonly #begun = new Set<string>();
  readonly #cost: Counter;
  readonly #tokens: Counter;
  readonly #calls: Counter;
  readonly #saved: Counter;
  readonly #surcharge: Counter;

  constructor(registry: Registry, namedUsers: number) {
    const more = namedUsers * COMBINATIONS_OF_USER;
    this.#combinations = new LabelLimiter(MOST_IN_WORKSPACE + more, MOST_IN_ALL + more);
    this.#users = new LabelLimiter(namedUsers, namedUsers);
    this.#namesUsers = namedUsers > 0;
    const counter = (name: string, help: string, ...labels: string[]) =>
      new Counter({ name, help, labelNames: [...LABELS, ...labels], registers: [registry] });
    this.#cost = counter('tollgate_cost_usd_total', 'What calls cost, in US dollars, as settled.', 'user');
    this.#tokens = counter(
      'tollgate_tokens_total',
      'Tokens that calls were billed for: `input`, `output`, `cache_read` or `cache_write`.',
      'user',
      'type',
    );
    this.#calls = counter(
      'tollgate_calls_total',
      'Calls by their ending: as in the usage log, or `Batched` (in a Message Batch), `Refused` (by the policy), `Unavailable` (Tollgate answered 5xx).',
      'ending',
    );
    this.#saved = counter(
      'tollgate_cache_saved_usd_total',
      'What reading tokens from the prompt cache saved against plain input, in US dollars.',
    );
    this.#surcharge = counter(
      'tollgate_cache_surcharge_usd_total',
      'What writing tokens to the prompt cache cost more than plain input, in US dollars.',
    );
  }

  /**
   * A call was sent. Creates its series at zero, because Prometheus ignores the value with which a series first appears.
   * True for the first call of the spender.
   */
  begin(spender: Spender): boolean {
    const labels = this.#labels(spender);
    const name = Object.values(labels).join('\n');
    if (this.#begun.has(name)) return false;
    this.#begun.add(name);
    this.#cost.inc(labels, 0);
    for (const type of TYPES) this.#tokens.inc({ ...labels, type }, 0);
    return true;
  }

  /** The feature under which a call of the spender is counted. */
  featureOf(spender: Spender): string {
    return this.#labels(spender).feature;
  }

  countCall(spender: Spender, ending: string): void {
    const { user: _, ...labels } = this.#labels(spender);
    this.#calls.inc({ ...labels, ending });
  }

  countBilled(spender: Spender, { costNano, tokens, cache }: Billed): void {
    const labels = this.#labels(spender);
    const { user: _, ...shared } = labels;
    this.#cost.inc(labels, dollars(costNano));
    if (tokens !== null) {
      const counts = byType(tokens);
      for (const type of TYPES) this.#tokens.inc({ ...labels, type }, counts[type]);
    }
    if (cache === null) return;
    this.#saved.inc(shared, dollars(cache.savedNano));
    this.#surcharge.inc(shared, dollars(cache.surchargeNano));
  }

  #labels({ workspace, model, ...attributes }: Spender): Labels {
    const user = attributes.user === '' || this.#users.has(attributes.user) ? attributes.user : OTHER;
    const { feature, department } = attributes;
    const hasRoom = this.#combinations.has(JSON.stringify([feature, department, user]), workspace);
    const named = hasRoom ? { feature, department, user } : { feature: OTHER, department: OTHER, user: OTHER };
    if (this.#namesUsers) return { workspace, ...named, model: model ?? OTHER };
    return { workspace, feature: named.feature, department: named.department, model: model ?? OTHER };
  }
}

const TYPES = ['input', 'output', 'cache_read', 'cache_write'] as const;

function byType(tokens: Tokens): Readonly<Record<(typeof TYPES)[number], number>> {
  return {
    input: tokens.input,
    output: tokens.output,
    cache_read: tokens.cacheRead,
    cache_write: tokens.cacheWrite5m + tokens.cacheWrite1h,
  };
}

/** For display: a metric is a float, the ledger is not. */
export function dollars(amount: Nano): number {
  return Number(amount) / Number(USD);
}

import { hash } from 'node:crypto';
import { type EnforceableWorkspace, resolveWorkspace } from '../../../policy/admit/resolved-workspace.ts';
import { encodeJSON } from '../../../policy/core/canonical-json.ts';
import type { CompiledBudget, CompiledWorkspace, Credentials } from '../../../policy/core/compiled-policy.ts';
import { parseUsd } from '../../../policy/core/money.ts';
import { parsePriceBook } from '../../../policy/prices/price-book-file.ts';
import published from '../../../policy/prices/prices.json' with { type: 'json' };
import { addressOf, entryName } from '../../../policy/shards/shard-contents.ts';
import { budgetOf } from '../../support/budget.ts';
import { OWNER } from '../../support/owner.ts';

/** SHA-256 in hex. */
export const sha256 = (text: string): string => hash('sha256', text);

const bookText = JSON.stringify(published);
export const PRICES = { address: addressOf('prices', 'published', bookText, sha256), text: bookText };

/** The workspace's own budget: pooled, a year in UTC, which ends in few tests. */
export function budget(name: string, usd: string, rest: Partial<CompiledBudget> = {}): CompiledBudget {
  return budgetOf({ name, period: { every: 'Year', timeZone: 'UTC' }, limitNano: parseUsd(usd), ...rest });
}

/** A workspace as the operator would hand it over: with credentials, and what it shares with others. */
export interface Handover {
  readonly workspace: CompiledWorkspace;
  readonly credentials: Credentials;
  readonly spanning: readonly CompiledBudget[];
}

export interface WorkspaceOptions {
  readonly baseURL: string;
  readonly budgets?: readonly CompiledBudget[];
  readonly spanning?: readonly CompiledBudget[];
  readonly version?: number;
  /** The caller keys by name. */
  readonly keys?: Readonly<Record<string, string>>;
  readonly rest?: Partial<CompiledWorkspace>;
}

/** `payments/checkout`, whose key `api` is `sk-tollgate-api`. */
export function handover(options: WorkspaceOptions): Handover {
  const { baseURL, budgets = [], spanning = [], version = 1, keys = { api: 'sk-tollgate-api' }, rest = {} } = options;
  const hashes = Object.entries(keys).map(([name, key]) => [name, sha256(key)]);
  const credentials: Credentials = {
    upstreamKey: 'sk-ant-upstream',
    upstreamSecret: { name: 'anthropic', key: 'api-key' },
    keys: Object.fromEntries(hashes),
  };
  const workspace: CompiledWorkspace = {
    namespace: 'payments',
    name: 'checkout',
    uid: OWNER.workspaceUid,
    namespaceUid: OWNER.namespaceUid,
    generation: 1,
    version,
    baseURL,
    suspend: false,
    keys: Object.keys(keys).map((name) => ({ name, priority: 'Normal', attributes: { feature: 'checkout' } })),
    headers: { customer: 'x-tollgate-customer' },
    models: { allow: ['claude-*'], unknown: 'Refuse' },
    guards: {},
    batches: 'Refuse',
    refusal: { status: 429, message: 'Ask #claude-costs.' },
    budgets,
    spanning: spanning.map(spanningAddress),
    prices: PRICES.address,
    credentials: sha256(encodeJSON(credentials)),
    ...rest,
  };
  return { workspace, credentials, spanning };
}

/** What a spanning budget is called in the shared shard. */
export function spanningAddress(one: CompiledBudget): string {
  return addressOf('budget', entryName(one), encodeJSON(one), sha256);
}

/** The workspace ready to be enforced, without an API server, at list prices or at those of another book (JSON). */
export function resolved({ workspace, credentials, spanning }: Handover, text = PRICES.text): EnforceableWorkspace {
  const shared = {
    budgets: new Map(spanning.map((one) => [spanningAddress(one), one])),
    books: new Map([[workspace.prices, { text, book: parsePriceBook(JSON.parse(text)) }]]),
    names: new Map(),
  };
  const answer = resolveWorkspace(workspace, shared, { credentials, checksum: workspace.credentials });
  if (!answer.ok) throw new Error(`missing: ${answer.error.join(', ')}`);
  return answer.value;
}

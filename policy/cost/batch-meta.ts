/** What travels with a batch from the gateway that sent it to the operator that books it. */

import { decodeJSON, encodeJSON } from '../core/canonical-json.ts';
import type { CallRecord } from '../core/usage-record.ts';
import type { RequestFacts } from '../request/request.ts';
import { unboundedPaths, maxInferences } from './worst-cost.ts';

/** One batch as it was admitted. */
export interface BatchMeta {
  /** The upstream that has it. */
  readonly baseURL: string;
  /** The sum of its requests' worst cases. Nano-dollars. */
  readonly worstNano: bigint;
  /** The worst case of the dearest request: what one costs of which nobody knows more. Nano-dollars. */
  readonly highestNano: bigint;
  /** The model that all of them ask for; null where there are several. */
  readonly model: string | null;
  /** The models that one may have asked for whose answer came from another. */
  readonly asked: readonly string[];
  /** How often one may sample at most; null where nothing bounds that. */
  readonly maxInferences: number | null;
  /** When it was admitted, by the ledger's clock. Milliseconds. */
  readonly at: number;
  /** What the usage records of all its requests have in common. */
  readonly record: CallRecord;
}

/** What the requests of a batch have in common for whoever books them. */
export function batchMetaOf(requests: readonly RequestFacts[]): Pick<BatchMeta, 'model' | 'asked' | 'maxInferences'> {
  const models = new Set(requests.map(({ model }) => model));
  const [model = null] = models;
  const isLoose = requests.some((facts) => unboundedPaths(facts).length > 0);
  return {
    model: models.size === 1 ? model : null,
    asked: requests.some(({ fallbacks }) => fallbacks.length > 0) ? [...models] : [],
    maxInferences: isLoose ? null : requests.reduce((most, facts) => Math.max(most, maxInferences(facts)), 1),
  };
}

/** As JSON. */
export function encodeBatchMeta(meta: BatchMeta): string {
  return encodeJSON(meta);
}

/** Reads what `writeMeta` wrote. */
export function decodeBatchMeta(text: string): BatchMeta {
  return decodeJSON(text) as BatchMeta;
}

import { decodeJSON, encodeJSON } from '../core/canonical-json.ts';
import type { Nano } from '../core/money.ts';
import type { CallRecord } from '../core/usage-record.ts';
import type { RequestFacts } from '../request/request.ts';

/** Unknown names in requests of a batch. */
export interface UnknownInBatch {
  /** That may answer these requests; none: any model. */
  readonly models: readonly string[];
  readonly names: readonly string[];
  /** The most that was set aside for one of the requests. Nano-dollars. */
  readonly boundNano: Nano;
}

/** What travels with a batch from the gateway that sent it to the operator that books it. */
export interface BatchMeta {
  /** The upstream that has it. */
  readonly baseURL: string;
  /** How many requests it has; absent in a batch that an older version sent. */
  readonly requests?: number;
  /** The sum of its requests' worst cases. Nano-dollars. */
  readonly worstNano: Nano;
  /** The highest worst case of its requests, which is what a result that cannot be read costs. Nano-dollars. */
  readonly highestNano: Nano;
  /** The model that all requests ask for; null if there are several. */
  readonly model: string | null;
  /** The models that the requests ask for, if one of them has fallbacks, so that another model may answer; otherwise empty. */
  readonly asked: readonly string[];
  /** Absent in a batch that an older version sent. */
  readonly unknown?: readonly UnknownInBatch[];
  /** When it was admitted, by the ledger's clock. Milliseconds. */
  readonly at: number;
  /** What the usage records of all its requests share. */
  readonly record: CallRecord;
}

/** What settling the results needs to know of all requests of a batch. */
export function batchMetaOf(requests: readonly RequestFacts[]): Pick<BatchMeta, 'requests' | 'model' | 'asked'> {
  const models = new Set(requests.map(({ model }) => model));
  const [model = null] = models;
  return {
    requests: requests.length,
    model: models.size === 1 ? model : null,
    asked: requests.some(({ fallbacks }) => fallbacks.length > 0) ? [...models] : [],
  };
}

export function encodeBatchMeta(meta: BatchMeta): string {
  return encodeJSON(meta);
}

export function decodeBatchMeta(text: string): BatchMeta {
  return decodeJSON(text) as BatchMeta;
}

/** Whether a batch is at the upstream of its workspace, for which the workspace's key is. A path is no other upstream. */
export function isSameUpstream({ baseURL }: { readonly baseURL: string }, batch: Pick<BatchMeta, 'baseURL'>): boolean {
  return new URL(baseURL).origin === new URL(batch.baseURL).origin;
}

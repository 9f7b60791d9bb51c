import type { BodyReading } from '../json/body-reading.ts';
import { invalid, objectAt, quoted, RequestRejected, stringAt, unsupported } from '../json/json-access.ts';
import { JsonArraySplitter } from '../json/json-array-splitter.ts';
import { readJsonObject } from '../json/strict-json.ts';
import { ValueSpans } from '../json/value-spans.ts';
import { type Refusal, refusals } from '../refusals/refusals.ts';
import { readFacts, type RequestFacts } from './request.ts';
import { shape } from './shape.ts';
import { UnknownNames } from './unknown-names.ts';

/** Limits of the Message Batches API. */
export const MAX_BATCH_BYTES: number = 256 * 1024 * 1024;
const MAX_REQUESTS = 100_000;
/** A request of the Messages API, and its `custom_id` around it. */
const MAX_REQUEST_BYTES = 32 * 1024 * 1024 + 1024;

const REQUEST = shape(['custom_id', 'params']);
const CUSTOM_ID = /^[A-Za-z0-9_-]{1,64}$/;

/** Receives the facts of each request. A refusal ends the reading. */
export type OnRequest = (facts: RequestFacts, index: number) => Refusal | null;

/** Reads the body of a Message Batch, request by request, while it streams in. */
export class BatchReader {
  readonly #splitter: JsonArraySplitter;
  readonly #onRequest: OnRequest;
  readonly #betas: readonly string[];
  readonly #ids = new Set<string>();
  /** Lists and names, one for all requests that have the same. */
  readonly #shared = new Map<string, unknown>();
  readonly #models = new Set<string>();
  /** Parts of lists, and names, that are kept. */
  #parts = 0;
  #bytes = 0;

  /** `betas`: those that the caller asks for by header. */
  constructor(onRequest: OnRequest, betas: readonly string[] = []) {
    this.#betas = betas;
    this.#onRequest = onRequest;
    this.#splitter = new JsonArraySplitter({ field: 'requests', maxBytes: MAX_REQUEST_BYTES });
  }

  /** What is kept between two chunks: an element that has not ended, and the ids and facts of those that have. Bytes. */
  get memory(): number {
    return this.#splitter.memory + this.#ids.size * REQUEST_MEMORY + this.#parts * PART_MEMORY;
  }

  /** The refusal of the batch; null if there is none so far. Nothing may be written after a refusal. */
  *write(chunk: Uint8Array): BodyReading<Refusal | null> {
    this.#bytes += chunk.length;
    if (this.#bytes > MAX_BATCH_BYTES) return TOO_LARGE;
    try {
      for (const element of this.#splitter.split(chunk)) {
        const refusal = yield* this.#take(element, this.#ids.size);
        if (refusal !== null) return refusal;
        yield 0;
      }
      return null;
    } catch (error) {
      return refusalOf(error);
    }
  }

  /** Call it once the body is complete. */
  end(): Refusal | null {
    try {
      this.#splitter.end();
      if (this.#ids.size === 0) throw invalid('requests must have at least one entry.');
      return null;
    } catch (error) {
      return refusalOf(error);
    }
  }

  *#take(bytes: Uint8Array, index: number): BodyReading<Refusal | null> {
    if (index >= MAX_REQUESTS) return TOO_LARGE;
    let refusal: Refusal | null;
    try {
      refusal = this.#onRequest(yield* this.#read(bytes), index);
    } catch (error) {
      refusal = refusalOf(error);
    }
    return refusal === null ? null : { ...refusal, message: `requests[${index}]: ${refusal.message}` };
  }

  *#read(bytes: Uint8Array): BodyReading<RequestFacts> {
    const { fields, memory } = yield* readJsonObject(bytes, NOTHING_EDITED);
    const unknown = new UnknownNames(this.#betas);
    unknown.addFields(fields, REQUEST, '');
    const id = stringAt(fields['custom_id'], 'custom_id');
    if (!CUSTOM_ID.test(id)) throw invalid('custom_id must have 1 to 64 letters, digits, dashes or underscores.');
    if (this.#ids.has(id)) throw invalid(`custom_id ${quoted(id)} is there twice.`);
    this.#ids.add(id);
    const params = { fields: objectAt(fields['params'], 'params'), spans: NO_SPANS, memory };
    const facts = yield* readFacts(params, bytes.length, unknown);
    if (facts.stream) throw invalid('stream must not be true in a batch.');
    if (facts.fast || facts.fallbacks.some(({ fast }) => fast)) throw unsupported('speed fast in a batch');
    if (facts.codeExecution === 'Charged') throw unsupported('code execution in a batch');
    const model = this.#share(facts.model);
    this.#models.add(model);
    if (this.#models.size > MAX_MODELS) throw invalid(`model: a batch may ask for at most ${MAX_MODELS} models.`);
    return {
      ...facts,
      model,
      fallbacks: this.#share(facts.fallbacks),
      serverTools: this.#share(facts.serverTools),
      unbounded: this.#share(facts.unbounded),
      unknown: this.#share(facts.unknown),
      files: this.#share(facts.files),
      session: null,
      metadataUser: null,
      batch: true,
    };
  }

  /** The same value for equal ones: most requests of a batch ask for the same models and tools. */
  #share<T extends string | readonly unknown[]>(value: T): T {
    const key = JSON.stringify(value);
    const known = this.#shared.get(key) as T | undefined;
    if (known !== undefined) return known;
    this.#parts += typeof value === 'string' ? 1 : value.length;
    if (this.#shared.size < MAX_SHARED) this.#shared.set(key, value);
    return value;
  }
}

/** Requests of a batch are not edited, so spans are not needed. */
const NOTHING_EDITED = new Map<string, string>();
const NO_SPANS = new ValueSpans(NOTHING_EDITED);

/**
 * Twice what is kept of a request, measured, and of a fallback or tool: it is in the heap, which is smaller than the memory
 * of a gateway. Bytes.
 */
const REQUEST_MEMORY = 500;
const PART_MEMORY = 600;

const MAX_SHARED = 1_000;

/** More than there are; their names go with the batch to the ledger. */
const MAX_MODELS = 64;

const TOO_LARGE: Refusal = { reason: 'BatchTooLarge', message: refusals.BatchTooLarge.meaning };

function refusalOf(error: unknown): Refusal {
  if (error instanceof RequestRejected) return { reason: error.reason, message: error.message };
  throw error;
}

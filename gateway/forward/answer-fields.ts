/** The parts of an answer, of a stream's event or of an error that the meters read. Anything may be in them. */
export interface AnswerJSON {
  readonly type?: unknown;
  readonly model?: unknown;
  readonly usage?: unknown;
  readonly message?: AnswerJSON | null;
  readonly error?: { readonly type?: unknown } | null;
  readonly delta?: Delta | null;
  readonly stop_reason?: unknown;
  readonly content?: unknown;
  readonly content_block?: { readonly type?: unknown } | null;
}

/** A piece of a streamed answer. Its other kinds (signatures, citations) are not output of their own. */
interface Delta {
  readonly text?: unknown;
  readonly thinking?: unknown;
  readonly partial_json?: unknown;
  readonly stop_reason?: unknown;
  readonly usage?: unknown;
}

/** The `stop_reason` of a model that refused to answer or to go on. */
export const MODEL_REFUSED = 'refusal';

/** An empty object if the text is not JSON. */
export function parseAnswer(text: string): AnswerJSON {
  try {
    return (JSON.parse(text) ?? {}) as AnswerJSON;
  } catch {
    return {};
  }
}

/** The model that served, at most 200 characters; null if the answer does not say. */
export function modelOf({ model }: AnswerJSON): string | null {
  return typeof model === 'string' ? model.slice(0, 200) : null;
}

/** `error.type`, at most 100 characters; null if there is none. */
export function errorTypeOf({ error }: AnswerJSON): string | null {
  return typeof error?.type === 'string' ? error.type.slice(0, 100) : null;
}

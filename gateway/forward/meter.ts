import type { Usage } from '../../policy/prices/usage.ts';

/** What an answer said about its usage, as far as it was seen. */
export interface Metered {
  /** Null if the answer has not said anything yet. */
  readonly usage: Usage | null;
  /** The usage is that of the whole answer, and not what a stream reports at its beginning. */
  readonly isFinal: boolean;
  /** The model that served; null if the answer did not say. */
  readonly model: string | null;
  /** The answer was seen to its end, so nothing more will be known about it. */
  readonly isComplete: boolean;
  /** The model may have written something: content was seen, or bytes that cannot be read. */
  readonly hasContent: boolean;
  /** The body is an error in the API's form. */
  readonly isApiError: boolean;
  /** A stream sent an `error` event in the API's form. */
  readonly hasErrorEvent: boolean;
  /** The `error.type` of an error, or of a stream that ended with one. */
  readonly errorType: string | null;
  /** Text, thinking and tool input that a stream sent since it last reported its usage. Bytes of UTF-8. */
  readonly unpricedBytes: number;
  /** The same, from the beginning of the stream. */
  readonly textBytes: number;
  /** How long the model thought without showing any of it. Milliseconds. */
  readonly hiddenMs: number;
}

/** An answer of which nothing was seen. */
export const UNMETERED: Metered = {
  usage: null,
  isFinal: false,
  model: null,
  isComplete: false,
  hasContent: false,
  isApiError: false,
  hasErrorEvent: false,
  errorType: null,
  unpricedBytes: 0,
  textBytes: 0,
  hiddenMs: 0,
};

/** Reads the decoded bytes of one answer. What it keeps of them is bounded, whatever the upstream sends. */
export interface Meter {
  readonly isStream: boolean;
  /** The answer has said what its prompt costs. */
  readonly hasBegun: boolean;
  write(bytes: Buffer): void;
  /** Called once, after the last byte. `isWhole`: the answer came to its end as HTTP has it. */
  end(isWhole: boolean): Metered;
}

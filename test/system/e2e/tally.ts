/** What became of the calls of a load, as it prints it in one line of JSON each second and when it ends. */
export interface Tally {
  /** Calls that were answered whole, streams among them. */
  answered: number;
  /** Streams among them. */
  streamed: number;
  /** Calls that were refused because a budget is spent, or would be by what is in flight. */
  refused: number;
  /** Calls that got another error, or none, before the first byte of an answer. */
  failed: number;
  /** Answers that began and broke off. */
  cut: number;
  /** Streams whose first event has come and whose last has not. */
  open: number;
  /** The longest time that a call which was answered waited for its first byte. Milliseconds. */
  longestWaitMs: number;
  /** What failed and was cut, by what the client said. */
  problems: Record<string, number>;
  /** No further line follows. */
  ended: boolean;
}

/** A tally of nothing. */
export function emptyTally(): Tally {
  return {
    answered: 0,
    streamed: 0,
    refused: 0,
    failed: 0,
    cut: 0,
    open: 0,
    longestWaitMs: 0,
    problems: {},
    ended: false,
  };
}

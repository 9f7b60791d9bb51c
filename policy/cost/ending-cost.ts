/**
 * What a call costs by its ending: the one table, which Messages and Message Batches obey and docs/reference/endings.md
 * prints. Unknown is never free: what was sent, and neither reported nor refused by the API itself, stays presumed.
 */

import { max, type Nano, subtract, ZERO } from '../core/money.ts';

interface EndingRow {
  /** Spent at once. `Reported`: what the usage says. `Seen`: the same and an estimate of what was seen since. */
  readonly settled: 'Nothing' | 'Reported' | 'Seen';
  /** Reserved until it is resolved: nothing, or the rest of the worst case. A result of a batch settles it instead. */
  readonly presumed: 'Nothing' | 'Rest';
  /** For the reference page. */
  readonly when: string;
}

const endings = {
  NeverSent: {
    settled: 'Nothing',
    presumed: 'Nothing',
    when: 'No byte of it was written to a connection, or not all of the body of a Message Batch.',
  },
  ErrorStatus: {
    settled: 'Nothing',
    presumed: 'Nothing',
    when: "The API refused it: a status of 400 or more, with a complete JSON body in the API's error form.",
  },
  ErrorFirst: {
    settled: 'Reported',
    presumed: 'Nothing',
    when: "A stream sent an `error` event in the API's form before any content: the prompt, as `message_start` reported it; nothing, if the error came first.",
  },
  Answered: {
    settled: 'Reported',
    presumed: 'Nothing',
    when: 'The answer reported its final usage, whether or not it ended well after that, also above the worst case.',
  },
  Cancelled: {
    settled: 'Seen',
    presumed: 'Nothing',
    when: 'The caller left, and the call was cancelled upstream (setting `onAbort: Cancel`); without any usage, the prompt at its bound.',
  },
  StaleConnection: {
    settled: 'Nothing',
    presumed: 'Rest',
    when: 'A connection that had served other calls ended within 2 seconds of sending, without a byte of the answer: mostly the upstream had closed it as idle. The call is tried once more, on a fresh connection and with a reservation of its own.',
  },
  Broken: {
    settled: 'Seen',
    presumed: 'Rest',
    when: 'The connection broke or timed out, or the answer ended without its last event.',
  },
  ForeignStatus: {
    settled: 'Nothing',
    presumed: 'Rest',
    when: 'A status of 300 or more, and the answer is not an error of the API: of something in front of it, which says nothing of what the API does.',
  },
  Unreported: {
    settled: 'Nothing',
    presumed: 'Rest',
    when: 'An answer with a status below 300 came to its end without its usage, or with one that cannot be read.',
  },
  Errored: {
    settled: 'Nothing',
    presumed: 'Nothing',
    when: 'A request of a Message Batch that failed, by the results.',
  },
  Canceled: {
    settled: 'Nothing',
    presumed: 'Nothing',
    when: 'A request of a Message Batch that was canceled before it was begun, by the results.',
  },
  Expired: {
    settled: 'Nothing',
    presumed: 'Nothing',
    when: 'A request of a Message Batch that was not begun in time, by the results.',
  },
  Lost: {
    settled: 'Nothing',
    presumed: 'Rest',
    when: 'A Message Batch whose results can never be read.',
  },
} as const satisfies Record<string, EndingRow>;

export type Ending = keyof typeof endings;

export const ENDINGS: Readonly<Record<Ending, EndingRow>> = endings;

/** What was seen of an answer to a call. */
export interface AnswerSeen {
  /** A byte of the call was written to a connection. */
  readonly isSent: boolean;
  /** Its connection had served other calls, and ended without a byte of the answer. */
  readonly isStale: boolean;
  /** The caller left, and the call was cancelled upstream. */
  readonly isCancelled: boolean;
  /** 0 if no answer began. */
  readonly status: number;
  /** The answer came to its end as HTTP has it. */
  readonly isWhole: boolean;
  /** It is whole, is JSON, and is an error of the API. */
  readonly isApiError: boolean;
  /** A stream sent an `error` event in the API's form. */
  readonly hasErrorEvent: boolean;
  /** It came to its end as the API has it: a message, or a stream with its last event and no error. */
  readonly isComplete: boolean;
  /** The model may have written something: content was seen, or bytes that cannot be read. */
  readonly hasContent: boolean;
  /** `Started`: only what a stream reports at its beginning, and as far as it went on. */
  readonly usage: 'None' | 'Started' | 'Final' | 'Unreadable';
  /** From the first byte of the call to the end of the answer. */
  readonly milliseconds: number;
}

/** Within this time of sending, what stands in front of the API answers by itself. Milliseconds. */
const AT_ONCE_MS = 2_000;

/** The ending of a call. */
export function endingOf(seen: AnswerSeen): Ending {
  if (!seen.isSent) return 'NeverSent';
  if (seen.isStale && seen.milliseconds <= AT_ONCE_MS) return 'StaleConnection';
  return answerEnding(seen);
}

function answerEnding(seen: AnswerSeen): Ending {
  const { status, usage } = seen;
  if (status >= 400 && seen.isApiError) return 'ErrorStatus';
  if (usage === 'Final') return 'Answered';
  if (usage === 'Unreadable') return 'Unreported';
  if (status >= 300) return 'ForeignStatus';
  if (seen.isCancelled) return 'Cancelled';
  if (seen.hasErrorEvent && !seen.hasContent) return 'ErrorFirst';
  return seen.isComplete ? 'Unreported' : 'Broken';
}

/** Whether the upstream bills nothing for it, so that its reservation is released. */
export function isFree(ending: Ending): boolean {
  const { settled, presumed } = ENDINGS[ending];
  return settled === 'Nothing' && presumed === 'Nothing';
}

/** What is settled, and what stays presumed. Nano-dollars. */
export interface EndingCost {
  readonly costNano: Nano;
  readonly presumedNano: Nano;
}

/** What an ending costs; `costOf` is asked only for the part that the table names. */
export function endingCost(ending: Ending, worstNano: Nano, costOf: (part: 'Reported' | 'Seen') => Nano): EndingCost {
  const { settled, presumed } = ENDINGS[ending];
  const costNano = settled === 'Nothing' ? ZERO : costOf(settled);
  return { costNano, presumedNano: presumed === 'Rest' ? max(ZERO, subtract(worstNano, costNano)) : ZERO };
}

/**
 * Whether what stays presumed of a call is released by itself after a while: only if within two seconds of sending its answer
 * came to its end and held nothing of a message, as when a proxy has no connection to the API, or a connection turned out
 * to be stale.
 */
export function releasesByItself({ isStale, isWhole, usage, hasContent, milliseconds }: AnswerSeen): boolean {
  return milliseconds <= AT_ONCE_MS && (isStale || (isWhole && usage === 'None' && !hasContent));
}
